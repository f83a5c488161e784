//! Leaky rectifier on the CPU.

use super::Prelu;
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::soft_threshold::cpu::lane_sum;
use crate::ops::{Operator, Saved};

impl Operator<Cpu> for Prelu {
    fn name(&self) -> &'static str {
        "prelu"
    }

    fn output_len(&self) -> usize {
        self.len
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let (x, slope) = (inputs[0], inputs[1][0]);
        cpu.for_each_slice(output, |at, out| {
            for (o, &x) in out.iter_mut().zip(&x[at..]) {
                *o = if x > 0.0 { x } else { slope * x };
            }
        });
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let (x, slope, dy) = (saved.inputs[0], saved.inputs[1][0], saved.grad);
        if let Some(dx) = &mut grads[0] {
            cpu.for_each_slice(dx, |at, dx| {
                for ((d, &x), &g) in dx.iter_mut().zip(&x[at..]).zip(&dy[at..]) {
                    *d = if x > 0.0 { g } else { slope * g };
                }
            });
        }
        if let Some(dslope) = &mut grads[1] {
            let part = |from: usize, to: usize| {
                lane_sum(&x[from..to], &dy[from..to], |x, g| g * x.min(0.0))
            };
            dslope[0] = cpu.sum_slices(self.len, part) as f32;
        }
    }
}
