//! What a stream works with, and what it says.

use heapless::Vec;

use crate::locate::{LocateConfig, MAX_SOURCES, Target};
use crate::physics::MAP_LEN;
use crate::weights::Model;

/// How targets are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Readout {
    /// The network's map, for readers of its cells: see
    /// [`grid_detections`](crate::metric::grid_detections).
    Grid = 0,
    /// The fit of point sources with starts of its own; uses no network.
    Fit = 1,
    /// What the offset head claims.
    Head = 2,
    /// The fit started from the head's claims.
    HeadFit = 3,
    /// The same, the head's precision taken as prior knowledge: this counts the data twice, and
    /// brings in what the head knows about arrangements.
    HeadPrior = 4,
}

impl Readout {
    /// Whether it reads the offset head.
    pub const fn needs_head(self) -> bool {
        matches!(self, Self::Head | Self::HeadFit | Self::HeadPrior)
    }
}

/// What a stream works with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StreamConfig {
    /// How targets are found.
    pub readout: Readout,
    /// What the sensor adds to every count, so that noise stays above 0; subtracted first.
    pub pedestal: u16,
    /// Readings from which a pixel is saturated and not believed.
    pub saturation: Option<u16>,
    /// The fit.
    pub locate: LocateConfig,
}

impl StreamConfig {
    /// The fit with the beliefs of `model`, no pedestal, no saturation.
    pub fn of(model: &Model) -> Self {
        Self {
            readout: Readout::Fit,
            pedestal: 0,
            saturation: None,
            locate: model.header.locate_config(),
        }
    }
}

/// What a stream says about the middle frame of its last five.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<'a> {
    /// Targets, in no particular order; none from [`Readout::Grid`].
    pub targets: Vec<Target, MAX_SOURCES>,
    /// Squared residuals of the fit over pixel variance and degrees of freedom, near 1 for a good
    /// one; nothing without a fit.
    pub reduced_chi2: Option<f64>,
    /// Model evaluations of the fit; 0 without one.
    pub evaluations: u32,
    /// False where [`LocateConfig::window_evaluations`] were used up, so that starts or higher counts of
    /// targets may have been left out.
    pub complete: bool,
    /// The map; from [`Readout::Grid`] alone.
    pub map: Option<Map<'a>>,
    /// Values inside the network that left their range since the last answer: not 0 means that the
    /// scene lies beyond what the model was calibrated for.
    pub saturated: u32,
}

/// A map of 33×33 cells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Map<'a> {
    /// Values in steps, row-major.
    pub values: &'a [i16; MAP_LEN],
    /// Counts of one step.
    pub step: f32,
}

impl Map<'_> {
    /// Values in counts.
    pub fn counts(&self) -> impl Iterator<Item = f32> + '_ {
        self.values.iter().map(|&v| f32::from(v) * self.step)
    }
}

impl Answer<'_> {
    pub(super) const EMPTY: Self = Self {
        targets: Vec::new(),
        reduced_chi2: None,
        evaluations: 0,
        complete: true,
        map: None,
        saturated: 0,
    };
}
