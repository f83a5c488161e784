//! Background and noise from the dark pixels of a window.

use super::model::{TIMES, Window};
use super::propose::{HALF_SIDE, brightest_place};
use super::{LocateConfig, Noise};
use crate::physics::FRAME_SIDE;

/// Rounds of leaving out bright pixels.
const CLIPPINGS: u32 = 10;
/// Squared standard deviations from the mean beyond which a pixel is left out.
const CLIP: f64 = 9.0;
/// Variance of rounding to integers, counts².
pub(super) const ROUNDING: f64 = 1.0 / 12.0;

/// Fewest dark pixels that are worth more than all pixels.
const ENOUGH: f64 = 30.0;

/// What a window's dark pixels say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dark {
    /// Constant background, counts.
    pub(super) background: f64,
    /// Variance of a pixel, with rounding, counts².
    pub(super) variance: f64,
    /// Dark pixels of all frames.
    pub(super) pixels: f64,
}

/// Background and variance of a pixel.
///
/// Where they are not known they are mean and variance of the pixels away from the blob that stay
/// within three standard deviations of the mean when brighter and darker ones are left out again and
/// again; where a mask leaves few of these, pixels near the blob count as well.
pub(super) fn dark_level(window: &Window, config: &LocateConfig) -> Dark {
    let blob = Some(brightest_place(window));
    let [_, _, clear] = clipped(window, blob, 0.0, f64::INFINITY);
    let blob = blob.filter(|_| clear >= ENOUGH);
    let free = config.prior.background_sigma > 0.0;
    let (mut mean, mut variance) = (config.prior.background_mean, f64::INFINITY);
    let mut pixels = 0.0;
    let measured = free || config.noise == Noise::Estimated;
    for _ in 0..if measured { CLIPPINGS } else { 0 } {
        let before = (mean, variance);
        let [shift, squares, number] = clipped(window, blob, mean, variance);
        pixels = number;
        let shift = if free { shift } else { 0.0 };
        mean += shift;
        let present = squares - shift * shift;
        variance = if present > ROUNDING {
            present
        } else {
            ROUNDING
        };
        if (mean, variance) == before {
            break;
        }
    }
    if let Noise::Known(sigma) = config.noise {
        variance = sigma * sigma + ROUNDING;
    }
    Dark {
        background: mean,
        variance,
        pixels,
    }
}

/// Mean and mean square of what the pixels within the limits are above `mean`, and how many they are;
/// those near `blob` do not count.
fn clipped(window: &Window, blob: Option<[f64; 2]>, mean: f64, variance: f64) -> [f64; 3] {
    let (mut number, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for frame in 0..TIMES.len() {
        let (counts, excluded) = window.frame(frame);
        let flags = excluded.unwrap_or(&[false]).iter().cycle();
        let pixels = counts.iter().zip(flags).enumerate();
        for (i, (&count, _)) in pixels.filter(|(_, (_, flag))| !**flag) {
            if blob.is_some_and(|place| is_near(i, place)) {
                continue;
            }
            let above = f64::from(count) - mean;
            if above * above <= CLIP * variance {
                number += 1.0;
                sum += above;
                squares += above * above;
            }
        }
    }
    let some: f64 = if number > 0.0 { number } else { 1.0 };
    [sum / some, squares / some, number]
}

/// Whether pixel `i` lies in the square about `place` that the blob may light.
fn is_near(i: usize, place: [f64; 2]) -> bool {
    let pixel = [i / FRAME_SIDE, i % FRAME_SIDE];
    let mut offsets = pixel.iter().zip(place).map(|(&p, u)| p as f64 - u);
    offsets.all(|offset| offset * offset <= HALF_SIDE * HALF_SIDE)
}
