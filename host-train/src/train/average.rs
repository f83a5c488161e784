//! An exponential average of the weights over the steps (Polyak and Juditsky 1992, with forgetting).

use std::ops::Deref;

use rayon::prelude::*;

use super::adam::{NEGLIGIBLE, SLICE, flush};
use crate::backend::cpu::arch::Isa;

/// Share of the average that survives `step` (from 0): `ema`, or less while the average would
/// otherwise still be made of the weights that the run began with.
pub(super) fn kept(ema: f32, step: u64) -> f32 {
    let early = (1.0 + step as f64) / (10.0 + step as f64);
    f64::from(ema).min(early) as f32
}

/// Moves `average` towards `values`, keeping the share `kept` of it.
///
/// # Panics
/// If tensors differ in number or length.
pub(super) fn follow(average: &mut [Vec<f32>], values: &[impl Deref<Target = [f32]>], kept: f32) {
    assert_eq!(average.len(), values.len());
    let taken = 1.0 - kept;
    let isa = Isa::best();
    for (average, values) in average.iter_mut().zip(values) {
        assert_eq!(average.len(), values.len());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_steps_forget_faster() {
        assert_eq!(kept(0.999, 0), 0.1);
        assert_eq!(kept(0.999, 90), 0.91);
        assert_eq!(kept(0.999, 1_000_000), 0.999);
        assert_eq!(kept(0.5, 90), 0.5);
    }

    /// More values than one task takes; expected values by the recurrence in f64.
    #[test]
    fn averages_with_forgetting() {
        let len = SLICE + 5;
        let value = |step: u32, i: usize| ((i % 17) as f32 - 8.0) * (step as f32 + 0.5);
        let mut average = vec![vec![1.0f32; len], vec![1e-20]];
        let mut expected = vec![1.0f64; len];
        for step in 0..20 {
            let values = vec![(0..len).map(|i| value(step, i)).collect(), vec![0.0]];
            follow(&mut average, &values, 0.75);
            for (i, e) in expected.iter_mut().enumerate() {
                *e = 0.75 * *e + 0.25 * f64::from(value(step, i));
            }
        }
        let close = |(a, e): (&f32, &f64)| (f64::from(*a) - e).abs() < 1e-4;
        assert!(average[0].iter().zip(&expected).all(close));
        assert_eq!(average[1], [0.0]);
    }
}
