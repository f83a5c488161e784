//! Deformable samples on a GPU.

use derefnet_cuda_kernels as kernels;
use kernels::SampleGeometry;

use super::DeformSample;
use crate::backend::Backend;
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, count, geometry};
use crate::ops::{Operator, Saved, as_on_the_cpu};

/// Taps of a sample's kernel.
const TAPS: usize = 9;

impl DeformSample {
    fn on_the_device(&self) -> SampleGeometry {
        SampleGeometry {
            n: count(self.input.n),
            h: count(self.input.h),
            w: count(self.input.w),
            c: count(self.input.c),
            groups: count(self.groups),
        }
    }

    /// Every pixel collects from the samples that read it, which lists name.
    fn input_gradient(&self, cuda: &Cuda, offsets: &Buffer, dy: &Buffer, dx: &Buffer) {
        let (g, sets) = (self.on_the_device(), self.input.n * self.groups);
        let places = (self.input.h + 1) * (self.input.w + 1);
        let heads = cuda.alloc(sets * places);
        let before = cuda.alloc(sets * self.input.pixels() * TAPS);
        let arguments = [
            geometry(&g),
            Argument::In(offsets),
            Argument::Out(&heads),
            Argument::Out(&before),
        ];
        cuda.launch(&kernels::SAMPLE_LISTS, Grid::each(sets), &arguments);
        let arguments = [
            geometry(&g),
            Argument::In(offsets),
            Argument::In(dy),
            Argument::In(&heads),
            Argument::In(&before),
            Argument::Out(dx),
        ];
        let grid = Grid::over(dx.len());
        cuda.launch(&kernels::SAMPLE_INPUT_GRADIENT, grid, &arguments);
    }
}

impl Operator<Cuda> for DeformSample {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let g = self.on_the_device();
        let arguments = [
            geometry(&g),
            Argument::In(inputs[0]),
            Argument::In(inputs[1]),
            Argument::Out(output),
        ];
        cuda.launch(&kernels::SAMPLE, Grid::over(output.len()), &arguments);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let (x, offsets) = (saved.inputs[0], saved.inputs[1]);
        if let Some(dx) = &grads[0] {
            self.input_gradient(cuda, offsets, saved.grad, dx);
        }
        if let Some(doffsets) = &grads[1] {
            let g = self.on_the_device();
            let arguments = [
                geometry(&g),
                Argument::In(x),
                Argument::In(offsets),
                Argument::In(saved.grad),
                Argument::Out(doffsets),
            ];
            let grid = Grid::over(doffsets.len() / 2);
            cuda.launch(&kernels::SAMPLE_OFFSET_GRADIENT, grid, &arguments);
        }
    }
}
