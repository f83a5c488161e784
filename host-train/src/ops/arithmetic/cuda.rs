//! Elementwise arithmetic on a GPU.

use derefnet_cuda_kernels::{ADD, Kernel, MUL, NEGATE, SUB};

use super::{Add, Mul, Sub};
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid};
use crate::ops::{Operator, Saved, as_on_the_cpu};

fn zip(cuda: &Cuda, kernel: &Kernel, a: &Buffer, b: &Buffer, out: &Buffer) {
    let arguments = [
        Argument::Count(out.len()),
        Argument::In(a),
        Argument::In(b),
        Argument::Out(out),
    ];
    cuda.launch(kernel, Grid::over(out.len()), &arguments);
}

impl Operator<Cuda> for Add {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        zip(cuda, &ADD, inputs[0], inputs[1], output);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        for grad in grads.iter().flatten() {
            cuda.copy(saved.grad, grad);
        }
    }
}

impl Operator<Cuda> for Sub {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        zip(cuda, &SUB, inputs[0], inputs[1], output);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        if let Some(da) = &grads[0] {
            cuda.copy(saved.grad, da);
        }
        if let Some(db) = &grads[1] {
            let arguments = [
                Argument::Count(db.len()),
                Argument::In(saved.grad),
                Argument::Out(db),
            ];
            cuda.launch(&NEGATE, Grid::over(db.len()), &arguments);
        }
    }
}

impl Operator<Cuda> for Mul {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        zip(cuda, &MUL, inputs[0], inputs[1], output);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        for (grad, other) in grads.iter().zip([saved.inputs[1], saved.inputs[0]]) {
            if let Some(grad) = grad {
                zip(cuda, &MUL, saved.grad, other, grad);
            }
        }
    }
}
