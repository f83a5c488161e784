//! Pixel shuffle on a GPU.

use derefnet_cuda_kernels::{Kernel, PIXEL_SHUFFLE, PIXEL_SHUFFLE_GRADIENT, ShuffleGeometry};

use super::PixelShuffle;
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, count, geometry};
use crate::ops::{Operator, Saved, as_on_the_cpu};

impl PixelShuffle {
    fn run(&self, cuda: &Cuda, kernel: &Kernel, from: &Buffer, to: &Buffer) {
        let g = ShuffleGeometry {
            n: count(self.input.n),
            h: count(self.input.h),
            w: count(self.input.w),
            c: count(self.output().c),
            factor: count(self.factor),
        };
        let arguments = [geometry(&g), Argument::In(from), Argument::Out(to)];
        cuda.launch(kernel, Grid::over(to.len()), &arguments);
    }
}

impl Operator<Cuda> for PixelShuffle {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        self.run(cuda, &PIXEL_SHUFFLE, inputs[0], output);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        if let Some(dx) = &grads[0] {
            self.run(cuda, &PIXEL_SHUFFLE_GRADIENT, saved.grad, dx);
        }
    }
}
