//! An exponential average of the weights over the steps (Polyak and Juditsky 1992, with forgetting).

/// Share of the average that survives `step` (from 0): `ema`, or less while the average would
/// otherwise still be made of the weights that the run began with.
pub(super) fn kept(ema: f32, step: u64) -> f32 {
    let early = (1.0 + step as f64) / (10.0 + step as f64);
    f64::from(ema).min(early) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Backend;
    use crate::backend::cpu::Cpu;

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
        let len = (1 << 14) + 5;
        let cpu = Cpu::new();
        let value = |step: u32, i: usize| ((i % 17) as f32 - 8.0) * (step as f32 + 0.5);
        let mut average = [cpu.upload(&vec![1.0; len]), cpu.upload(&[1e-20])];
        let mut expected = vec![1.0f64; len];
        for step in 0..20 {
            let values: Vec<f32> = (0..len).map(|i| value(step, i)).collect();
            let values = [cpu.upload(&values), cpu.upload(&[0.0])];
            cpu.follow(&mut average, &values, 0.75);
            for (i, e) in expected.iter_mut().enumerate() {
                *e = 0.75 * *e + 0.25 * f64::from(value(step, i));
            }
        }
        let close = |(a, e): (&f32, &f64)| (f64::from(*a) - e).abs() < 1e-4;
        assert!(average[0].iter().zip(&expected).all(close));
        assert_eq!(*average[1], [0.0]);
    }
}
