//! Functions of single values on a GPU.

use derefnet_cuda_kernels::{
    FUNCTION_RECIPROCAL, FUNCTION_SCALE, FUNCTION_SOFTPLUS, POINTWISE, POINTWISE_GRADIENT,
};

use super::{Function, Pointwise};
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid};
use crate::ops::{Operator, Saved, as_on_the_cpu};

impl Pointwise {
    /// Length, function and its parameter as kernels have them.
    fn arguments(&self) -> [Argument<'static>; 3] {
        let (function, parameter) = match self.function {
            Function::Scale(factor) => (FUNCTION_SCALE, factor),
            Function::Softplus => (FUNCTION_SOFTPLUS, 0.0),
            Function::Reciprocal(offset) => (FUNCTION_RECIPROCAL, offset),
        };
        [
            Argument::Count(self.len),
            Argument::Count(function as usize),
            Argument::Float(parameter),
        ]
    }
}

impl Operator<Cuda> for Pointwise {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let [len, function, parameter] = self.arguments();
        let (x, y) = (Argument::In(inputs[0]), Argument::Out(output));
        let arguments = [len, function, parameter, x, y];
        cuda.launch(&POINTWISE, Grid::over(self.len), &arguments);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let Some(dx) = &grads[0] else { return };
        let [len, function, parameter] = self.arguments();
        let arguments = [
            len,
            function,
            parameter,
            Argument::In(saved.inputs[0]),
            Argument::In(saved.grad),
            Argument::Out(dx),
        ];
        cuda.launch(&POINTWISE_GRADIENT, Grid::over(self.len), &arguments);
    }
}
