//! Generated clutter.
//!
//! The authors' clutter backgrounds (SeqCSIST Table 4) are not public. This model is a plane plus a
//! stationary isotropic random field with a power-law spectrum, written as a sum of `WAVES` plane
//! waves of random direction, wavelength and phase:
//!
//! `b(r) = level + g·(r - centre) + σ √(2/W) Σ cos(k_w·r + φ_w)`
//!
//! Ensemble statistics: mean `level` (at the centre), variance of the field exactly `σ²`,
//! autocorrelation `ρ(r) = E[J₀(k r)]` with the density of `k = |k_w|` proportional to `k^(1-β)`
//! (power spectrum `k^-β` in the plane) between the two wavelengths. The defaults give ρ = 0.62, 0.28,
//! 0.16 and 0.00 at 1, 2, 3 and 5 px; the field being smooth, it drifts by any fraction of a pixel.

use crate::rng::Rng;
use crate::scene::backdrop::{self, Backdrop};
use crate::{Error, Result};
use core::f64::consts::TAU;
use derefnet_core::physics::FRAME_SIDE;

/// Plane waves of one field.
const WAVES: usize = 64;
/// Middle of the frame on each axis, pixels.
const CENTRE: f64 = (FRAME_SIDE as f64 - 1.0) / 2.0;

/// Statistics of the clutter; each range is one uniform draw per trajectory.
///
/// The defaults lie near the quartiles of 11×11 crops of real 8-bit infrared frames (deviation from
/// the fitted plane 2.2–14.3 counts, gradient 0.3–2.7 counts/px, mean 79–152 counts).
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClutterConfig {
    /// Mean at the frame's centre, counts; default `[80, 150]`.
    pub level: [f64; 2],
    /// Standard deviation σ of the random field, counts; default `[2, 14]`.
    pub deviation: [f64; 2],
    /// Gradient `|g|` of the plane, counts per pixel, its direction being uniform; default
    /// `[0.3, 2.7]`.
    pub gradient: [f64; 2],
    /// Shortest and longest wavelength, pixels; at least 2 (Nyquist), default `[2, 22]`.
    pub wavelength: [f64; 2],
    /// Exponent β of the power spectrum; within 0..=6, default 2.
    pub exponent: f64,
}

impl Default for ClutterConfig {
    fn default() -> Self {
        Self {
            level: [80.0, 150.0],
            deviation: [2.0, 14.0],
            gradient: [0.3, 2.7],
            wavelength: [2.0, 22.0],
            exponent: 2.0,
        }
    }
}

impl ClutterConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Usage`] names the first field out of range, its value and the range.
    pub fn validate(&self) -> Result<()> {
        let ranges = [
            ("level", self.level, [-1e6, 1e6]),
            ("deviation", self.deviation, [0.0, 1e5]),
            ("gradient", self.gradient, [0.0, 1e5]),
            ("wavelength", self.wavelength, [2.0, 1e4]),
            ("exponent", [self.exponent; 2], [0.0, 6.0]),
        ];
        for (name, [low, high], [least, most]) in ranges {
            // Written so that NaN fails.
            if !(least <= low && low <= high && high <= most) {
                return Err(Error::usage(format!(
                    "clutter.{name} is {low} to {high}, expected {least} <= low <= high <= {most}"
                )));
            }
        }
        Ok(())
    }

    /// Draws the background of one trajectory of `frames` frames, the window moving by up to `drift`
    /// pixels per frame.
    pub fn draw(&self, frames: u32, drift: f64, rng: &mut Rng) -> Backdrop {
        let velocity = backdrop::velocity(drift, rng);
        let level = rng.range(self.level[0], self.level[1]);
        let slope = rng.range(self.gradient[0], self.gradient[1]);
        let (gy, gx) = libm::sincos(TAU * rng.uniform());
        let deviation = rng.range(self.deviation[0], self.deviation[1]);
        let waves: [Wave; WAVES] = core::array::from_fn(|_| self.wave(rng));
        let amplitude = deviation * libm::sqrt(2.0 / WAVES as f64);
        Backdrop::seen(frames, velocity, |down, right| {
            let mut field = sum_of(&waves, down, right);
            for (pixel, value) in field.iter_mut().enumerate() {
                let x = (pixel / FRAME_SIDE) as f64 + down - CENTRE;
                let y = (pixel % FRAME_SIDE) as f64 + right - CENTRE;
                *value = level + slope * (gx * x + gy * y) + amplitude * *value;
            }
            field
        })
    }

    fn wave(&self, rng: &mut Rng) -> Wave {
        let [slow, fast] = [TAU / self.wavelength[1], TAU / self.wavelength[0]];
        let power = 2.0 - self.exponent;
        let u = rng.uniform();
        // Inverse of the cumulative density of k^(1-β); its limit at β = 2 is log-uniform.
        let k = if power.abs() < 1e-6 {
            slow * libm::pow(fast / slow, u)
        } else {
            let (a, b) = (libm::pow(slow, power), libm::pow(fast, power));
            libm::pow(a + (b - a) * u, 1.0 / power)
        };
        let (sin, cos) = libm::sincos(TAU * rng.uniform());
        Wave {
            kx: k * cos,
            ky: k * sin,
            phase: TAU * rng.uniform(),
        }
    }
}

/// `cos(kx·x + ky·y + phase)`, wave numbers in radians per pixel.
struct Wave {
    kx: f64,
    ky: f64,
    phase: f64,
}

/// Sum of the waves over the frame's pixels, shifted; by the addition theorem each wave costs 22
/// sines instead of 121.
fn sum_of(waves: &[Wave], down: f64, right: f64) -> [f64; FRAME_SIDE * FRAME_SIDE] {
    let mut sum = [0.0; FRAME_SIDE * FRAME_SIDE];
    for wave in waves {
        let at = |p: usize, shift: f64| p as f64 + shift;
        let rows: [(f64, f64); FRAME_SIDE] =
            core::array::from_fn(|p| libm::sincos(wave.kx * at(p, down) + wave.phase));
        let columns: [(f64, f64); FRAME_SIDE] =
            core::array::from_fn(|p| libm::sincos(wave.ky * at(p, right)));
        for (line, (row_sin, row_cos)) in sum.chunks_exact_mut(FRAME_SIDE).zip(rows) {
            for (value, (sin, cos)) in line.iter_mut().zip(columns) {
                *value += row_cos * cos - row_sin * sin;
            }
        }
    }
    sum
}
