//! Spectral normalisation on the CPU.

use super::{PowerIteration, SpectralNorm};
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::{Operator, Saved};

/// Least norm by which vectors are divided.
const LEAST: f64 = 1e-12;

/// `W v`.
fn product(w: &[f32], v: &[f64]) -> Vec<f64> {
    let dot = |row: &[f32]| row.iter().zip(v).map(|(&w, v)| f64::from(w) * v).sum();
    w.chunks_exact(v.len()).map(dot).collect()
}

/// `Wᵀ u`.
fn transposed_product(w: &[f32], u: &[f64], columns: usize) -> Vec<f64> {
    let mut v = vec![0.0; columns];
    for (row, u) in w.chunks_exact(columns).zip(u) {
        for (v, &w) in v.iter_mut().zip(row) {
            *v += u * f64::from(w);
        }
    }
    v
}

/// Divides by the norm.
fn normalise(mut v: Vec<f64>) -> Vec<f64> {
    let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt().max(LEAST);
    v.iter_mut().for_each(|x| *x /= norm);
    v
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

impl Operator<Cpu> for PowerIteration {
    fn name(&self) -> &'static str {
        "power_iteration"
    }

    fn output_len(&self) -> usize {
        self.rows + self.columns
    }

    fn forward(&self, _: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let v = normalise(transposed_product(
            inputs[0],
            &wide(inputs[1]),
            self.columns,
        ));
        let u = normalise(product(inputs[0], &v));
        for (o, value) in output.iter_mut().zip(u.into_iter().chain(v)) {
            *o = value as f32;
        }
    }

    fn backward(&self, _: &Cpu, _: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        for grad in grads.iter_mut().flatten() {
            grad.fill(0.0);
        }
    }
}

impl SpectralNorm {
    /// `uᵀ W v`.
    fn sigma(&self, w: &[f32], uv: &[f32]) -> f64 {
        let (u, v) = uv.split_at(self.rows);
        let wv = product(w, &wide(v));
        wv.iter().zip(u).map(|(a, &u)| a * f64::from(u)).sum()
    }
}

impl Operator<Cpu> for SpectralNorm {
    fn name(&self) -> &'static str {
        "spectral_norm"
    }

    fn output_len(&self) -> usize {
        self.rows * self.columns
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let w = inputs[0];
        let factor = (1.0 / self.sigma(w, inputs[1])) as f32;
        cpu.for_each_slice(output, |at, out| {
            for (o, &w) in out.iter_mut().zip(&w[at..]) {
                *o = factor * w;
            }
        });
    }

    /// `(G - (Σ G∘W / σ) u vᵀ) / σ`.
    fn backward(&self, _: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        if let Some(uv) = &mut grads[1] {
            uv.fill(0.0);
        }
        let Some(dw) = &mut grads[0] else { return };
        let (w, uv, dy) = (saved.inputs[0], saved.inputs[1], saved.grad);
        let sigma = self.sigma(w, uv);
        let products = w.iter().zip(dy).map(|(&w, &g)| f64::from(w) * f64::from(g));
        let share = products.sum::<f64>() / sigma;
        let (u, v) = uv.split_at(self.rows);
        let rows = dw
            .chunks_exact_mut(self.columns)
            .zip(dy.chunks_exact(self.columns));
        for ((dw, dy), &u) in rows.zip(u) {
            for ((d, &g), &v) in dw.iter_mut().zip(dy).zip(v) {
                let step = f64::from(g) - share * f64::from(u) * f64::from(v);
                *d = (step / sigma) as f32;
            }
        }
    }
}
