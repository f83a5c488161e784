//! Everything that the training of a method depends on, with its defaults.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::loss::Summation;
use super::{ABLATIONS, METHODS, Method};
use crate::dataset::QinitFrom;
use crate::scene::SceneConfig;
use crate::train::config::{EPOCH, check_counts, check_frames, check_rates};
use crate::train::{AdamConfig, Schedule, Source};
use crate::{Error, Result};

/// A training run of a method. A file may leave out any field but `method`; what it leaves out takes
/// the default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodConfig {
    /// Key of the method.
    pub method: String,
    /// Name of the variant; the method's first one by default.
    pub variant: String,
    /// Share of the published channels and blocks; 0 is the smallest network, for checks; default 1.
    pub width: f32,
    /// Which weights the terms of the loss get; default `effective`.
    pub summation: Summation,
    /// Seed of initial values and generated data, default 1.
    pub seed: u64,
    /// Optimisation steps of the whole run; default the published epochs.
    pub steps: u64,
    /// Trajectories per step, default and published 1.
    pub batch: usize,
    /// Learning rate over the steps; default and published constant.
    pub schedule: Schedule,
    /// Constants of Adam; published for each method.
    pub adam: AdamConfig,
    /// Largest norm of the whole gradient; 0, the default and published, never clips.
    pub clip_norm: f32,
    /// Generated training data; a folder replaces it.
    pub scene: SceneConfig,
    /// Training trajectories before the first comes again; 0, the default, is all.
    pub train_trajectories: u64,
    /// What stands for the frames behind `Q_init`, default `physics`.
    pub qinit: QinitFrom,
    /// Training trajectories behind `Q_init`, default 3,500.
    pub qinit_trajectories: u64,
    /// Steps between validations, default 1,000.
    pub validate_every: u64,
    /// Validation trajectories per validation, default 100.
    pub validate_trajectories: u64,
    /// Range of the noise in generated validation trajectories, in place of `scene.noise`.
    #[serde(default)]
    pub validate_noise: Option<[f64; 2]>,
    /// Steps between checkpoints, default 500.
    pub checkpoint_every: u64,
}

impl MethodConfig {
    /// The published training of `method`.
    ///
    /// # Errors
    /// If there is nothing to train, or no such variant.
    pub fn published(method: &Method, variant: Option<&str>) -> Result<Self> {
        let variant = method.variant(variant)?;
        let training = method.network()?.training(variant);
        Ok(Self {
            method: method.key.to_owned(),
            variant: variant.to_owned(),
            width: 1.0,
            summation: Summation::default(),
            seed: 1,
            steps: u64::from(training.epochs) * EPOCH,
            batch: 1,
            schedule: Schedule {
                rate: training.rate,
                warmup: 0,
                hold: 0.0,
                last: 1.0,
            },
            adam: AdamConfig {
                weight_decay: training.weight_decay,
                ..AdamConfig::default()
            },
            clip_norm: 0.0,
            scene: SceneConfig::default(),
            train_trajectories: 0,
            qinit: QinitFrom::Physics,
            qinit_trajectories: EPOCH,
            validate_every: 1_000,
            validate_trajectories: 100,
            validate_noise: None,
            checkpoint_every: 500,
        })
    }

    /// The published training of the method that the TOML file `path` names, with the fields that it
    /// sets.
    ///
    /// # Errors
    /// If the file cannot be read, is not TOML, or sets an unknown, ill-typed or senseless field.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        let wrong = |e: &dyn std::fmt::Display| Error::format(path, e.to_string());
        let given: toml::Table = text.parse().map_err(|e: toml::de::Error| wrong(&e))?;
        let text = |field: &str| given.get(field).and_then(toml::Value::as_str);
        let key = text("method").ok_or_else(|| wrong(&"field 'method' is missing"))?;
        let method = Method::find(key).map_err(|e| wrong(&e))?;
        Self::layered(method, text("variant"), [&given]).map_err(|e| wrong(&e))
    }

    /// The published training of `method`, overridden by the fields that each of `layers` sets, in
    /// their order.
    ///
    /// # Errors
    /// If there is nothing to train, no such variant, or a field is unknown, ill-typed or senseless.
    pub fn layered<'t>(
        method: &Method,
        variant: Option<&str>,
        layers: impl IntoIterator<Item = &'t toml::Table>,
    ) -> Result<Self> {
        let wrong = |e: &dyn std::fmt::Display| Error::usage(e.to_string());
        let published = Self::published(method, variant)?;
        let mut merged = toml::Table::try_from(published).map_err(|e| wrong(&e))?;
        for layer in layers {
            crate::train::config::merge(&mut merged, layer.clone());
        }
        let config: Self = merged.try_into().map_err(|e: toml::de::Error| wrong(&e))?;
        config.validate()?;
        Ok(config)
    }

    /// The method that is trained.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn method(&self) -> Result<&'static Method> {
        Method::find(&self.method)
    }

    /// Trajectories made by the rules of this run.
    pub fn generated(&self) -> Source {
        Source::Generated {
            scene: self.scene.clone(),
            also: Vec::new(),
            seed: self.seed,
        }
    }

    /// Rules of generated validation trajectories.
    pub fn validation_scene(&self) -> SceneConfig {
        SceneConfig {
            noise: self.validate_noise.unwrap_or(self.scene.noise),
            ..self.scene.clone()
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// Names the field and what it must be.
    pub fn validate(&self) -> Result<()> {
        let method = self.method()?;
        method.network()?;
        method.variant(Some(&self.variant))?;
        let counts = [
            ("steps", self.steps),
            ("batch", self.batch as u64),
            ("qinit_trajectories", self.qinit_trajectories),
            ("validate_every", self.validate_every),
            ("validate_trajectories", self.validate_trajectories),
            ("checkpoint_every", self.checkpoint_every),
        ];
        check_counts(&counts)?;
        let rates = [
            ("width", self.width, 1.0),
            ("schedule.rate", self.schedule.rate, 1.0),
            ("schedule.hold", self.schedule.hold, 1.0),
            ("schedule.last", self.schedule.last, 1.0),
            ("clip_norm", self.clip_norm, f32::MAX),
            ("adam.beta1", self.adam.beta1, 0.999_999),
            ("adam.beta2", self.adam.beta2, 0.999_999),
            ("adam.epsilon", self.adam.epsilon, 1.0),
            ("adam.weight_decay", self.adam.weight_decay, 1.0),
        ];
        check_rates(&rates)?;
        check_frames(&self.scene)?;
        self.scene.validate()?;
        self.validation_scene().validate()
    }
}

/// All methods that have something to train, those of other tables last.
pub fn trainable() -> impl Iterator<Item = &'static Method> {
    let all = METHODS.iter().chain(ABLATIONS);
    all.filter(|method| method.network().is_ok())
}
