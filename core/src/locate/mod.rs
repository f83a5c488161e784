//! Off-grid localisation: point sources fitted to the five frames of a window.
//!
//! Model: the expected counts of pixel `(p, q)` at time `t = -2..=2` are the background plus the sum
//! over sources of `I r(p; x + vx t + ½ ax t²) r(q; y + vy t + ½ ay t²)`, with the pixel response `r`
//! of [`crate::physics`] (SeqCSIST Eq. 2–3); velocity and acceleration are common to all sources.
//! Counts deviate from it by Gaussian noise and by rounding, whose variance is 1/12. With Gaussian
//! priors ([`Prior`]) the most probable parameters are a least-squares problem, solved by
//! Levenberg–Marquardt descents from several starts; their normal equations come from inner products
//! of one-dimensional profiles.
//!
//! How sources lie about each other may be known ([`Arrangement`]): windows whose sources sit on the
//! arms of a cross compete with others, in which they form a cluster; a cross that explains the
//! window has far fewer free numbers and wins by its evidence, one that does not loses by its
//! residuals.
//!
//! The number of sources is chosen by Laplace's approximation of the evidence (MacKay 1992), into
//! which the known intensity enters as a prior: total flux nearly fixes the number. Where several
//! maxima compete, the best one gives the positions, and covariances and scores are those of the
//! mixture of all of them, each weighted by its evidence.
//!
//! Everything is `f64` in a fixed order of operations, erf and exp come from `libm` through a table:
//! the same bits on every platform. No allocation: [`Workspace`] is the caller's. Every loop is
//! bounded, by [`LocateConfig::fine_evaluations`] for descents and by
//! [`LocateConfig::window_evaluations`] for a window.
//!
//! # Examples
//! ```
//! use derefnet_core::locate::{LocateConfig, Locator, WINDOW_LEN, Workspace};
//! use derefnet_core::physics::{FRAME_LEN, Optics, PointSource};
//!
//! let sources = [(4.8, 5.1), (5.3, 5.0)].map(|(x, y)| PointSource { x, y, intensity: 235.0 });
//! let (mut scratch, mut frame) = ([0.0; 11], [0.0; FRAME_LEN]);
//! Optics::SEQ_CSIST.render(&sources, &mut scratch, &mut frame)?;
//! let mut window = [0.0; WINDOW_LEN];
//! for (count, expected) in window.iter_mut().zip(frame.iter().cycle()) {
//!     *count = libm::rint(*expected) as f32;
//! }
//! let locator = Locator::new(LocateConfig::SEQ_CSIST)?;
//! let found = locator.locate(&mut Workspace::new(), &window, None, &[])?;
//! assert_eq!(found.targets.len(), 2);
//! assert!(found.targets.iter().all(|target| target.sigma_x < 0.02));
//! # Ok::<(), derefnet_core::Error>(())
//! ```

use heapless::Vec;

mod arrangement;
mod belief;
mod config;
mod count;
mod dark;
mod fit;
pub mod head;
mod input;
mod model;
mod modes;
mod normal;
mod packed;
mod profile;
mod propose;
mod score;
mod search;

pub use arrangement::Arrangement;
pub use config::{LocateConfig, Noise, Prior};

#[allow(unused_imports, reason = "named in documentation")]
use crate::error::Error;
use crate::error::Result;
use crate::physics::{FRAME_LEN, FRAME_SIDE, WINDOW};
use dark::dark_level;
use fit::Descent;
use model::{Problem, Window};
use modes::Modes;
use profile::ErfTable;
use propose::Blob;
use search::Search;

/// Most targets of one window.
pub const MAX_SOURCES: usize = 8;
/// Numbers of a window: five frames of 11×11 counts.
pub const WINDOW_LEN: usize = WINDOW * FRAME_LEN;
/// Rows and columns at which proposals may lie, pixels: up to 2 pixels outside the centres of the
/// outermost ones.
pub const PROPOSAL_FIELD: core::ops::RangeInclusive<f64> = -2.0..=FRAME_SIDE as f64 + 1.0;
/// Parameters that all sources share: background, velocity, acceleration.
const GLOBALS: usize = 5;

/// Where a source might be, from a network or anything else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proposal {
    /// Row coordinate in the middle frame, pixels.
    pub x: f64,
    /// Column coordinate in the middle frame, pixels.
    pub y: f64,
    /// Intensity, counts; only a starting value.
    pub intensity: f64,
    /// Precision of the position (inverse covariance) `[xx, xy, yy]`, 1/pixel², positive definite;
    /// without one the position is only a starting value.
    pub precision: Option<[f64; 3]>,
}

/// One source found, in the middle frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// Row coordinate, pixels.
    pub x: f64,
    /// Column coordinate, pixels.
    pub y: f64,
    /// Counts that an unbounded sensor would collect from it.
    pub intensity: f64,
    /// Standard deviation of `x`, pixels.
    pub sigma_x: f64,
    /// Standard deviation of `y`, pixels.
    pub sigma_y: f64,
    /// Correlation of the errors of `x` and `y`, -1..=1.
    pub correlation: f64,
    /// Standard deviation of `intensity`, counts.
    pub sigma_intensity: f64,
    /// Chance that it exists times the mean over the metric's five distances of the chance that it
    /// lies within that distance, 0..=1.
    pub score: f64,
}

/// The answer for one window.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    /// Sources found, in no particular order.
    pub targets: Vec<Target, MAX_SOURCES>,
    /// Squared residuals over pixel variance and degrees of freedom; near 1 for a good fit.
    pub reduced_chi2: f64,
    /// Constant background, counts.
    pub background: f64,
    /// Common velocity `[x, y]` in the middle frame, pixels per frame.
    pub velocity: [f64; 2],
    /// Common acceleration `[x, y]`, pixels per frame².
    pub acceleration: [f64; 2],
    /// Standard deviation of a pixel that the fit worked with, rounding included, counts.
    pub noise: f64,
    /// Posterior share of each count from 0 to 8 among those tried.
    pub count_shares: [f64; MAX_SOURCES + 1],
    /// Starting points tried.
    pub starts: u32,
    /// Evaluations of the model in all descents.
    pub evaluations: u32,
    /// Whether the chosen descent ended by its tolerance.
    pub converged: bool,
    /// False where [`LocateConfig::window_evaluations`] were used up, so that starts or higher counts of
    /// targets may have been left out.
    pub complete: bool,
    /// Whether no covariance could be had: its fields are then infinite, scores 0.
    pub singular: bool,
}

/// Memory of a fit; its content does not matter.
#[derive(Clone, Debug)]
pub struct Workspace {
    descent: Descent,
    modes: Modes,
}

impl Workspace {
    /// Bytes of a workspace.
    pub const BYTES: usize = size_of::<Self>();

    /// Fresh memory.
    pub const fn new() -> Self {
        Self {
            descent: Descent::ZERO,
            modes: Modes::EMPTY,
        }
    }
}

impl Default for Workspace {
    fn default() -> Self {
        Self::new()
    }
}

const _: () = assert!(Workspace::BYTES <= 16 * 1024);

/// Fits windows under one configuration.
#[derive(Clone, Debug)]
pub struct Locator {
    config: LocateConfig,
    table: ErfTable,
}

impl Locator {
    /// A locator for `config`.
    ///
    /// # Errors
    /// [`Error::Domain`] naming the first field out of range.
    pub fn new(config: LocateConfig) -> Result<Self> {
        config.validate()?;
        Ok(Self {
            config,
            table: ErfTable::new(),
        })
    }

    /// What this locator works with.
    pub const fn config(&self) -> &LocateConfig {
        &self.config
    }

    /// Finds the sources of the middle frame.
    ///
    /// `frames` is a window `(5, 11, 11)` in time order, counts. `excluded` flags the pixels to leave
    /// out, dead or saturated ones, with `true`: 121 flags for all frames alike or 605, each frame's
    /// own; what an excluded pixel holds does not matter. `proposals`, at most 8, say where sources
    /// might be: their number and its neighbours are then the counts tried. Proposals with
    /// precisions say themselves how the sources lie: no cross is sought, and their own number has no
    /// start but them. Without proposals every
    /// count is tried that total flux does not rule out, from starts of its own. The result depends
    /// on nothing else, in particular not on the content of `workspace`.
    ///
    /// # Errors
    /// [`Error::Length`] for a wrong number of counts or flags, [`Error::NotFinite`] for a count that
    /// is NaN or infinite and not excluded or for such a proposal, [`Error::Domain`] for too many
    /// proposals, one more than 2 pixels outside the frame, and one whose precision is not positive
    /// definite.
    pub fn locate(
        &self,
        workspace: &mut Workspace,
        frames: &[f32],
        excluded: Option<&[bool]>,
        proposals: &[Proposal],
    ) -> Result<Located> {
        input::check_window(frames, excluded)?;
        input::check_proposals(proposals)?;
        let window = Window { frames, excluded };
        let dark = dark_level(&window, &self.config);
        let mut problem = Problem {
            window,
            table: &self.table,
            scale: core::f64::consts::FRAC_1_SQRT_2 / self.config.optics.sigma(),
            variance: dark.variance,
            prior: self.config.prior,
            bending_length: self.config.bending_length,
        };
        let blob = Blob::measure(&problem, dark);
        let mut search = Search::new(&self.config, &blob, workspace);
        search.run(&problem, proposals);
        if self.config.noise == Noise::Estimated {
            search.refine(&mut problem);
        }
        Ok(search.answer(&problem))
    }
}

#[cfg(test)]
mod tests;
