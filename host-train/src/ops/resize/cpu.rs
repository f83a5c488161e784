//! Resize on the CPU.

use rayon::prelude::*;

use super::{Blend, Resize, blends};
use crate::backend::cpu::{Buffer, Cpu, with_scratch};
use crate::ops::{Operator, Saved};

/// Rows and columns of one geometry.
struct Plan {
    rows: Vec<Blend>,
    columns: Vec<Blend>,
    /// Values in an input row.
    line: usize,
    /// Values in an output row.
    wide: usize,
    channels: usize,
}

impl Plan {
    fn new(op: &Resize) -> Self {
        Self {
            rows: blends(op.interpolation, op.input.h, op.h),
            columns: blends(op.interpolation, op.input.w, op.w),
            line: op.input.w * op.input.c,
            wide: op.w * op.input.c,
            channels: op.input.c,
        }
    }

    fn forward(&self, x: &[f32], y: &mut [f32]) {
        let c = self.channels;
        with_scratch(self.line, |between| {
            for (row, y) in self.rows.iter().zip(y.chunks_exact_mut(self.wide)) {
                let [a, b] = [row.first, row.second].map(|k| &x[k * self.line..][..self.line]);
                for ((m, a), b) in between.iter_mut().zip(a).zip(b) {
                    *m = row.shares[0] * a + row.shares[1] * b;
                }
                for (column, y) in self.columns.iter().zip(y.chunks_exact_mut(c)) {
                    let [a, b] = [column.first, column.second].map(|k| &between[k * c..][..c]);
                    for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
                        *y = column.shares[0] * a + column.shares[1] * b;
                    }
                }
            }
        });
    }

    fn backward(&self, dy: &[f32], dx: &mut [f32]) {
        let c = self.channels;
        dx.fill(0.0);
        with_scratch(self.line, |between| {
            for (row, dy) in self.rows.iter().zip(dy.chunks_exact(self.wide)) {
                between.fill(0.0);
                for (column, dy) in self.columns.iter().zip(dy.chunks_exact(c)) {
                    add(&mut between[column.first * c..], dy, column.shares[0]);
                    add(&mut between[column.second * c..], dy, column.shares[1]);
                }
                add(&mut dx[row.first * self.line..], between, row.shares[0]);
                add(&mut dx[row.second * self.line..], between, row.shares[1]);
            }
        });
    }
}

/// `target += share · values`.
fn add(target: &mut [f32], values: &[f32], share: f32) {
    for (t, v) in target.iter_mut().zip(values) {
        *t += share * v;
    }
}

impl Operator<Cpu> for Resize {
    fn name(&self) -> &'static str {
        "resize"
    }

    fn output_len(&self) -> usize {
        self.output().len()
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let (plan, isa) = (Plan::new(self), cpu.isa());
        output
            .par_chunks_mut(self.output().item())
            .zip(inputs[0].par_chunks(self.input.item()))
            .for_each(|(y, x)| isa.run(|| plan.forward(x, y)));
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let Some(dx) = &mut grads[0] else { return };
        let (plan, isa) = (Plan::new(self), cpu.isa());
        dx.par_chunks_mut(self.input.item())
            .zip(saved.grad.par_chunks(self.output().item()))
            .for_each(|(dx, dy)| isa.run(|| plan.backward(dy, dx)));
    }
}
