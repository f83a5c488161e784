//! Totals on a GPU; sums are carried in f64.

use derefnet_cuda_kernels::{TOTAL_GRADIENT, TOTAL_PARTIALS};

use super::Total;
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, blocks};
use crate::ops::{Operator, Saved, as_on_the_cpu};

impl Operator<Cuda> for Total {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let parts = blocks(self.len);
        let part = cuda.doubles(parts);
        let arguments = [
            Argument::Count(self.len),
            Argument::In(inputs[0]),
            Argument::Out(&part),
        ];
        cuda.launch(&TOTAL_PARTIALS, Grid::each(parts), &arguments);
        cuda.sum(&part, self.scale, output);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let Some(da) = &grads[0] else { return };
        let arguments = [
            Argument::Count(self.len),
            Argument::Float(self.scale),
            Argument::In(saved.grad),
            Argument::Out(da),
        ];
        cuda.launch(&TOTAL_GRADIENT, Grid::over(self.len), &arguments);
    }
}
