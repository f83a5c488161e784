//! Data step on the CPU.

use rayon::prelude::*;

use super::DataStep;
use crate::backend::cpu::arch::Isa;
use crate::backend::cpu::{Cpu, with_scratch};
use crate::ops::soft_threshold::cpu::lane_sum;
use crate::ops::{Operator, Saved};

/// `out = a · b`, all square.
#[inline(always)]
fn product(side: usize, a: &[f32], b: &[f32], out: &mut [f32]) {
    for (a, out) in a.chunks_exact(side).zip(out.chunks_exact_mut(side)) {
        out.fill(0.0);
        for (&a, b) in a.iter().zip(b.chunks_exact(side)) {
            for (o, &b) in out.iter_mut().zip(b) {
                *o += a * b;
            }
        }
    }
}

/// `out = g · x · g`.
fn sandwich(isa: Isa, side: usize, g: &[f32], x: &[f32], out: &mut [f32]) {
    with_scratch(side * side, |half| {
        isa.run(|| {
            product(side, g, x, half);
            product(side, half, g, out);
        });
    });
}

impl DataStep {
    fn item(&self) -> usize {
        self.side * self.side
    }

    /// `-Σ dy · (G H G - B)` of one map.
    fn rho_gradient(&self, isa: Isa, g: &[f32], h: &[f32], b: &[f32], dy: &[f32]) -> f64 {
        with_scratch(self.item(), |d| {
            sandwich(isa, self.side, g, h, d);
            for (d, b) in d.iter_mut().zip(b) {
                *d -= b;
            }
            -lane_sum(d, dy, |d, g| d * g)
        })
    }
}

impl Operator<Cpu> for DataStep {
    fn name(&self) -> &'static str {
        "data_step"
    }

    fn output_len(&self) -> usize {
        self.n * self.item()
    }

    fn multiply_adds(&self) -> u64 {
        (2 * self.n * self.side.pow(3)) as u64
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Vec<f32>], output: &mut Vec<f32>) {
        let (rho, g, isa) = (inputs[2][0], inputs[3], cpu.isa());
        output
            .par_chunks_mut(self.item())
            .zip(inputs[0].par_chunks(self.item()))
            .zip(inputs[1].par_chunks(self.item()))
            .for_each(|((out, h), b)| {
                sandwich(isa, self.side, g, h, out);
                for ((o, h), b) in out.iter_mut().zip(h).zip(b) {
                    *o = h - rho * (*o - b);
                }
            });
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Vec<f32>>]) {
        let (rho, g, isa) = (saved.inputs[2][0], saved.inputs[3], cpu.isa());
        if let Some(dh) = &mut grads[0] {
            dh.par_chunks_mut(self.item())
                .zip(saved.grad.par_chunks(self.item()))
                .for_each(|(dh, dy)| {
                    sandwich(isa, self.side, g, dy, dh);
                    for (d, dy) in dh.iter_mut().zip(dy) {
                        *d = dy - rho * *d;
                    }
                });
        }
        if let Some(drho) = &mut grads[2] {
            let parts: Vec<f64> = saved.inputs[0]
                .par_chunks(self.item())
                .zip(saved.inputs[1].par_chunks(self.item()))
                .zip(saved.grad.par_chunks(self.item()))
                .map(|((h, b), dy)| self.rho_gradient(isa, g, h, b, dy))
                .collect();
            drho[0] = parts.iter().sum::<f64>() as f32;
        }
    }
}
