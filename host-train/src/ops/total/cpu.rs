//! Totals on the CPU; sums are carried in f64.

use super::Total;
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::soft_threshold::cpu::lane_sum;
use crate::ops::{Operator, Saved};

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
