//! Figures of rows on the CPU.

use super::{RowCount, RowRms};
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::soft_threshold::cpu::lane_sum;
use crate::ops::{Operator, Saved};

impl Operator<Cpu> for RowRms {
    fn name(&self) -> &'static str {
        "row_rms"
    }

    fn output_len(&self) -> usize {
        self.rows
    }

    fn forward(&self, _: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        for (y, row) in output.iter_mut().zip(inputs[0].chunks_exact(self.len)) {
            let sum = lane_sum(row, row, |a, b| a * b);
            *y = (sum / self.len as f64).sqrt() as f32;
        }
    }

    fn backward(&self, _: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let Some(dv) = &mut grads[0] else { return };
        let rows = dv
            .chunks_exact_mut(self.len)
            .zip(saved.inputs[0].chunks_exact(self.len));
        let results = saved.output.iter().zip(saved.grad);
        for ((dv, v), (&y, &g)) in rows.zip(results) {
            let factor = if y > 0.0 {
                g / (self.len as f32 * y)
            } else {
                0.0
            };
            for (d, &v) in dv.iter_mut().zip(v) {
                *d = factor * v;
            }
        }
    }
}

impl Operator<Cpu> for RowCount {
    fn name(&self) -> &'static str {
        "row_count"
    }

    fn output_len(&self) -> usize {
        self.rows
    }

    fn forward(&self, _: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        for (y, row) in output.iter_mut().zip(inputs[0].chunks_exact(self.len)) {
            *y = self.scale * row.iter().filter(|&&v| v != 0.0).count() as f32;
        }
    }

    fn backward(&self, _: &Cpu, _: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        if let Some(dx) = &mut grads[0] {
            dx.fill(0.0);
        }
    }
}
