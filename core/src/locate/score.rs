//! Chance that a position with a given covariance lies within the metric's distances.

use crate::metric::THRESHOLDS;

/// `cos²` of the middles of eight equal parts of a quarter turn.
const COS_SQUARED: [f64; 8] = [
    0.990_392_640_201_615_3,
    0.915_734_806_151_272_6,
    0.777_785_116_509_801_2,
    0.597_545_161_008_064_1,
    0.402_454_838_991_935_85,
    0.222_214_883_490_198_83,
    0.084_265_193_848_727_4,
    0.009_607_359_798_384_809,
];

/// Mean over the distances δ of the metric of the chance that a Gaussian error of covariance
/// `[xx, xy, yy]`, pixels², is at most δ long.
///
/// Along its principal axes the error is `(√a cos ψ, √b sin ψ)` times a Rayleigh length, ψ uniform:
/// the chance is the mean over ψ of `1 - exp(-δ²/(2 (a cos²ψ + b sin²ψ)))`, here by the midpoint
/// rule on a quarter turn.
pub(super) fn precision([xx, xy, yy]: [f64; 3]) -> f64 {
    let (mean, half) = (0.5 * (xx + yy), 0.5 * (xx - yy));
    let spread = libm::sqrt(half * half + xy * xy);
    let (wide, narrow) = (mean + spread, mean - spread);
    let narrow = if narrow > 0.0 { narrow } else { 0.0 };
    let mut sum = 0.0;
    for cos_squared in COS_SQUARED {
        let variance = wide * cos_squared + narrow * (1.0 - cos_squared);
        for delta in THRESHOLDS {
            sum += 1.0 - libm::exp(-0.5 * delta * delta / variance);
        }
    }
    sum / (COS_SQUARED.len() * THRESHOLDS.len()) as f64
}
