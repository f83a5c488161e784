//! Position code on the CPU.

use rayon::prelude::*;

use super::TimeCode;
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::soft_threshold::cpu::lane_sum;
use crate::ops::{Operator, Saved};

impl Operator<Cpu> for TimeCode {
    fn name(&self) -> &'static str {
        "time_code"
    }

    fn output_len(&self) -> usize {
        self.times.len() * self.len
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let isa = cpu.isa();
        let sums: Vec<f32> = inputs[0]
            .par_chunks(self.len)
            .map(|row| isa.run(|| lane_sum(row, row, |w, _| w)) as f32)
            .collect();
        for (gate, &t) in output.chunks_exact_mut(self.len).zip(&self.times) {
            for ((g, b), s) in gate.iter_mut().zip(inputs[1]).zip(&sums) {
                *g = 1.0 / (1.0 + (-(b + t * s)).exp());
            }
        }
    }

    fn backward(&self, _: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let (mut bias, mut column) = (vec![0.0f32; self.len], vec![0.0f32; self.len]);
        let gates = saved.output.chunks_exact(self.len);
        for ((y, dy), &t) in gates
            .zip(saved.grad.chunks_exact(self.len))
            .zip(&self.times)
        {
            for (i, (y, dy)) in y.iter().zip(dy).enumerate() {
                let d = dy * y * (1.0 - y);
                bias[i] += d;
                column[i] += t * d;
            }
        }
        if let Some(dw) = &mut grads[0] {
            dw.par_chunks_mut(self.len)
                .zip(&column)
                .for_each(|(row, &c)| row.fill(c));
        }
        if let Some(db) = &mut grads[1] {
            db.copy_from_slice(&bias);
        }
    }
}
