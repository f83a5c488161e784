//! Resize on a GPU; the host says who reads whom.

use std::sync::Arc;

use derefnet_cuda_kernels::{Blend, RESIZE, RESIZE_GRADIENT, Reader, ResizeGeometry, table_bytes};

use super::{Interpolation, Resize, blends};
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, count, geometry};
use crate::ops::{Operator, Saved, as_on_the_cpu};

/// What each of `to` outputs reads.
fn table(cuda: &Cuda, interpolation: Interpolation, from: usize, to: usize) -> Arc<Buffer> {
    let blends = blends(interpolation, from, to).into_iter();
    let blends = blends.map(|blend| Blend {
        first: count(blend.first),
        second: count(blend.second),
        share: blend.shares,
    });
    cuda.table(table_bytes(&blends.collect::<Vec<_>>()))
}

/// Where each input's readers start, and the readers of all inputs, one after the other.
fn readers(cuda: &Cuda, interpolation: Interpolation, from: usize, to: usize) -> [Arc<Buffer>; 2] {
    let mut own = vec![Vec::new(); from];
    for (output, blend) in blends(interpolation, from, to).iter().enumerate() {
        for (input, share) in [blend.first, blend.second].into_iter().zip(blend.shares) {
            if share != 0.0 {
                let index = count(output);
                own[input].push(Reader { index, share });
            }
        }
    }
    let mut starts = vec![0];
    for readers in &own {
        starts.push(starts[starts.len() - 1] + count(readers.len()));
    }
    [
        cuda.numbers(&starts),
        cuda.table(table_bytes(&own.concat())),
    ]
}

impl Resize {
    fn on_the_device(&self) -> ResizeGeometry {
        ResizeGeometry {
            n: count(self.input.n),
            h: count(self.input.h),
            w: count(self.input.w),
            c: count(self.input.c),
            to_h: count(self.h),
            to_w: count(self.w),
        }
    }
}

impl Operator<Cuda> for Resize {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let g = self.on_the_device();
        let rows = table(cuda, self.interpolation, self.input.h, self.h);
        let columns = table(cuda, self.interpolation, self.input.w, self.w);
        let arguments = [
            geometry(&g),
            Argument::In(&rows),
            Argument::In(&columns),
            Argument::In(inputs[0]),
            Argument::Out(output),
        ];
        cuda.launch(&RESIZE, Grid::over(output.len()), &arguments);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let Some(dx) = &grads[0] else { return };
        let g = self.on_the_device();
        let rows = readers(cuda, self.interpolation, self.input.h, self.h);
        let columns = readers(cuda, self.interpolation, self.input.w, self.w);
        let arguments = [
            geometry(&g),
            Argument::In(&rows[0]),
            Argument::In(&rows[1]),
            Argument::In(&columns[0]),
            Argument::In(&columns[1]),
            Argument::In(saved.grad),
            Argument::Out(dx),
        ];
        cuda.launch(&RESIZE_GRADIENT, Grid::over(dx.len()), &arguments);
    }
}
