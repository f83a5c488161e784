//! Entrywise thresholds on the CPU.

use rayon::prelude::*;

use super::{Place, Rule, Shrink};
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::soft_threshold::cpu::sign;
use crate::ops::{Operator, Saved};

/// Quantile of the magnitudes of `row`, linear between order statistics.
fn quantile(row: &[f32], share: f32) -> f32 {
    let mut sizes: Vec<f32> = row.iter().map(|v| v.abs()).collect();
    sizes.sort_unstable_by(f32::total_cmp);
    let Place {
        below,
        above,
        fraction,
    } = Place::new(share, row.len());
    sizes[below] + fraction * (sizes[above] - sizes[below])
}

/// A rule with what it needs to know of the row.
#[derive(Clone, Copy)]
enum Threshold {
    Soft,
    Hard,
    Support(f32),
}

impl Threshold {
    fn new(rule: Rule, row: &[f32]) -> Self {
        match rule {
            Rule::Soft => Self::Soft,
            Rule::Hard => Self::Hard,
            Rule::Support(share) => Self::Support(quantile(row, 1.0 - share)),
        }
    }

    /// Whether `v` passes unchanged.
    fn keeps(self, v: f32, theta: f32) -> bool {
        match self {
            Self::Soft => false,
            Self::Hard => v.abs() > theta,
            Self::Support(least) => v.abs() > theta && v.abs() > least,
        }
    }

    /// What is subtracted from `|v|`; nothing is left of values under a hard threshold.
    fn reduction(self, theta: f32) -> f32 {
        match self {
            Self::Soft => theta.max(0.0),
            Self::Hard => f32::INFINITY,
            Self::Support(_) => theta,
        }
    }

    fn of(self, v: f32, theta: f32) -> f32 {
        if self.keeps(v, theta) {
            v
        } else {
            sign(v) * (v.abs() - self.reduction(theta)).max(0.0)
        }
    }

    /// Whether `v` is made smaller and not zero.
    fn reduces(self, v: f32, theta: f32) -> bool {
        !self.keeps(v, theta) && v.abs() > self.reduction(theta)
    }

    fn by_value(self, v: f32, theta: f32) -> bool {
        self.keeps(v, theta) || self.reduces(v, theta)
    }

    fn by_threshold(self, v: f32, theta: f32) -> f32 {
        let clamped = matches!(self, Self::Soft) && theta <= 0.0;
        if clamped || !self.reduces(v, theta) {
            0.0
        } else {
            -sign(v)
        }
    }
}

impl Operator<Cpu> for Shrink {
    fn name(&self) -> &'static str {
        "shrink"
    }

    fn output_len(&self) -> usize {
        self.rows * self.len
    }

    fn forward(&self, _: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        output
            .par_chunks_mut(self.len)
            .zip(inputs[0].par_chunks(self.len))
            .zip(inputs[1].par_chunks(self.len))
            .for_each(|((y, v), theta)| {
                let threshold = Threshold::new(self.rule, v);
                for ((y, &v), &theta) in y.iter_mut().zip(v).zip(theta) {
                    *y = threshold.of(v, theta);
                }
            });
    }

    fn backward(&self, _: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        for (input, grad) in grads.iter_mut().enumerate() {
            let Some(grad) = grad else { continue };
            grad.par_chunks_mut(self.len)
                .zip(saved.inputs[0].par_chunks(self.len))
                .zip(saved.inputs[1].par_chunks(self.len))
                .zip(saved.grad.par_chunks(self.len))
                .for_each(|(((d, v), theta), dy)| {
                    let threshold = Threshold::new(self.rule, v);
                    let values = v.iter().zip(theta).zip(dy);
                    for (d, ((&v, &theta), &g)) in d.iter_mut().zip(values) {
                        *d = match input {
                            0 if threshold.by_value(v, theta) => g,
                            0 => 0.0,
                            _ => g * threshold.by_threshold(v, theta),
                        };
                    }
                });
        }
    }
}
