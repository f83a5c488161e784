//! Sizes and conventions of a network.

use derefnet_core::physics::WINDOW;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What the position code counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeConvention {
    /// Frames within the window, 0..4: a stream without beginning has an answer.
    Window,
    /// Frames since the start of the trajectory, 0..19, as the authors' code does.
    Trajectory,
}

impl TimeConvention {
    /// Times that the position code must know for trajectories of `length` frames.
    pub fn times(self, length: usize) -> usize {
        match self {
            Self::Window => WINDOW,
            Self::Trajectory => length,
        }
    }
}

/// Named sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// The published network.
    Paper,
    /// The same blocks, small enough for a microcontroller.
    Edge,
}

/// Sizes and conventions of a network; frames are 11×11 and maps 33×33.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Unfolded ISTA stages (`K`).
    pub stages: usize,
    /// Channels of every hidden map; even.
    pub channels: usize,
    /// Residual blocks of the tail.
    pub residual_blocks: usize,
    /// What the position code counts.
    pub time: TimeConvention,
    /// Counts that equal 1 inside the network. The published network uses 1; a scale near the
    /// targets' intensity lets biases and thresholds learn as fast as kernels.
    pub intensity_scale: f32,
    /// Sizes of the offset head; none by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<HeadConfig>,
}

/// Sizes of the offset head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadConfig {
    /// Channels of its hidden maps, which have 11×11 pixels.
    pub channels: usize,
    /// Its residual blocks.
    pub blocks: usize,
}

impl ModelConfig {
    /// Sizes of a preset.
    pub fn preset(preset: Preset) -> Self {
        let paper = Self {
            stages: 9,
            channels: 32,
            residual_blocks: 5,
            time: TimeConvention::Window,
            intensity_scale: 100.0,
            head: None,
        };
        match preset {
            Preset::Paper => paper,
            Preset::Edge => Self {
                stages: 3,
                channels: 16,
                residual_blocks: 3,
                ..paper
            },
        }
    }

    /// The published network exactly as released: raw counts, time within the trajectory.
    pub fn released() -> Self {
        Self {
            time: TimeConvention::Trajectory,
            intensity_scale: 1.0,
            ..Self::preset(Preset::Paper)
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// Names the field and what it must be.
    pub fn validate(&self) -> Result<()> {
        let bound = |name: &str, value: usize, low: usize, high: usize| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(Error::usage(format!(
                "model.{name} is {value}, expected {low}..={high}"
            )))
        };
        bound("stages", self.stages, 1, 64)?;
        bound("channels", self.channels, 2, 256)?;
        bound("residual_blocks", self.residual_blocks, 0, 64)?;
        if let Some(head) = &self.head {
            bound("head.channels", head.channels, 1, 256)?;
            bound("head.blocks", head.blocks, 0, 64)?;
        }
        if !self.channels.is_multiple_of(2) {
            return Err(Error::usage(format!(
                "model.channels is {}, expected even",
                self.channels
            )));
        }
        if !(self.intensity_scale.is_finite() && self.intensity_scale > 0.0) {
            return Err(Error::usage(format!(
                "model.intensity_scale is {}, expected a positive number",
                self.intensity_scale
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Parameters;

    /// SeqCSIST as released: 171,090 in the stages, 1,187,010 in the position code and 124,779 in
    /// alignment and tail.
    #[test]
    fn published_sizes() {
        let parameters = Parameters::zeros(&ModelConfig::preset(Preset::Paper));
        let count = |start: &str| -> usize {
            let some = parameters.tensors.iter();
            let some = some.filter(|t| t.name.starts_with(start));
            some.map(|t| t.values.len()).sum()
        };
        assert_eq!(count("fcs."), 171_090);
        assert_eq!(count("TDDA.mlp."), 1_187_010);
        assert_eq!(parameters.count(), 1_482_879);
    }

    #[test]
    fn bounds() {
        let edge = ModelConfig::preset(Preset::Edge);
        assert!(edge.validate().is_ok() && ModelConfig::released().validate().is_ok());
        let smallest = ModelConfig {
            stages: 1,
            channels: 2,
            residual_blocks: 0,
            ..edge.clone()
        };
        assert!(smallest.validate().is_ok());
        for (bad, part) in [
            (
                ModelConfig {
                    stages: 0,
                    ..edge.clone()
                },
                "model.stages is 0",
            ),
            (
                ModelConfig {
                    channels: 258,
                    ..edge.clone()
                },
                "model.channels is 258",
            ),
            (
                ModelConfig {
                    channels: 5,
                    ..edge.clone()
                },
                "model.channels is 5",
            ),
            (
                ModelConfig {
                    residual_blocks: 65,
                    ..edge.clone()
                },
                "model.residual_blocks is 65",
            ),
            (
                ModelConfig {
                    intensity_scale: f32::NAN,
                    ..edge.clone()
                },
                "model.intensity_scale",
            ),
        ] {
            let message = bad.validate().unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
