//! The header of a model file: everything but weights and tables.

use serde::{Deserialize, Serialize};

use super::LoadError;
use crate::locate::LocateConfig;
use crate::locate::head::CHANNELS;
use crate::physics::{FRAME_SIDE, MAP_SIDE, Optics, RATIO, WINDOW};

/// Most unfolded stages.
pub const MAX_STAGES: usize = 16;
/// Most residual blocks of the tail, and of the head.
pub const MAX_BLOCKS: usize = 8;

/// Header of a model file, in postcard's encoding.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header<'a> {
    /// Sensor that the model was made for.
    pub physics: Physics,
    /// Intensities of the targets that it was trained on.
    pub intensities: Intensities,
    /// Fraction bits of a count inside the network, 0..=8.
    pub input_bits: u8,
    /// The network with the map; none in a file for positions alone.
    pub map: Option<MapHeader>,
    /// The offset head.
    pub head: Option<HeadHeader>,
    /// Where the model comes from.
    #[serde(borrow)]
    pub provenance: Provenance<'a>,
}

/// Geometry and optics.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Physics {
    /// Pixels of a frame's side: 11.
    pub side: u8,
    /// Cells per pixel and axis: 3.
    pub ratio: u8,
    /// Frames of a window: 5.
    pub window: u8,
    /// Standard deviation of the point spread function, pixels.
    pub psf_sigma: f64,
}

/// Gaussian belief about intensities, counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intensities {
    /// Mean.
    pub mean: f64,
    /// Standard deviation, more than 0.
    pub sigma: f64,
}

/// Sizes and scales of the network with the map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapHeader {
    /// Channels of hidden maps: a multiple of 8, 8..=64.
    pub channels: u8,
    /// Unfolded stages, 1..=16.
    pub stages: u8,
    /// Residual blocks of the tail, 0..=8.
    pub residual_blocks: u8,
    /// Cells where `Q_init` is not zero: first row, row after the last, first and last column alike.
    pub cells: [u8; 4],
    /// Fraction bits of the position code's bias and slope, 0..=16.
    pub gate_bits: u8,
    /// Fraction bits of the displacements of both deformable convolutions, cells, 0..=14.
    pub offset_bits: [u8; 2],
    /// Counts of one step of the map.
    pub step: f32,
}

/// Sizes and scales of the offset head.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadHeader {
    /// Channels of hidden maps: a multiple of 8, 8..=64.
    pub channels: u8,
    /// Residual blocks, 0..=8.
    pub residual_blocks: u8,
    /// What one step of each of a cell's seven numbers is worth; see [`crate::locate::head`].
    pub steps: [f32; CHANNELS],
    /// Counts that are 1 in the head's intensities.
    pub unit: f32,
}

/// Where a model comes from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance<'a> {
    /// Version of the program that wrote the file.
    pub program: &'a str,
    /// Version of the training data.
    pub data_version: &'a str,
    /// Seed of initial values and data.
    pub seed: u64,
    /// Optimisation steps.
    pub steps: u64,
    /// Trajectories seen in training.
    pub trajectories: u64,
    /// Range of the noise in training, standard deviations in counts.
    pub noise: Option<[f32; 2]>,
    /// Share that labels gain towards a cell's centre; none where labels are intensities.
    pub centerness: Option<f32>,
    /// Data from which the scales come.
    pub calibration: Calibration,
    /// What quantisation costs, at two levels of noise.
    pub accuracy: Option<[Accuracy; 2]>,
}

/// Data from which the scales come: generated trajectories of the training split.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Seed of the data.
    pub seed: u64,
    /// Trajectories.
    pub trajectories: u32,
    /// Range of the noise, standard deviations in counts.
    pub noise: [f32; 2],
}

/// CSO-mAP on the validation split before and after quantisation, per cent: of the map's cells, or of
/// the head's answers in a file without a map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Standard deviation of the noise, counts.
    pub noise: f32,
    /// Of the float model.
    pub float: f32,
    /// Of this file.
    pub quantised: f32,
}

impl Header<'_> {
    /// Refuses what no model can be.
    ///
    /// # Errors
    /// [`LoadError::Field`] naming the first such field.
    pub fn validate(&self) -> Result<(), LoadError> {
        let field = |holds: bool, field, expected| {
            let error = LoadError::Field { field, expected };
            holds.then_some(()).ok_or(error)
        };
        let physics = &self.physics;
        field(
            usize::from(physics.side) == FRAME_SIDE,
            "physics.side",
            "11",
        )?;
        field(usize::from(physics.ratio) == RATIO, "physics.ratio", "3")?;
        field(usize::from(physics.window) == WINDOW, "physics.window", "5")?;
        let sigma = physics.psf_sigma;
        field(
            (0.05..=5.0).contains(&sigma),
            "physics.psf_sigma",
            "0.05 to 5 pixels",
        )?;
        let Intensities { mean, sigma } = self.intensities;
        field(
            (-1e6..=1e6).contains(&mean),
            "intensities.mean",
            "-1e6 to 1e6 counts",
        )?;
        field(
            (1e-3..=1e6).contains(&sigma),
            "intensities.sigma",
            "1e-3 to 1e6 counts",
        )?;
        field(self.input_bits <= 8, "input_bits", "0 to 8")?;
        let some = self.map.is_some() || self.head.is_some();
        field(some, "map", "a network or an offset head")?;
        self.map
            .as_ref()
            .map_or(Ok(()), |map| map.validate(&field))?;
        self.head
            .as_ref()
            .map_or(Ok(()), |head| head.validate(&field))
    }

    /// What the fit knows beforehand: the shipped configuration with this file's optics and
    /// intensities.
    pub fn locate_config(&self) -> LocateConfig {
        let mut config = LocateConfig::SEQ_CSIST;
        // A checked header's always succeeds.
        config.optics =
            Optics::new(FRAME_SIDE, RATIO, self.physics.psf_sigma).unwrap_or(config.optics);
        config.prior.intensity_mean = self.intensities.mean;
        config.prior.intensity_sigma = self.intensities.sigma;
        config
    }
}

type Check<'f> = &'f dyn Fn(bool, &'static str, &'static str) -> Result<(), LoadError>;

/// Channels that the kernels' blocks take.
fn is_width(channels: u8) -> bool {
    channels.is_multiple_of(8) && (8..=64).contains(&channels)
}

/// Steps and units with which no number can overflow.
fn is_step(step: f32) -> bool {
    (1e-12..=1e6).contains(&step)
}

impl MapHeader {
    fn validate(&self, field: Check<'_>) -> Result<(), LoadError> {
        field(
            is_width(self.channels),
            "map.channels",
            "a multiple of 8 up to 64",
        )?;
        let stages = 1..=MAX_STAGES;
        field(
            stages.contains(&self.stages.into()),
            "map.stages",
            "1 to 16",
        )?;
        let blocks = usize::from(self.residual_blocks);
        field(blocks <= MAX_BLOCKS, "map.residual_blocks", "0 to 8")?;
        let [top, bottom, left, right] = self.cells.map(usize::from);
        let box_fits = top <= bottom && bottom <= MAP_SIDE && left <= right && right <= MAP_SIDE;
        field(
            box_fits,
            "map.cells",
            "ranges of rows and columns within 0..33",
        )?;
        field(self.gate_bits <= 16, "map.gate_bits", "0 to 16")?;
        let fractions = self.offset_bits.iter().all(|&bits| bits <= 14);
        field(fractions, "map.offset_bits", "0 to 14")?;
        field(is_step(self.step), "map.step", "1e-12 to 1e6 counts")
    }
}

impl HeadHeader {
    fn validate(&self, field: Check<'_>) -> Result<(), LoadError> {
        field(
            is_width(self.channels),
            "head.channels",
            "a multiple of 8 up to 64",
        )?;
        let blocks = usize::from(self.residual_blocks);
        field(blocks <= MAX_BLOCKS, "head.residual_blocks", "0 to 8")?;
        let steps = self.steps.iter().all(|&step| is_step(step));
        field(steps, "head.steps", "1e-12 to 1e6")?;
        field(is_step(self.unit), "head.unit", "1e-12 to 1e6 counts")
    }
}
