//! What a [`Locator`](super::Locator) knows beforehand.

use super::{Arrangement, MAX_SOURCES};
use crate::error::{Error, Result};
use crate::physics::{FRAME_SIDE, Optics};

/// Beliefs about sources and scene, all Gaussian; they belong into the model file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prior {
    /// Mean intensity of a source, counts.
    pub intensity_mean: f64,
    /// Standard deviation of the intensities, counts; more than 0.
    pub intensity_sigma: f64,
    /// Standard deviation of the common velocity per axis about zero, pixels per frame; 0 holds the
    /// sources still.
    pub velocity_sigma: f64,
    /// Standard deviation of the common acceleration per axis about zero, pixels per frame²; 0 makes
    /// the motion uniform.
    pub acceleration_sigma: f64,
    /// Standard deviation per axis of each source's own velocity on top of the common one, pixels per
    /// frame; 0 for none. Applies to up to 4 sources without order.
    pub drift_sigma: f64,
    /// Mean of the constant background, counts.
    pub background_mean: f64,
    /// Standard deviation of the background, counts; 0 fixes it at its mean.
    pub background_sigma: f64,
    /// How the sources lie about each other.
    pub arrangement: Arrangement,
}

impl Prior {
    /// SeqCSIST §3. Intensities are uniform in 220..=250 counts (the Gaussian has the same mean and
    /// variance) over any constant background. Arms of 0.3 px, and of 0.6 px on the diagonals, grow by
    /// 0.0007 px a frame for the 9.5 frames before the average window's middle. Motion is as measured
    /// on the generated training split; `cross_share` and `tolerance` were chosen on the validation
    /// split, where they keep 95 % ellipses honest for both arrangements; spread and separation are
    /// those of the generator's free arrangement.
    pub const SEQ_CSIST: Self = Self {
        intensity_mean: 235.0,
        intensity_sigma: 8.66,
        velocity_sigma: 0.05,
        acceleration_sigma: 0.003,
        drift_sigma: 0.0015,
        background_mean: 0.0,
        background_sigma: 100.0,
        arrangement: Arrangement {
            cross_share: 0.9,
            axial: 0.3067,
            diagonal: 0.6067,
            tolerance: 0.0025,
            spread: 0.4,
            separation: 0.42,
            softness: 0.05,
        },
    };
}

/// Standard deviation of the Gaussian noise before rounding to integers, which adds 1/12 to its
/// variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Noise {
    /// Known, counts.
    Known(f64),
    /// Estimated for every window: from its dark pixels, then from the residuals of the fit.
    Estimated,
}

/// Everything that a fit depends on beside its input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LocateConfig {
    /// Sensor; its side must be 11 pixels.
    pub optics: Optics,
    /// Beliefs about the scene.
    pub prior: Prior,
    /// Noise of a pixel.
    pub noise: Noise,
    /// Fewest and most targets that are sought, within 1..=8; a window may still hold none.
    pub counts: [usize; 2],
    /// Counts whose total flux is this much less likely than the best one's are not tried, in units
    /// of the log posterior.
    pub flux_margin: f64,
    /// Model evaluations per start before the starts of a count are compared; 1 or more.
    pub coarse_evaluations: u32,
    /// Model evaluations of a descent at most; 1 or more.
    pub fine_evaluations: u32,
    /// Model evaluations of a window at most, which bounds its time; 4 or more. A quarter is kept for
    /// the descents after the noise was estimated anew. Where they are used up, starts that remain are
    /// left out and descents stop where they are; a dozen more at most go to what was begun.
    pub window_evaluations: u32,
    /// A descent ends when its next step is expected to gain less, in units of the log posterior:
    /// `ε` leaves positions `√(2ε)` standard deviations from the maximum.
    pub tolerance: f64,
    /// Length over which the likelihood of sources without order bends, pixels: variances of a
    /// position grow by `1 + s/length`, where `s` is its standard deviation by the curvature at the
    /// maximum. Infinite to leave them as they are. Calibrated on the validation split.
    pub bending_length: f64,
}

impl LocateConfig {
    /// SeqCSIST: 1 to 4 targets, noise estimated.
    pub const SEQ_CSIST: Self = Self {
        optics: Optics::SEQ_CSIST,
        prior: Prior::SEQ_CSIST,
        noise: Noise::Estimated,
        counts: [1, 4],
        flux_margin: 8.0,
        coarse_evaluations: 5,
        fine_evaluations: 40,
        window_evaluations: u32::MAX,
        tolerance: 1e-5,
        bending_length: 0.15,
    };

    /// Refuses what has no meaning, naming the first such field.
    pub(crate) fn validate(&self) -> Result<()> {
        check(&self.domains())?;
        check(&self.prior.domains())?;
        self.prior.arrangement.validate()
    }

    fn domains(&self) -> [Domain; 11] {
        let [fewest, most] = self.counts.map(|count| count as f64);
        let known = match self.noise {
            Noise::Known(sigma) => sigma,
            Noise::Estimated => 0.0,
        };
        let (side, infinite) = (FRAME_SIDE as f64, f64::INFINITY);
        let [coarse, fine] = [self.coarse_evaluations, self.fine_evaluations].map(f64::from);
        let field = Domain::new;
        [
            field(
                "frame side",
                self.optics.side() as f64,
                [side; 2],
                "11 pixels",
            ),
            field(
                "psf sigma",
                self.optics.sigma(),
                [0.05, 5.0],
                "0.05 to 5 pixels",
            ),
            field("noise sigma", known, [0.0, 1e6], "0 to 1e6"),
            field(
                "fewest targets",
                fewest,
                [1.0, most],
                "1 to the most targets",
            ),
            field("most targets", most, [1.0, MAX_SOURCES as f64], "1 to 8"),
            field(
                "flux margin",
                self.flux_margin,
                [0.0, infinite],
                "0 or more",
            ),
            field("coarse evaluations", coarse, [1.0, 1e4], "1 to 10000"),
            field("fine evaluations", fine, [1.0, 1e4], "1 to 10000"),
            field(
                "window evaluations",
                self.window_evaluations.into(),
                [4.0, u32::MAX.into()],
                "4 or more",
            ),
            field("tolerance", self.tolerance, [0.0, f64::MAX], "0 or more"),
            field(
                "bending length",
                self.bending_length,
                [1e-3, infinite],
                "0.001 pixels or more",
            ),
        ]
    }
}

impl Prior {
    fn domains(&self) -> [Domain; 7] {
        let (counts, deviation) = ([-1e6, 1e6], [0.0, 1e6]);
        let (in_counts, sigmas) = ("-1e6 to 1e6 counts", "0 to 1e6");
        let field = Domain::new;
        [
            field("intensity mean", self.intensity_mean, counts, in_counts),
            field(
                "intensity sigma",
                self.intensity_sigma,
                [1e-6, 1e9],
                "1e-6 to 1e9 counts",
            ),
            field("velocity sigma", self.velocity_sigma, deviation, sigmas),
            field(
                "acceleration sigma",
                self.acceleration_sigma,
                deviation,
                sigmas,
            ),
            field("drift sigma", self.drift_sigma, deviation, sigmas),
            field("background mean", self.background_mean, counts, in_counts),
            field("background sigma", self.background_sigma, deviation, sigmas),
        ]
    }
}

/// A field with what it may be.
pub(super) struct Domain {
    what: &'static str,
    value: f64,
    range: [f64; 2],
    expected: &'static str,
}

impl Domain {
    pub(super) const fn new(
        what: &'static str,
        value: f64,
        range: [f64; 2],
        expected: &'static str,
    ) -> Self {
        Self {
            what,
            value,
            range,
            expected,
        }
    }
}

/// Names the first field that is out of its range or no number.
pub(super) fn check(domains: &[Domain]) -> Result<()> {
    let bad = domains.iter().find(|domain| {
        let [low, high] = domain.range;
        !(low..=high).contains(&domain.value)
    });
    bad.map_or(Ok(()), |domain| {
        Err(Error::Domain {
            what: domain.what,
            expected: domain.expected,
            got: domain.value,
        })
    })
}
