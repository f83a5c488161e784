//! Structures of the C interface: no padding, the same layout on 32 and 64 bits.

use super::codes::{Code, DREF_ERROR_CONFIG};
use crate::locate::{MAX_SOURCES, Noise, Target};
use crate::physics::{FRAME_LEN, MAP_LEN, WINDOW};
use crate::stream::{Answer, Readout, StreamConfig};
use crate::weights::{Model, VERSION};

/// Readings of a frame: 11 rows of 11.
pub const DREF_FRAME_READINGS: usize = 121;
/// Readings of a window: five frames.
pub const DREF_WINDOW_READINGS: usize = 605;
/// Cells of a map: 33 rows of 33.
pub const DREF_MAP_CELLS: usize = 1089;
/// Most targets of an answer.
pub const DREF_MAX_TARGETS: usize = 8;

const _: () = assert!(DREF_FRAME_READINGS == FRAME_LEN);
const _: () = assert!(DREF_WINDOW_READINGS == WINDOW * FRAME_LEN);
const _: () = assert!(DREF_MAP_CELLS == MAP_LEN);
const _: () = assert!(DREF_MAX_TARGETS == MAX_SOURCES);

/// Alignment of stream memory.
pub const DREF_STREAM_ALIGNMENT: usize = 16;
/// Bytes of an edge stream.
#[cfg(target_pointer_width = "64")]
pub const DREF_EDGE_STREAM_BYTES: usize = 130048;
/// Bytes of an edge stream.
#[cfg(not(target_pointer_width = "64"))]
pub const DREF_EDGE_STREAM_BYTES: usize = 126976;
/// Bytes of a paper stream.
#[cfg(target_pointer_width = "64")]
pub const DREF_PAPER_STREAM_BYTES: usize = 229376;
/// Bytes of a paper stream.
#[cfg(not(target_pointer_width = "64"))]
pub const DREF_PAPER_STREAM_BYTES: usize = 225792;
/// Bytes of a head stream.
#[cfg(target_pointer_width = "64")]
pub const DREF_HEAD_STREAM_BYTES: usize = 57344;
/// Bytes of a head stream.
#[cfg(not(target_pointer_width = "64"))]
pub const DREF_HEAD_STREAM_BYTES: usize = 54272;

/// The network's map, read with dref_map; an answer then holds no targets.
pub const DREF_READOUT_GRID: u32 = 0;
/// The fit of point sources with starts of its own; uses no network.
pub const DREF_READOUT_FIT: u32 = 1;
/// What the offset head claims.
pub const DREF_READOUT_HEAD: u32 = 2;
/// The fit started from the head's claims.
pub const DREF_READOUT_HEAD_FIT: u32 = 3;
/// The same, the head's precision taken as prior knowledge.
pub const DREF_READOUT_HEAD_PRIOR: u32 = 4;

/// What a stream works with. All zeros is valid: the map, and the beliefs of the model file.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DrefConfig {
    /// How targets are found: one of DREF_READOUT_...
    pub readout: u32,
    /// Fewest targets that the fit seeks, 1 to most_targets; 0 for its usual 1.
    pub fewest_targets: u32,
    /// Most targets that the fit seeks, up to DREF_MAX_TARGETS; 0 for its usual 4.
    pub most_targets: u32,
    /// Standard deviation of the noise in counts where it is known, up to 1e6; 0 to estimate it from
    /// every window.
    pub noise: f32,
    /// Model evaluations of the fit for a window at most, which bounds its time; 4 or more, 0 for no
    /// bound.
    pub window_evaluations: u32,
    /// What the sensor adds to every count, so that noise stays above 0; subtracted first.
    pub pedestal: u16,
    /// Reading from which a pixel is saturated and not believed; 0 for none.
    pub saturation: u16,
}

impl DrefConfig {
    /// As the stream takes it; all else as in `model`.
    pub(super) fn read(&self, model: &Model) -> Result<StreamConfig, Code> {
        let mut config = StreamConfig {
            readout: readout(self.readout).ok_or(Code(DREF_ERROR_CONFIG))?,
            pedestal: self.pedestal,
            saturation: (self.saturation != 0).then_some(self.saturation),
            ..StreamConfig::of(model)
        };
        let [fewest, most] = &mut config.locate.counts;
        for (count, said) in [(fewest, self.fewest_targets), (most, self.most_targets)] {
            if said != 0 {
                *count = usize::try_from(said).unwrap_or(usize::MAX);
            }
        }
        if self.noise != 0.0 {
            config.locate.noise = Noise::Known(self.noise.into());
        }
        if self.window_evaluations != 0 {
            config.locate.window_evaluations = self.window_evaluations;
        }
        let in_range = config.locate.validate();
        in_range.map_err(|_| Code(DREF_ERROR_CONFIG))?;
        Ok(config)
    }
}

fn readout(code: u32) -> Option<Readout> {
    let all = [
        (DREF_READOUT_GRID, Readout::Grid),
        (DREF_READOUT_FIT, Readout::Fit),
        (DREF_READOUT_HEAD, Readout::Head),
        (DREF_READOUT_HEAD_FIT, Readout::HeadFit),
        (DREF_READOUT_HEAD_PRIOR, Readout::HeadPrior),
    ];
    let found = all.into_iter().find(|&(known, _)| known == code);
    found.map(|(_, readout)| readout)
}

/// One target, in the frame two before the last. x is the row axis, y the column axis; pixel centres
/// are the integers.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DrefTarget {
    /// Row coordinate, pixels.
    pub x: f64,
    /// Column coordinate, pixels.
    pub y: f64,
    /// Counts that an unbounded sensor would collect from it.
    pub intensity: f64,
    /// Standard deviation of x, pixels.
    pub sigma_x: f64,
    /// Standard deviation of y, pixels.
    pub sigma_y: f64,
    /// Correlation of the errors of x and y, -1 to 1.
    pub correlation: f64,
    /// Standard deviation of the intensity, counts.
    pub sigma_intensity: f64,
    /// How sure the target is, 0 to 1.
    pub score: f64,
}

impl DrefTarget {
    const NONE: Self = Self {
        x: 0.0,
        y: 0.0,
        intensity: 0.0,
        sigma_x: 0.0,
        sigma_y: 0.0,
        correlation: 0.0,
        sigma_intensity: 0.0,
        score: 0.0,
    };
}

impl From<&Target> for DrefTarget {
    fn from(target: &Target) -> Self {
        Self {
            x: target.x,
            y: target.y,
            intensity: target.intensity,
            sigma_x: target.sigma_x,
            sigma_y: target.sigma_y,
            correlation: target.correlation,
            sigma_intensity: target.sigma_intensity,
            score: target.score,
        }
    }
}

/// What a stream says about the middle frame of its last five.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DrefAnswer {
    /// Targets, in no particular order; all zeros behind the last one.
    pub targets: [DrefTarget; DREF_MAX_TARGETS],
    /// Squared residuals of the fit over pixel variance and degrees of freedom, near 1 for a good
    /// one; NaN without a fit.
    pub reduced_chi2: f64,
    /// Targets that there are.
    pub count: u32,
    /// Values inside the network that left their range since the last answer: not 0 means that the
    /// scene lies beyond what the model was calibrated for.
    pub saturated: u32,
    /// Model evaluations of the fit; 0 without one.
    pub evaluations: u32,
    /// 0 where the evaluations that the configuration allows were used up, so that starts or higher
    /// counts of targets may have been left out; 1 otherwise.
    pub complete: u32,
}

impl From<&Answer<'_>> for DrefAnswer {
    fn from(answer: &Answer<'_>) -> Self {
        let mut targets = [DrefTarget::NONE; DREF_MAX_TARGETS];
        for (to, from) in targets.iter_mut().zip(&answer.targets) {
            *to = from.into();
        }
        Self {
            targets,
            reduced_chi2: answer.reduced_chi2.unwrap_or(f64::NAN),
            // At most eight.
            count: answer.targets.len() as u32,
            saturated: answer.saturated,
            evaluations: answer.evaluations,
            complete: answer.complete.into(),
        }
    }
}

/// What is in a model file.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DrefInfo {
    /// Standard deviation of the point spread function, pixels.
    pub psf_sigma: f64,
    /// Mean intensity of a target, counts.
    pub intensity_mean: f64,
    /// Standard deviation of the intensities, counts.
    pub intensity_sigma: f64,
    /// Format version.
    pub version: u32,
    /// Channels of the network with the map, 0 without one: 16 for an edge stream, 32 for a paper
    /// stream.
    pub map_channels: u32,
    /// Unfolded stages of the network with the map.
    pub map_stages: u32,
    /// Channels of the offset head, 0 without one: up to 32 for edge and head streams, up to 64 for a
    /// paper stream.
    pub head_channels: u32,
}

impl From<&Model<'_>> for DrefInfo {
    fn from(model: &Model<'_>) -> Self {
        let header = &model.header;
        let (map, head) = (header.map, header.head);
        Self {
            psf_sigma: header.physics.psf_sigma,
            intensity_mean: header.intensities.mean,
            intensity_sigma: header.intensities.sigma,
            version: VERSION.into(),
            map_channels: map.map_or(0, |map| map.channels.into()),
            map_stages: map.map_or(0, |map| map.stages.into()),
            head_channels: head.map_or(0, |head| head.channels.into()),
        }
    }
}
