//! Every option of the generator, with its default.

use crate::scene::{ClutterConfig, targets};
use crate::{Error, Result};
use std::path::Path;

/// How targets lie around their reference point.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Arrangement {
    /// The paper's rules: distinct directions, 0.3 px, a reference point on a line, quadratic or arc.
    #[default]
    Rules,
    /// Anywhere in a disc of 0.8 px, at least 0.42 px apart, straight common motion.
    Free,
}

/// Options of one generated data set. Missing fields take the documented defaults.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SceneConfig {
    /// Fewest and most targets of a trajectory, the number being uniform between; within 1..=8,
    /// default `[2, 4]`.
    pub targets: [u32; 2],
    /// Frames of a trajectory; within 1..=64, default 20.
    pub frames: u32,
    /// How targets lie around their reference point; default `rules`.
    pub arrangement: Arrangement,
    /// Range of the uniform intensities, counts; default `[220, 250]`.
    pub intensity: [f64; 2],
    /// Range of the noise's standard deviation, counts, one uniform draw per trajectory; equal ends
    /// fix it; default `[0, 0]`. The noise is Gaussian, zero mean, added before rounding.
    pub noise: [f64; 2],
    /// Depth of the sensor's unsigned container; within 8..=16, default 16.
    pub bits: u32,
    /// Clamp `counts + pedestal` to `0..=2^bits - 1` as the container would; default off.
    pub saturate: bool,
    /// Counts that the container adds, so that it can hold noise below zero; the frames of a
    /// [`Trajectory`](crate::scene::Trajectory) have it subtracted again; default 0.
    pub pedestal: i32,
    /// Replace negative counts by zero after rounding; default off.
    pub clip_at_zero: bool,
    /// Generated clutter behind the targets; default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clutter: Option<ClutterConfig>,
    /// Fastest motion of the background, generated or not, pixels per frame: each trajectory's is
    /// uniform in the disc; within 0..=1, default 0 (it stands still).
    pub background_drift: f64,
}

impl Default for SceneConfig {
    fn default() -> Self {
        Self {
            targets: [2, 4],
            frames: 20,
            arrangement: Arrangement::Rules,
            intensity: [220.0, 250.0],
            noise: [0.0, 0.0],
            bits: 16,
            saturate: false,
            pedestal: 0,
            clip_at_zero: false,
            clutter: None,
            background_drift: 0.0,
        }
    }
}

impl SceneConfig {
    /// Largest value of the container, `2^bits - 1`.
    pub fn full_scale(&self) -> i32 {
        (1 << self.bits) - 1
    }

    /// Reads options from a TOML file; they are not validated yet.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Format`] for bad TOML or an unknown field.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::io(path, source))?;
        toml::from_str(&text).map_err(|error| Error::format(path, error.to_string()))
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Usage`] names the first field out of range, its value and the range.
    pub fn validate(&self) -> Result<()> {
        let [fewest, most] = self.targets;
        let checks = [
            (
                1 <= fewest && fewest <= most && most <= targets::MAX_TARGETS,
                format!("targets is {fewest}-{most}, expected A-B with 1 <= A <= B <= 8"),
            ),
            (
                (1..=targets::MAX_FRAMES).contains(&self.frames),
                format!("frames is {}, expected 1 to 64", self.frames),
            ),
            (
                ordered(self.intensity) && self.intensity[0] > 0.0 && self.intensity[1] <= 1e6,
                format!(
                    "intensity is {:?}, expected 0 < low <= high <= 1e6",
                    self.intensity
                ),
            ),
            (
                ordered(self.noise) && self.noise[0] >= 0.0 && self.noise[1] <= 1e4,
                format!(
                    "noise is {:?}, expected 0 <= low <= high <= 1e4",
                    self.noise
                ),
            ),
            (
                (8..=16).contains(&self.bits),
                format!("bits is {}, expected 8 to 16", self.bits),
            ),
            (
                (0..=i32::from(u16::MAX)).contains(&self.pedestal),
                format!("pedestal is {}, expected 0 to 65535", self.pedestal),
            ),
            (
                (0.0..=1.0).contains(&self.background_drift),
                format!(
                    "background_drift is {}, expected 0 to 1",
                    self.background_drift
                ),
            ),
        ];
        match checks.into_iter().find(|(good, _)| !good) {
            Some((_, message)) => Err(Error::Usage(message)),
            None => self.clutter.iter().try_for_each(ClutterConfig::validate),
        }
    }
}

/// Both ends finite and in order.
fn ordered([low, high]: [f64; 2]) -> bool {
    low.is_finite() && high.is_finite() && low <= high
}
