//! The kernels of the integer network: sums in `i64` over weights as they lie in the model file,
//! rounding by Euclidean division, samples by whole coordinates.

use derefnet_core::arch::{Finish, SEGMENTS, Sampling};

/// Bits of the weights of a sample.
const SHARE: i64 = 1 << 14;

/// Weights `(outputs, segments, run)`.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Output channels.
    pub outputs: usize,
    /// Runs per output.
    pub segments: usize,
    /// Weights per run.
    pub run: usize,
    /// The weights.
    pub values: Vec<i8>,
}

/// `(pixels, outputs)`: each number adds up the products of its runs.
pub fn sums(
    weights: &Weights,
    runs: &[Option<&[i16]>; SEGMENTS],
    stride: usize,
    pixels: usize,
) -> Vec<i64> {
    let at = |o: usize, s: usize, k: usize| {
        i64::from(weights.values[(o * weights.segments + s) * weights.run + k])
    };
    let mut sums = Vec::new();
    for p in 0..pixels {
        for o in 0..weights.outputs {
            let mut sum = 0;
            for (s, run) in runs.iter().enumerate().take(weights.segments) {
                for k in 0..weights.run {
                    sum += run.map_or(0, |run| i64::from(run[p * stride + k])) * at(o, s, k);
                }
            }
            sums.push(sum);
        }
    }
    sums
}

/// The nearest 16-bit number, and whether it is another one.
fn clamp(value: i64) -> (i64, bool) {
    let near = value.clamp(-32_768, 32_767);
    (near, near != value)
}

/// `finish(⌊sum · multiplier / 2^shift + ½⌋)` and whether it was saturated.
pub fn requantised(
    sum: i64,
    (multiplier, shift): (i64, u32),
    finish: Finish,
    there: i16,
) -> (i16, bool) {
    let unit = 1_i128 << shift;
    let product = i128::from(sum) * i128::from(multiplier);
    let value = (2 * product + unit).div_euclid(2 * unit) as i64;
    let (value, clipped) = match finish {
        Finish::Plain => clamp(value),
        Finish::Relu => clamp(if value < 0 { 0 } else { value }),
        Finish::Add => clamp(value + i64::from(there)),
        Finish::Shrink(theta) => {
            let (value, first) = clamp(value);
            let theta = i64::from(theta);
            let shrunk = match value {
                0 => 0,
                1.. => (value - theta).max(0),
                _ => (value + theta).min(0),
            };
            let (value, second) = clamp(shrunk);
            (value, first || second)
        }
    };
    (value as i16, clipped)
}

/// `channels` numbers of a tap of the pixel in `column`: bilinear, zero outside the map.
pub fn sampled(sampling: &Sampling, column: usize, tap: usize, offset: [i16; 2]) -> Vec<i16> {
    let unit = 1_i64 << sampling.bits;
    let place = |base: usize, step: usize, offset: i16| {
        (base as i64 + step as i64 - 1) * unit + i64::from(offset)
    };
    let row = place(sampling.row, tap / 3, offset[0]);
    let column = place(column, tap % 3, offset[1]);
    let side = sampling.side as i64;
    let pixel = |r: i64, c: i64, channel: usize| {
        if r < 0 || c < 0 || r >= side || c >= side {
            return 0;
        }
        let start = (r * (side + 1) + c + 1) as usize * sampling.channels;
        i64::from(sampling.map[start + channel])
    };
    let (r, c) = (row.div_euclid(unit), column.div_euclid(unit));
    let down = row.rem_euclid(unit) * SHARE / unit;
    let right = column.rem_euclid(unit) * SHARE / unit;
    let both = (2 * down * right + SHARE) / (2 * SHARE);
    let value = |channel: usize| {
        let sum = pixel(r, c, channel) * (SHARE - down - right + both)
            + pixel(r, c + 1, channel) * (right - both)
            + pixel(r + 1, c, channel) * (down - both)
            + pixel(r + 1, c + 1, channel) * both;
        (2 * sum + SHARE).div_euclid(2 * SHARE) as i16
    };
    (0..sampling.channels).map(value).collect()
}
