//! Fixed-point numbers against exact ones.

use derefnet_core::fixed::{Requant, SHARE_BITS, WHOLE, rounded_shift, saturate, weigh};
use derefnet_core::ops::sigmoid;
use derefnet_tests::properties;
use derefnet_tests::tolerance::GATE;
use proptest::prelude::*;

/// Factors of every order of magnitude that the format holds.
fn factor() -> impl Strategy<Value = f64> {
    (0.5..1.0, 1..32_i32)
        .prop_map(|(mantissa, exponent): (f64, i32)| mantissa * 2_f64.powi(-exponent))
}

/// `⌊value / 2^shift + ½⌋`.
fn nearest(value: i128, shift: u32) -> i128 {
    (2 * value + (1 << shift)).div_euclid(2 << shift)
}

properties! {
    /// 31 bits of multiplier: half a unit of 2⁻³⁰ at most.
    fn the_nearest_factor_is_near(factor in factor()) {
        let got = Requant::nearest(factor).unwrap();
        prop_assert!((got.factor() / factor - 1.0).abs() <= 2_f64.powi(-31), "{got:?}");
        prop_assert!(Requant::SHIFTS.contains(&got.shift()));
        prop_assert_eq!(Requant::new(got.multiplier(), got.shift()), Ok(got));
    }

    fn factors_round_once_and_half_up(
        sum in any::<i32>(), multiplier in 0..=i32::MAX, shift in Requant::SHIFTS,
    ) {
        let product = i128::from(sum) * i128::from(multiplier);
        let want = nearest(product, u32::from(shift));
        let got = Requant::new(multiplier, shift).unwrap().apply(sum);
        prop_assert_eq!(i128::from(got), want);
        let product = i64::from(sum) * i64::from(multiplier);
        prop_assert_eq!(i128::from(rounded_shift(product, shift)), want);
    }

    /// Order survives: what is greater is never smaller afterwards.
    fn factors_keep_the_order(factor in factor(), a in any::<i32>(), b in any::<i32>()) {
        let factor = Requant::nearest(factor).unwrap();
        prop_assert!(factor.apply(a.min(b)) <= factor.apply(a.max(b)));
    }

    fn saturation_takes_the_nearest_number(value in prop_oneof![any::<i32>(), -40_000..40_000]) {
        let (got, clipped) = saturate(value);
        prop_assert_eq!(i32::from(got), value.clamp(-32_768, 32_767));
        prop_assert_eq!(clipped, i32::from(got) != value);
    }

    fn shares_weigh_by_rounding_half_up(value in any::<i16>(), share in 0..=WHOLE as i16) {
        let want = nearest(i128::from(value) * i128::from(share), SHARE_BITS);
        prop_assert_eq!(i128::from(weigh(value, share)), want);
    }

    /// Within 5e-5 and half a step of the curve, rising, symmetric.
    fn gates_follow_the_logistic_curve(z in -600_000..600_000, further in 0..100_000) {
        let exact = |z: i32| 1.0 / (1.0 + (-f64::from(z) / 65_536.0).clamp(-8.0, 8.0).exp());
        let got = f64::from(sigmoid(z)) / f64::from(WHOLE);
        let allowed = GATE + 0.5 / f64::from(WHOLE);
        prop_assert!((got - exact(z)).abs() < allowed, "{got}, expected {}", exact(z));
        prop_assert!(sigmoid(z) <= sigmoid(z + further));
        if z != 0 {
            prop_assert_eq!(i32::from(sigmoid(z)) + i32::from(sigmoid(-z)), WHOLE);
        }
    }
}
