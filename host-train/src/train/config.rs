//! Everything that a training run depends on, with its defaults.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{AdamConfig, LossConfig, LossVariant};
use crate::model::{ModelConfig, Preset};
use crate::scene::SceneConfig;
use crate::{Error, Result};

/// A training run. A file may leave out any field; what it leaves out takes the default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Seed of initial values and generated data, default 1.
    pub seed: u64,
    /// Optimisation steps of the whole run, default 20,000.
    pub steps: u64,
    /// Trajectories per step, default 1 (20 frames, 16 windows), as published.
    pub batch: usize,
    /// Learning rate over the steps.
    pub schedule: Schedule,
    /// Largest norm of the whole gradient; longer ones are scaled down; 0 never does. Default 0.
    pub clip_norm: f32,
    /// Factor of the learning rate of the position code's matrix. Its columns share one gradient, so
    /// a step moves each row sum, all that matters, 1,089 times as far as any other parameter;
    /// default 1/1089. The published recipe is 1.
    pub time_code_rate: f32,
    /// Constants of Adam.
    pub adam: AdamConfig,
    /// Weights of the loss.
    pub loss: LossConfig,
    /// Sizes of the network.
    pub model: ModelConfig,
    /// Generated training data; `--data` replaces it by a folder.
    pub scene: SceneConfig,
    /// Training trajectories behind `Q_init`, default 3,500.
    pub qinit_trajectories: u64,
    /// Steps between validations, default 1,000.
    pub validate_every: u64,
    /// Validation trajectories per validation, default 100 (1,600 windows).
    pub validate_trajectories: u64,
    /// Steps between checkpoints, default 500.
    pub checkpoint_every: u64,
}

/// Learning rate over the steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Largest learning rate, default 1e-4 as published.
    pub rate: f32,
    /// Steps of linear rise from zero, default 0.
    pub warmup: u64,
    /// Learning rate of the last step as a share of `rate`, reached along a half cosine; 1 keeps it
    /// constant. Default 1.
    pub last: f32,
}

impl Schedule {
    /// Learning rate of `step` (from 0) out of `steps`.
    pub fn rate_at(&self, step: u64, steps: u64) -> f32 {
        if step < self.warmup {
            return self.rate * (step + 1) as f32 / self.warmup as f32;
        }
        let span = steps.saturating_sub(self.warmup).max(1) as f64;
        let share = ((step - self.warmup) as f64 / span).min(1.0);
        let cosine = 0.5 * (1.0 + libm::cos(std::f64::consts::PI * share));
        let last = f64::from(self.last);
        (f64::from(self.rate) * (last + (1.0 - last) * cosine)) as f32
    }
}

impl TrainConfig {
    /// Defaults for a preset.
    pub fn preset(preset: Preset) -> Self {
        Self {
            seed: 1,
            steps: 20_000,
            batch: 1,
            schedule: Schedule {
                rate: 1e-4,
                warmup: 0,
                last: 1.0,
            },
            clip_norm: 0.0,
            time_code_rate: 1.0 / 1089.0,
            adam: AdamConfig::default(),
            loss: LossConfig::published(LossVariant::Paper),
            model: ModelConfig::preset(preset),
            scene: SceneConfig::default(),
            qinit_trajectories: 3_500,
            validate_every: 1_000,
            validate_trajectories: 100,
            checkpoint_every: 500,
        }
    }

    /// Defaults of `preset`, overridden by the fields that the TOML file `path` sets.
    ///
    /// # Errors
    /// If the file cannot be read, is not TOML, or sets an unknown or ill-typed field.
    pub fn read(preset: Preset, path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        let wrong = |e: &dyn std::fmt::Display| Error::format(path, e.to_string());
        let given: toml::Table = text.parse().map_err(|e: toml::de::Error| wrong(&e))?;
        let mut merged = toml::Table::try_from(Self::preset(preset)).map_err(|e| wrong(&e))?;
        merge(&mut merged, given);
        let config: Self = merged.try_into().map_err(|e: toml::de::Error| wrong(&e))?;
        config.validate().map_err(|e| wrong(&e))?;
        Ok(config)
    }

    /// Checks every field.
    ///
    /// # Errors
    /// Names the field and what it must be.
    pub fn validate(&self) -> Result<()> {
        let counts = [
            ("steps", self.steps),
            ("batch", self.batch as u64),
            ("qinit_trajectories", self.qinit_trajectories),
            ("validate_every", self.validate_every),
            ("validate_trajectories", self.validate_trajectories),
            ("checkpoint_every", self.checkpoint_every),
        ];
        for (name, value) in counts {
            if value == 0 {
                return Err(Error::usage(format!("{name} is 0, expected at least 1")));
            }
        }
        if self.batch > 64 {
            return Err(Error::usage(format!(
                "batch is {}, expected 1..=64",
                self.batch
            )));
        }
        let rates = [
            ("schedule.rate", self.schedule.rate, 1.0),
            ("schedule.last", self.schedule.last, 1.0),
            ("clip_norm", self.clip_norm, f32::MAX),
            ("time_code_rate", self.time_code_rate, 1.0),
            ("adam.beta1", self.adam.beta1, 0.999_999),
            ("adam.beta2", self.adam.beta2, 0.999_999),
            ("adam.epsilon", self.adam.epsilon, 1.0),
            ("adam.weight_decay", self.adam.weight_decay, 1.0),
        ];
        for (name, value, high) in rates {
            if !(0.0..=high).contains(&value) {
                return Err(Error::usage(format!(
                    "{name} is {value}, expected 0..={high}"
                )));
            }
        }
        if self.scene.frames < 5 {
            let frames = self.scene.frames;
            return Err(Error::usage(format!(
                "scene.frames is {frames}, expected at least 5"
            )));
        }
        self.loss.validate()?;
        self.model.validate()?;
        self.scene.validate()
    }
}

/// Puts the leaves of `given` over those of `base`.
fn merge(base: &mut toml::Table, given: toml::Table) {
    for (key, value) in given {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(given)) => merge(base, given),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}
