//! Elementwise arithmetic on the CPU.

use super::{Add, Mul, Sub};
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::per_item::kernel::{ItemKernel, ItemSaved, Itemwise, Pass};
use crate::ops::{Operator, Saved};

/// `out = f(a, b)`, element by element.
fn zip_into(cpu: &Cpu, a: &[f32], b: &[f32], out: &mut [f32], f: impl Fn(f32, f32) -> f32 + Sync) {
    cpu.for_each_slice(out, |at, out| {
        let (a, b) = (&a[at..at + out.len()], &b[at..at + out.len()]);
        for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
            *o = f(a, b);
        }
    });
}

impl Operator<Cpu> for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn output_len(&self) -> usize {
        self.len
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        zip_into(cpu, inputs[0], inputs[1], output, |a, b| a + b);
    }

    fn backward(&self, _: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        for grad in grads.iter_mut().flatten() {
            grad.copy_from_slice(saved.grad);
        }
    }
}

impl Operator<Cpu> for Sub {
    fn name(&self) -> &'static str {
        "sub"
    }

    fn output_len(&self) -> usize {
        self.len
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        zip_into(cpu, inputs[0], inputs[1], output, |a, b| a - b);
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        if let Some(da) = &mut grads[0] {
            da.copy_from_slice(saved.grad);
        }
        if let Some(db) = &mut grads[1] {
            zip_into(cpu, saved.grad, saved.grad, db, |g, _| -g);
        }
    }
}

impl Operator<Cpu> for Mul {
    fn name(&self) -> &'static str {
        "mul"
    }

    fn output_len(&self) -> usize {
        self.len
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        zip_into(cpu, inputs[0], inputs[1], output, |a, b| a * b);
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        for (grad, other) in grads.iter_mut().zip([saved.inputs[1], saved.inputs[0]]) {
            if let Some(grad) = grad {
                zip_into(cpu, saved.grad, other, grad, |g, o| g * o);
            }
        }
    }
}

/// `a + sign · b` inside a graph of one item.
struct Item {
    sign: f32,
}

impl ItemKernel for Item {
    fn forward(&self, inputs: &[&[f32]], output: &mut [f32]) {
        for ((o, a), b) in output.iter_mut().zip(inputs[0]).zip(inputs[1]) {
            *o = a + self.sign * b;
        }
    }

    fn backward(&self, saved: &ItemSaved<'_>, grads: &mut [Option<&mut [f32]>], _: &mut [f32]) {
        for (grad, sign) in grads.iter_mut().zip([1.0, self.sign]) {
            let Some(grad) = grad else { continue };
            for (d, g) in grad.iter_mut().zip(saved.grad) {
                *d = sign * g;
            }
        }
    }
}

macro_rules! itemwise {
    ($op:ident, $sign:expr) => {
        impl Itemwise for $op {
            fn item_inputs(&self) -> usize {
                2
            }

            fn reads_input(&self, _: usize) -> bool {
                false
            }

            fn prepare<'a>(
                &self,
                _: &'a Cpu,
                _: &[&'a [f32]],
                _: Pass,
            ) -> Box<dyn ItemKernel + 'a> {
                Box::new(Item { sign: $sign })
            }
        }
    };
}

itemwise!(Add, 1.0);
itemwise!(Sub, -1.0);
