//! Losses on the CPU; sums are carried in f64.

use super::{AbsoluteError, SquaredError, Total, WeightedSum};
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::soft_threshold::cpu::{lane_sum, sign};
use crate::ops::{Operator, Saved};

impl Operator<Cpu> for SquaredError {
    fn name(&self) -> &'static str {
        "squared_error"
    }

    fn output_len(&self) -> usize {
        1
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let a = inputs[0];
        let sum = match inputs.get(1) {
            Some(b) => cpu.sum_slices(self.len, |from, to| {
                lane_sum(&a[from..to], &b[from..to], |a, b| (a - b) * (a - b))
            }),
            None => cpu.sum_slices(self.len, |from, to| {
                lane_sum(&a[from..to], &a[from..to], |a, _| a * a)
            }),
        };
        output[0] = (f64::from(self.scale) * sum) as f32;
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let factor = 2.0 * self.scale * saved.grad[0];
        for (i, grad) in grads.iter_mut().enumerate() {
            let Some(grad) = grad else { continue };
            let (a, b) = (saved.inputs[i], saved.inputs.get(1 - i));
            cpu.for_each_slice(grad, |at, grad| match b {
                Some(b) => {
                    for ((d, a), b) in grad.iter_mut().zip(&a[at..]).zip(&b[at..]) {
                        *d = factor * (a - b);
                    }
                }
                None => {
                    for (d, a) in grad.iter_mut().zip(&a[at..]) {
                        *d = factor * a;
                    }
                }
            });
        }
    }
}

impl Operator<Cpu> for AbsoluteError {
    fn name(&self) -> &'static str {
        "absolute_error"
    }

    fn output_len(&self) -> usize {
        1
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let (a, b) = (inputs[0], inputs[1]);
        let sum = cpu.sum_slices(self.len, |from, to| {
            lane_sum(&a[from..to], &b[from..to], |a, b| (a - b).abs())
        });
        output[0] = (f64::from(self.scale) * sum) as f32;
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let factor = self.scale * saved.grad[0];
        for (i, grad) in grads.iter_mut().enumerate() {
            let Some(grad) = grad else { continue };
            let (a, b) = (saved.inputs[i], saved.inputs[1 - i]);
            cpu.for_each_slice(grad, |at, grad| {
                for ((d, a), b) in grad.iter_mut().zip(&a[at..]).zip(&b[at..]) {
                    *d = factor * sign(a - b);
                }
            });
        }
    }
}

impl Operator<Cpu> for WeightedSum {
    fn name(&self) -> &'static str {
        "weighted_sum"
    }

    fn output_len(&self) -> usize {
        1
    }

    fn forward(&self, _: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let terms = inputs.iter().zip(&self.weights);
        output[0] = terms
            .map(|(x, &w)| f64::from(w) * f64::from(x[0]))
            .sum::<f64>() as f32;
    }

    fn backward(&self, _: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        for (grad, weight) in grads.iter_mut().zip(&self.weights) {
            if let Some(grad) = grad {
                grad[0] = weight * saved.grad[0];
            }
        }
    }
}

impl Operator<Cpu> for Total {
    fn name(&self) -> &'static str {
        "total"
    }

    fn output_len(&self) -> usize {
        1
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let a = inputs[0];
        let sum = cpu.sum_slices(self.len, |from, to| {
            lane_sum(&a[from..to], &a[from..to], |a, _| a)
        });
        output[0] = (f64::from(self.scale) * sum) as f32;
    }

    fn backward(&self, _: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        if let Some(grad) = &mut grads[0] {
            grad.fill(self.scale * saved.grad[0]);
        }
    }
}
