//! Batch normalisation on the CPU; sums are carried in f64, block by block in a fixed order.

use rayon::prelude::*;

use super::{Moments, Normalise};
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::{Operator, Saved};

/// Pixels per task.
const BLOCK: usize = 1 << 10;

/// Sums over pixels of `terms(pixel, sums)`, which adds its pixel's `len` terms.
fn sums(pixels: usize, len: usize, terms: impl Fn(usize, &mut [f64]) + Sync) -> Vec<f64> {
    let blocks: Vec<Vec<f64>> = (0..pixels.div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| {
            let mut sums = vec![0.0; len];
            let last = pixels.min((block + 1) * BLOCK);
            (block * BLOCK..last).for_each(|pixel| terms(pixel, &mut sums));
            sums
        })
        .collect();
    let mut total = vec![0.0; len];
    for block in blocks {
        for (t, s) in total.iter_mut().zip(block) {
            *t += s;
        }
    }
    total
}

impl Operator<Cpu> for Moments {
    fn name(&self) -> &'static str {
        "moments"
    }

    fn output_len(&self) -> usize {
        2 * self.channels
    }

    fn forward(&self, _: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let (x, c, n) = (inputs[0], self.channels, self.pixels as f64);
        let mut mean = sums(self.pixels, c, |pixel, sums| {
            for (s, &x) in sums.iter_mut().zip(&x[pixel * c..]) {
                *s += f64::from(x);
            }
        });
        mean.iter_mut().for_each(|m| *m /= n);
        let squares = sums(self.pixels, c, |pixel, sums| {
            for ((s, &x), m) in sums.iter_mut().zip(&x[pixel * c..]).zip(&mean) {
                *s += (f64::from(x) - m) * (f64::from(x) - m);
            }
        });
        for (y, v) in output
            .iter_mut()
            .zip(mean.iter().copied().chain(squares.iter().map(|s| s / n)))
        {
            *y = v as f32;
        }
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let Some(dx) = &mut grads[0] else { return };
        let (c, n, isa) = (self.channels, self.pixels as f32, cpu.isa());
        let (mean, (dmean, dvar)) = (saved.output, saved.grad.split_at(c));
        dx.par_chunks_mut(BLOCK * c)
            .zip(saved.inputs[0].par_chunks(BLOCK * c))
            .for_each(|(dx, x)| {
                isa.run(|| {
                    for (dx, x) in dx.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
                        for k in 0..c {
                            dx[k] = (dmean[k] + 2.0 * dvar[k] * (x[k] - mean[k])) / n;
                        }
                    }
                });
            });
    }
}

impl Normalise {
    /// `1 / √(variance + ε)` per channel.
    fn inverse_deviations(&self, moments: &[f32]) -> Vec<f32> {
        let variances = moments[self.channels..].iter();
        variances.map(|v| 1.0 / (v + self.epsilon).sqrt()).collect()
    }

    /// `Σ dy` and `Σ dy · (x - mean)` per channel.
    fn sums(&self, x: &[f32], mean: &[f32], dy: &[f32]) -> Vec<f64> {
        let c = self.channels;
        sums(self.pixels, 2 * c, |pixel, sums| {
            let (plain, centred) = sums.split_at_mut(c);
            for k in 0..c {
                let g = f64::from(dy[pixel * c + k]);
                plain[k] += g;
                centred[k] += g * f64::from(x[pixel * c + k] - mean[k]);
            }
        })
    }
}

impl Operator<Cpu> for Normalise {
    fn name(&self) -> &'static str {
        "normalise"
    }

    fn output_len(&self) -> usize {
        self.pixels * self.channels
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let (c, isa) = (self.channels, cpu.isa());
        let (moments, gamma, beta) = (inputs[1], inputs[2], inputs[3]);
        let inverse = self.inverse_deviations(moments);
        output
            .par_chunks_mut(BLOCK * c)
            .zip(inputs[0].par_chunks(BLOCK * c))
            .for_each(|(y, x)| {
                isa.run(|| {
                    for (y, x) in y.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
                        for k in 0..c {
                            y[k] = gamma[k] * inverse[k] * (x[k] - moments[k]) + beta[k];
                        }
                    }
                });
            });
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let (c, isa) = (self.channels, cpu.isa());
        let (x, moments, gamma) = (saved.inputs[0], saved.inputs[1], saved.inputs[2]);
        let inverse = self.inverse_deviations(moments);
        if let Some(dx) = &mut grads[0] {
            dx.par_chunks_mut(BLOCK * c)
                .zip(saved.grad.par_chunks(BLOCK * c))
                .for_each(|(dx, dy)| {
                    isa.run(|| {
                        for (dx, dy) in dx.chunks_exact_mut(c).zip(dy.chunks_exact(c)) {
                            for k in 0..c {
                                dx[k] = gamma[k] * inverse[k] * dy[k];
                            }
                        }
                    });
                });
        }
        let sums = self.sums(x, moments, saved.grad);
        let (plain, centred) = sums.split_at(c);
        for k in 0..c {
            let (g, s) = (f64::from(gamma[k]), f64::from(inverse[k]));
            if let Some(d) = &mut grads[1] {
                d[k] = (-g * s * plain[k]) as f32;
                d[c + k] = (-0.5 * g * s * s * s * centred[k]) as f32;
            }
            if let Some(d) = &mut grads[2] {
                d[k] = (s * centred[k]) as f32;
            }
            if let Some(d) = &mut grads[3] {
                d[k] = plain[k] as f32;
            }
        }
    }
}
