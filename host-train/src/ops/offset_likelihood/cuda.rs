//! The likelihood of offsets on a GPU, in f64; gradients are computed with the value and kept.

use derefnet_core::locate::head::{DEVIATION, INTENSITY_DEVIATION};
use derefnet_cuda_kernels::{OFFSET_LIKELIHOOD, OffsetGeometry, REDUCE_SCALE};

use super::{NEARNESS, OffsetLikelihood, REACH};
use crate::backend::Backend;
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, count, geometry};
use crate::ops::{Operator, Saved, as_on_the_cpu};

/// What the kernel has written out.
const _: () = assert!(REACH == 1);

impl OffsetLikelihood {
    fn on_the_device(&self) -> OffsetGeometry {
        let ranges = [DEVIATION, INTENSITY_DEVIATION];
        let logarithms = |end: usize| ranges.map(|range| f64::from(range[end]).ln());
        OffsetGeometry {
            windows: count(self.targets.len()),
            unused: 0,
            low: logarithms(0),
            high: logarithms(1),
            nearness: NEARNESS,
        }
    }

    /// Where each window's targets start, and all targets.
    fn tables(&self, cuda: &Cuda) -> [Buffer; 2] {
        let mut starts = vec![0u32];
        for targets in &self.targets {
            starts.push(starts[starts.len() - 1] + count(targets.len()));
        }
        let starts: Vec<u8> = starts.iter().flat_map(|n| n.to_ne_bytes()).collect();
        let targets = self.targets.iter().flatten().flatten();
        let targets: Vec<u8> = targets.flat_map(|v| v.to_ne_bytes()).collect();
        [starts, targets].map(|table| cuda.passing_table(&table))
    }
}

impl Operator<Cuda> for OffsetLikelihood {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let mut kept = cuda.alloc(inputs[0].len());
        self.forward_keeping(cuda, inputs, output, &mut kept);
    }

    fn forward_keeping(
        &self,
        cuda: &Cuda,
        inputs: &[&Buffer],
        output: &mut Buffer,
        kept: &mut Buffer,
    ) {
        let windows = self.targets.len();
        let (g, part) = (self.on_the_device(), cuda.doubles(windows));
        let [starts, targets] = self.tables(cuda);
        let arguments = [
            geometry(&g),
            Argument::In(&starts),
            Argument::In(&targets),
            Argument::In(inputs[0]),
            Argument::Out(kept),
            Argument::Out(&part),
        ];
        cuda.launch(&OFFSET_LIKELIHOOD, Grid::each(windows), &arguments);
        cuda.sum(&part, 1.0 / windows as f32, output);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let Some(Some(grad)) = grads.first() else {
            return;
        };
        let arguments = [
            Argument::Count(grad.len()),
            Argument::Float(1.0 / self.targets.len() as f32),
            Argument::In(saved.grad),
            Argument::In(saved.kept),
            Argument::Out(grad),
        ];
        cuda.launch(&REDUCE_SCALE, Grid::over(grad.len()), &arguments);
    }
}
