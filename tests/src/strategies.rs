//! Generators of the property tests.

use proptest::prelude::*;

use crate::oracle::metric::Frame;

/// Coordinates on a 0.05 px lattice of half a pixel: distances meet δ exactly, and targets tie.
fn crowded() -> impl Strategy<Value = f64> {
    (0..=10_u8).prop_map(|step| f64::from(step) * 0.05)
}

/// Coordinates anywhere in half a pixel.
fn spread() -> impl Strategy<Value = f64> {
    0.0..0.5
}

/// Six scores only, both zeros among them: most detections tie.
fn tied_score() -> impl Strategy<Value = f64> {
    prop::sample::select(vec![-1.0, -0.0, 0.0, 70.0, 70.5, 231.0])
}

fn frames(
    coordinate: impl Strategy<Value = f64> + Clone,
    score: impl Strategy<Value = f64>,
) -> impl Strategy<Value = Vec<Frame>> {
    let detections = prop::collection::vec((coordinate.clone(), coordinate.clone(), score), 0..9);
    let targets = prop::collection::vec((coordinate.clone(), coordinate), 0..6);
    prop::collection::vec((detections, targets), 1..8)
}

/// Scenes for the metric, half of them full of ties in score, in distance, or in both.
pub fn metric_frames() -> impl Strategy<Value = Vec<Frame>> {
    prop_oneof![
        frames(crowded().boxed(), tied_score().boxed()),
        frames(crowded().boxed(), (0.0..300.0).boxed()),
        frames(spread().boxed(), tied_score().boxed()),
        frames(spread().boxed(), (0.0..300.0).boxed()),
    ]
}

/// Scenes for the metric in which no two targets or distances are alike.
pub fn spread_frames() -> impl Strategy<Value = Vec<Frame>> {
    frames(spread().boxed(), (0.0..300.0).boxed())
}

/// Any bits, NaN and infinities included; finite ones often enough that whole frames pass.
pub fn float() -> impl Strategy<Value = f64> {
    prop_oneof![8 => 0.0..1.0, 2 => any::<f64>(), 1 => prop::num::f64::ANY]
}

/// Puts `list` into an order that depends on `seed` alone.
pub fn shuffle<T>(list: &mut [T], seed: u64) {
    for last in (1..list.len()).rev() {
        let pick = mix(seed ^ last as u64) % (last as u64 + 1);
        list.swap(last, pick as usize);
    }
}

/// A well-mixing permutation of 64 bits (the finaliser of SplitMix64: Steele, Lea and Flood 2014).
pub fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
