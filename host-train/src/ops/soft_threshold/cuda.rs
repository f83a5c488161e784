//! Soft threshold on a GPU.

use derefnet_cuda_kernels::{SOFT_THRESHOLD, SOFT_THRESHOLD_GRADIENT, SOFT_THRESHOLD_PARTIALS};

use super::SoftThreshold;
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, blocks};
use crate::ops::{Operator, Saved, as_on_the_cpu};

impl Operator<Cuda> for SoftThreshold {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let arguments = [
            Argument::Count(self.len),
            Argument::In(inputs[0]),
            Argument::In(inputs[1]),
            Argument::Out(output),
        ];
        cuda.launch(&SOFT_THRESHOLD, Grid::over(self.len), &arguments);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let arguments = |out| {
            [
                Argument::Count(self.len),
                Argument::In(saved.inputs[0]),
                Argument::In(saved.inputs[1]),
                Argument::In(saved.grad),
                Argument::Out(out),
            ]
        };
        if let Some(dx) = &grads[0] {
            let grid = Grid::over(self.len);
            cuda.launch(&SOFT_THRESHOLD_GRADIENT, grid, &arguments(dx));
        }
        if let Some(dtheta) = &grads[1] {
            let parts = blocks(self.len);
            let part = cuda.doubles(parts);
            let grid = Grid::each(parts);
            cuda.launch(&SOFT_THRESHOLD_PARTIALS, grid, &arguments(&part));
            cuda.sum(&part, -1.0, dtheta);
        }
    }
}
