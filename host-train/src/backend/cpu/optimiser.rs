//! Adam, the norm of gradients and averages of weights on the CPU.

use rayon::prelude::*;

use super::{AdamStep, AdamTensor, Buffer, Cpu, Isa};
use crate::train::adam::{NEGLIGIBLE, NEGLIGIBLE_MOMENT};

/// Values updated by one task.
const SLICE: usize = 1 << 14;

/// `value`, or zero where its magnitude is below `least`.
#[inline(always)]
fn flush(value: f32, least: f32) -> f32 {
    if value.abs() < least { 0.0 } else { value }
}

pub(super) fn adam(isa: Isa, step: &AdamStep, tensor: &mut AdamTensor<'_, Cpu>) {
    let c = &step.config;
    let (root, length) = (step.root(), step.length(tensor.rate));
    let values = tensor
        .value
        .par_chunks_mut(SLICE)
        .zip(tensor.gradient.par_chunks(SLICE));
    let first = tensor.first.par_chunks_mut(SLICE);
    let moments = first.zip(tensor.second.par_chunks_mut(SLICE));
    values.zip(moments).for_each(|((w, g), (m, v))| {
        isa.run(|| {
            for (((w, &g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
                let g = g + c.weight_decay * *w;
                *m = flush(c.beta1 * *m + (1.0 - c.beta1) * g, NEGLIGIBLE_MOMENT);
                let square = c.beta2 * *v + (1.0 - c.beta2) * g * g;
                *v = flush(square, NEGLIGIBLE_MOMENT * NEGLIGIBLE_MOMENT);
                *w = flush(*w - length * *m / (v.sqrt() / root + c.epsilon), NEGLIGIBLE);
            }
        });
    });
}

pub(super) fn clip(gradients: &mut [&mut Buffer], limit: f32) {
    let square = |g: &f32| f64::from(*g) * f64::from(*g);
    let squares = gradients.iter().map(|g| g.iter().map(square).sum::<f64>());
    let norm = squares.sum::<f64>().sqrt();
    if norm > f64::from(limit) {
        let factor = (f64::from(limit) / norm) as f32;
        for value in gradients.iter_mut().flat_map(|g| g.iter_mut()) {
            *value *= factor;
        }
    }
}

pub(super) fn follow(isa: Isa, averages: &mut [Buffer], values: &[Buffer], kept: f32) {
    let taken = 1.0 - kept;
    for (average, values) in averages.iter_mut().zip(values) {
        let slices = average.par_chunks_mut(SLICE).zip(values.par_chunks(SLICE));
        slices.for_each(|(average, values)| {
            isa.run(|| {
                for (a, &w) in average.iter_mut().zip(values) {
                    // Behind weights that became zero the average fades without end, as Adam's
                    // moments would.
                    *a = flush(*a + taken * (w - *a), NEGLIGIBLE);
                }
            });
        });
    }
}
