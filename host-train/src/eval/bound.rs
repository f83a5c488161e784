//! Cramér–Rao bound of the positions in the middle frame of a window.
//!
//! The expected counts `μ` of all frames of the window depend on parameters `θ`: per target its
//! position in the middle frame and its intensity; the common motion; if asked, individual
//! velocities and a constant background. With independent Gaussian noise of variance `v` the Fisher
//! information is `Σ (∂μ/∂θ)(∂μ/∂θ)ᵀ / v` over all pixels and frames (Kay, *Fundamentals of
//! Statistical Signal Processing: Estimation Theory*, 1993, §3.9). What is known beforehand about a
//! parameter adds the inverse of its variance (van Trees, *Detection, Estimation, and Modulation
//! Theory*, part I, 1968, §2.4). The inverse bounds the covariance of every unbiased estimator.
//!
//! - `v = σ² + 1/12`: rounding to integers counts as noise of its own. Without other noise that is
//!   an approximation: the error of rounding is bounded and, given the truth, not random at all.
//! - An intensity uniform in a range counts as Gaussian with the variance of that range.
//! - Derivatives are taken at the true positions of every frame, whatever path leads there.
//!
//! Everything is the plain sum in `f64`, apart from any estimator, so that it can judge them.

mod frame;
mod layout;
pub mod row;

use ndarray::{Array1, Array2, Axis};

use super::covariance::Covariance2;
use crate::rng::Rng;
use crate::scene::{Arrangement, Target, targets};
use crate::{Error, Result, cholesky};
use layout::Layout;

/// Variance of the error of rounding to integers, counts².
pub const ROUNDING: f64 = 1.0 / 12.0;
/// Standard deviation of an intensity uniform in 220..250, counts: 30/√12.
pub const INTENSITY_SIGMA: f64 = 8.660_254_037_844_386;
/// Standard deviation per axis of the individual velocities of the free arrangement, px per frame:
/// half the radius of the disc that they are uniform in.
pub const DRIFT_SIGMA: f64 = targets::FREE_DRIFT / 2.0;
/// Standard deviation of a target's distance from its reference point about the mean over the
/// frames 2 to 17 of a trajectory, pixels: growth by `U(0, 0.0014)` a frame has mean `0.0007 t` and
/// variance `0.0014² t/12`; with `t` uniform over 2..=17 that is √(1.04e-5 + 1.55e-6).
pub const GROWTH_SIGMA: f64 = 0.003_459;

/// What is known about where targets are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Places {
    /// Nothing: two coordinates per target.
    Anywhere,
    /// The published rules: a reference point and known directions; distances are known up to this
    /// standard deviation, pixels.
    Rules {
        /// See [`GROWTH_SIGMA`].
        growth_sigma: f64,
    },
}

/// What an estimator has to find out, and what it knows beforehand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoundOptions {
    /// What is known about the positions.
    pub places: Places,
    /// Degree of the polynomial in time that all targets follow together: 0 if the common motion is
    /// known, 1 for a velocity, 2 with an acceleration.
    pub motion_degree: u32,
    /// Standard deviation of the intensities about a known mean, counts; nothing if the intensities
    /// are unknown.
    pub intensity_sigma: Option<f64>,
    /// Standard deviation per axis of individual velocities about the common one, px per frame;
    /// nothing if there are none.
    pub drift_sigma: Option<f64>,
    /// Whether a constant background must be estimated too.
    pub background: bool,
}

impl Default for BoundOptions {
    /// Positions anywhere, a common velocity, intensities of 220..250, no background.
    fn default() -> Self {
        Self {
            places: Places::Anywhere,
            motion_degree: 1,
            intensity_sigma: Some(INTENSITY_SIGMA),
            drift_sigma: None,
            background: false,
        }
    }
}

impl BoundOptions {
    /// What there is to estimate in generated windows by someone who knows nothing about how the
    /// targets are arranged; individual velocities belong to the free arrangement only.
    pub fn of(arrangement: Arrangement) -> Self {
        let free = arrangement == Arrangement::Free;
        Self {
            drift_sigma: free.then_some(DRIFT_SIGMA),
            ..Self::default()
        }
    }

    /// The same for someone who knows the published rules.
    pub fn rules_known() -> Self {
        Self {
            places: Places::Rules {
                growth_sigma: GROWTH_SIGMA,
            },
            ..Self::default()
        }
    }
}

/// Fisher information of one window, from which the bound at any noise level follows.
#[derive(Clone, Debug)]
pub struct Information {
    /// `Σ (∂μ/∂θ)(∂μ/∂θ)ᵀ` over pixels and frames, `(p, p)`.
    sums: Array2<f64>,
    /// Inverse variances of what is known beforehand, `(p)`.
    prior: Array1<f64>,
    /// Derivatives of the middle frame's positions `x₀, y₀, x₁, …`, `(2k, p)`.
    readout: Array2<f64>,
}

impl Information {
    /// Sums over all frames of `truth`, an odd number with the same targets in each; the middle one
    /// is evaluated.
    ///
    /// # Errors
    /// [`Error::Usage`] for an even number of frames, no targets, or a changing number of them.
    pub fn new(truth: &[Vec<Target>], options: &BoundOptions) -> Result<Self> {
        let middle = check(truth)?;
        let layout = Layout::new(&truth[middle], options);
        let mut sums = Array2::zeros((layout.len(), layout.len()));
        for (index, targets) in truth.iter().enumerate() {
            let jacobian = layout.jacobian(index as f64 - middle as f64);
            sums += &jacobian.t().dot(&frame::sums(targets).dot(&jacobian));
        }
        Ok(Self {
            sums,
            prior: layout.prior(),
            readout: layout.positions(),
        })
    }

    /// The bound at noise of standard deviation `noise` counts before rounding.
    ///
    /// # Errors
    /// [`Error::Usage`] if the frames and what is known do not determine all parameters, as for a
    /// target far outside the field.
    pub fn bound(&self, noise: f64) -> Result<Bound> {
        let variance = noise * noise + ROUNDING;
        let mut fisher = &self.sums / variance;
        let mut diagonal = fisher.diag_mut();
        diagonal += &self.prior;
        // Parameters of very different units: with a diagonal of ones, pivots compare.
        let scale = fisher.diag().mapv(libm::sqrt);
        let columns = scale.view().insert_axis(Axis(0));
        fisher /= &scale.view().insert_axis(Axis(1));
        fisher /= &columns;
        let factor = cholesky::factor(fisher).ok_or_else(|| {
            Error::usage("Cramér–Rao bound: the frames do not determine all parameters")
        })?;
        Ok(Bound {
            spread: cholesky::solve_half(&factor, &self.readout / &columns),
        })
    }
}

/// Index of the middle frame.
fn check(truth: &[Vec<Target>]) -> Result<usize> {
    let targets = truth.first().map_or(0, Vec::len);
    let same = truth.iter().all(|frame| frame.len() == targets);
    if targets == 0 || truth.len().is_multiple_of(2) || !same {
        let counts: Vec<usize> = truth.iter().map(Vec::len).collect();
        return Err(Error::usage(format!(
            "Cramér–Rao bound: targets per frame are {counts:?}, expected an odd number of frames \
             with the same number of targets, at least one"
        )));
    }
    Ok(truth.len() / 2)
}

/// Least covariance of the positions in the middle frame.
#[derive(Clone, Debug)]
pub struct Bound {
    /// `W` with `W Wᵀ` the covariance of `x₀, y₀, x₁, …`, `(2k, p)`.
    spread: Array2<f64>,
}

impl Bound {
    /// Covariance of each target's position, in the order of the targets.
    pub fn covariances(&self) -> Vec<Covariance2> {
        let dot = |a: usize, b: usize| self.spread.row(a).dot(&self.spread.row(b));
        let target = |k: usize| Covariance2 {
            xx: dot(2 * k, 2 * k),
            xy: dot(2 * k, 2 * k + 1),
            yy: dot(2 * k + 1, 2 * k + 1),
        };
        (0..self.spread.nrows() / 2).map(target).collect()
    }

    /// Root of the mean squared distance over the targets, pixels, both axes together.
    pub fn rmse(&self) -> f64 {
        let targets = self.spread.nrows() as f64 / 2.0;
        libm::sqrt(self.spread.iter().map(|w| w * w).sum::<f64>() / targets)
    }

    /// Errors `(x, y)` of all targets at once, pixels, as an efficient estimator would make them:
    /// Gaussian with this covariance, those between targets included.
    pub fn draw(&self, rng: &mut Rng) -> Vec<(f64, f64)> {
        let normals = Array1::from_shape_simple_fn(self.spread.ncols(), || rng.gaussian());
        let errors = self.spread.dot(&normals);
        let pairs = errors.exact_chunks(2).into_iter();
        pairs.map(|pair| (pair[0], pair[1])).collect()
    }
}

/// Covariance bound of every target of the middle frame of `truth` at `noise` counts.
///
/// # Errors
/// As [`Information::new`] and [`Information::bound`].
pub fn bound(
    truth: &[Vec<Target>],
    noise: f64,
    options: &BoundOptions,
) -> Result<Vec<Covariance2>> {
    Ok(Information::new(truth, options)?
        .bound(noise)?
        .covariances())
}

#[cfg(test)]
mod tests;
