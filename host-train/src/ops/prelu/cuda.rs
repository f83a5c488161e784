//! Leaky rectifier on a GPU.

use derefnet_cuda_kernels::{PRELU, PRELU_GRADIENT, PRELU_SLOPE_PARTIALS};

use super::Prelu;
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, blocks};
use crate::ops::{Operator, Saved, as_on_the_cpu};

impl Operator<Cuda> for Prelu {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let arguments = [
            Argument::Count(self.len),
            Argument::In(inputs[0]),
            Argument::In(inputs[1]),
            Argument::Out(output),
        ];
        cuda.launch(&PRELU, Grid::over(self.len), &arguments);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let len = Argument::Count(self.len);
        let [x, slope] = [0, 1].map(|i| Argument::In(saved.inputs[i]));
        let dy = Argument::In(saved.grad);
        if let Some(dx) = &grads[0] {
            let arguments = [len, x, slope, dy, Argument::Out(dx)];
            cuda.launch(&PRELU_GRADIENT, Grid::over(self.len), &arguments);
        }
        if let Some(dslope) = &grads[1] {
            let parts = blocks(self.len);
            let part = cuda.doubles(parts);
            let arguments = [len, x, dy, Argument::Out(&part)];
            cuda.launch(&PRELU_SLOPE_PARTIALS, Grid::each(parts), &arguments);
            cuda.sum(&part, 1.0, dslope);
        }
    }
}
