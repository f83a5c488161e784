//! Adam with coupled L2 (Kingma and Ba 2015; weight decay is added to the gradient).
//!
//! Deviation: parameters and moments of negligible size become zero.

use std::ops::DerefMut;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::backend::cpu::Buffer;
use crate::backend::cpu::arch::Isa;

/// Constants of Adam, in the units of the loss that it descends; the learning rate comes with every
/// step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamConfig {
    /// Decay of the first moment, default 0.9.
    pub beta1: f32,
    /// Decay of the second moment, default 0.999.
    pub beta2: f32,
    /// Added to the root of the second moment, default 1e-8.
    pub epsilon: f32,
    /// Times the parameter, added to its gradient; published 1e-5.
    pub weight_decay: f32,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 1e-5,
        }
    }
}

/// Moments of every parameter, and the steps taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    /// Constants.
    pub config: AdamConfig,
    /// Steps taken.
    pub steps: u64,
    /// First moments, one buffer per parameter.
    pub first: Vec<Vec<f32>>,
    /// Second moments, one buffer per parameter.
    pub second: Vec<Vec<f32>>,
}

/// Magnitude below which a parameter becomes zero. L2 drives the weights of a dead channel towards
/// zero without end, and their products with small gradients end among the subnormal numbers, on
/// which arithmetic is a hundred times slower. Beside weights of 1e-3 and more a term of 1e-12 is
/// lost in rounding, and a live weight that crosses zero leaves it again with its next step, which
/// is a thousand times as long at the lowest rates in use (1e-5 / 1089).
pub(super) const NEGLIGIBLE: f32 = 1e-12;

/// Magnitude below which a first moment becomes zero, and its square, below which a second moment
/// does, for the same reason. Both stand beside `epsilon`, at its usual 1e-8 / 100² still a million
/// times as large: what is lost is a millionth of a step.
const NEGLIGIBLE_MOMENT: f32 = 1e-18;

/// `value`, or zero where its magnitude is below `least`.
#[inline(always)]
pub(super) fn flush(value: f32, least: f32) -> f32 {
    if value.abs() < least { 0.0 } else { value }
}

/// Values updated by one task.
pub(super) const SLICE: usize = 1 << 14;

impl Adam {
    /// Zero moments for parameters of the given lengths.
    pub fn new(config: AdamConfig, lengths: impl Iterator<Item = usize> + Clone) -> Self {
        let zeros =
            |lengths: &mut dyn Iterator<Item = usize>| lengths.map(|n| vec![0.0; n]).collect();
        Self {
            config,
            steps: 0,
            first: zeros(&mut lengths.clone()),
            second: zeros(&mut lengths.clone()),
        }
    }

    /// One step: moves `values[i]` along `grads[i]` at `rates[i]`; a missing gradient leaves its
    /// parameter as is.
    ///
    /// # Panics
    /// If lengths differ from those given at creation.
    pub fn step<B: DerefMut<Target = [f32]>>(
        &mut self,
        rates: &[f32],
        values: &mut [B],
        grads: &[Option<B>],
    ) {
        assert!(values.len() == self.first.len() && grads.len() == self.first.len());
        assert!(rates.len() == values.len());
        self.steps += 1;
        let AdamConfig {
            beta1,
            beta2,
            epsilon,
            weight_decay,
        } = self.config;
        let steps = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let correction = |beta: f32| 1.0 - f64::from(beta).powi(steps);
        let root = correction(beta2).sqrt() as f32;
        let isa = Isa::best();
        let moments = self.first.iter_mut().zip(&mut self.second);
        for (((value, grad), (m, v)), &rate) in values.iter_mut().zip(grads).zip(moments).zip(rates)
        {
            let Some(grad) = grad else { continue };
            let step = (f64::from(rate) / correction(beta1)) as f32;
            assert!(grad.len() == value.len() && m.len() == value.len());
            let slices = value.par_chunks_mut(SLICE).zip(grad.par_chunks(SLICE));
            let moments = m.par_chunks_mut(SLICE).zip(v.par_chunks_mut(SLICE));
            slices.zip(moments).for_each(|((w, g), (m, v))| {
                isa.run(|| {
                    for (((w, &g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
                        let g = g + weight_decay * *w;
                        *m = flush(beta1 * *m + (1.0 - beta1) * g, NEGLIGIBLE_MOMENT);
                        let square = beta2 * *v + (1.0 - beta2) * g * g;
                        *v = flush(square, NEGLIGIBLE_MOMENT * NEGLIGIBLE_MOMENT);
                        *w = flush(*w - step * *m / (v.sqrt() / root + epsilon), NEGLIGIBLE);
                    }
                });
            });
        }
    }
}

/// Scales all gradients so that their common norm is at most `limit`, unless that is zero.
pub(crate) fn clip(grads: &mut [Option<Buffer>], limit: f32) {
    if limit == 0.0 {
        return;
    }
    let square = |g: &Buffer| g.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>();
    let norm = grads.iter().flatten().map(square).sum::<f64>().sqrt();
    if norm > f64::from(limit) {
        let factor = (f64::from(limit) / norm) as f32;
        for value in grads.iter_mut().flatten().flat_map(|g| g.iter_mut()) {
            *value *= factor;
        }
    }
}
