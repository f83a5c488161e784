//! Functions of single values on the CPU.

use super::{Function, Pointwise};
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::{Operator, Saved};

impl Function {
    fn of(self, x: f32) -> f32 {
        match self {
            Self::Scale(factor) => factor * x,
            Self::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
            Self::Reciprocal(offset) => 1.0 / (x + offset),
        }
    }

    fn slope(self, x: f32) -> f32 {
        match self {
            Self::Scale(factor) => factor,
            Self::Softplus => 1.0 / (1.0 + (-x).exp()),
            Self::Reciprocal(offset) => -1.0 / ((x + offset) * (x + offset)),
        }
    }
}

impl Operator<Cpu> for Pointwise {
    fn name(&self) -> &'static str {
        "pointwise"
    }

    fn output_len(&self) -> usize {
        self.len
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        cpu.for_each_slice(output, |at, out| {
            for (o, &x) in out.iter_mut().zip(&inputs[0][at..]) {
                *o = self.function.of(x);
            }
        });
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let Some(dx) = &mut grads[0] else { return };
        cpu.for_each_slice(dx, |at, dx| {
            let pairs = saved.inputs[0][at..].iter().zip(&saved.grad[at..]);
            for (d, (&x, &g)) in dx.iter_mut().zip(pairs) {
                *d = g * self.function.slope(x);
            }
        });
    }
}
