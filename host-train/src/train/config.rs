//! Everything that a training run depends on, with its defaults.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{AdamConfig, LossConfig, LossVariant};
use crate::dataset::QinitFrom;
use crate::model::{ModelConfig, Preset};
use crate::scene::SceneConfig;
use crate::{Error, Result};

/// Trajectories of an epoch: the published training split.
pub const EPOCH: u64 = 3_500;

/// A training run. A file may leave out any field; what it leaves out takes the default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Seed of initial values and generated data, default 1.
    pub seed: u64,
    /// Optimisation steps of the whole run, default 20,000.
    pub steps: u64,
    /// What is trained; default `map`.
    #[serde(default)]
    pub objective: Objective,
    /// Trajectories per step, default 1 (20 frames, 16 windows), as published.
    pub batch: usize,
    /// Steps between two windows of one trajectory where offsets are trained; 0, the default, trains
    /// on all windows of a trajectory in one step, as published for maps.
    #[serde(default)]
    pub spread: u64,
    /// Learning rate over the steps.
    pub schedule: Schedule,
    /// Largest norm of the whole gradient; longer ones are scaled down; 0 never does. Default 0.
    pub clip_norm: f32,
    /// Factor of the learning rate of the position code's matrix. Its columns share one gradient, so
    /// a step moves each row sum, all that matters, 1,089 times as far as any other parameter;
    /// default 1/1089. The published recipe is 1.
    pub time_code_rate: f32,
    /// Factor of the learning rate of the unfolded stages; default and published 1. Their ReLUs have
    /// no biases and die where steps are long, and with a stage dies all that the stages before it do.
    #[serde(default = "one")]
    pub stage_rate: f32,
    /// Share of an exponential average of the weights that survives each step; the average is what
    /// is validated and saved as a model. 0, the default and the published recipe, keeps none.
    #[serde(default)]
    pub ema: f32,
    /// Constants of Adam, as for maps in counts; see [`TrainConfig::adam_in_units`].
    pub adam: AdamConfig,
    /// Weights of the loss.
    pub loss: LossConfig,
    /// Sizes of the network.
    pub model: ModelConfig,
    /// Generated training data; `--data` replaces it by a folder.
    pub scene: SceneConfig,
    /// Other rules for shares of the generated training trajectories; none by default. Validation
    /// keeps to `scene`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Also>,
    /// Training trajectories before the first comes again; 0, the default, is all: every one of a
    /// folder, and without end where they are generated.
    #[serde(default)]
    pub train_trajectories: u64,
    /// What stands for the frames behind `Q_init`: `physics` (label maps seen through the physics, as
    /// published; default) or `rendered` (the frames themselves).
    pub qinit: QinitFrom,
    /// Training trajectories behind `Q_init`, default 3,500.
    pub qinit_trajectories: u64,
    /// Steps between validations, default 1,000.
    pub validate_every: u64,
    /// Validation trajectories per validation, default 100 (1,600 windows).
    pub validate_trajectories: u64,
    /// Range of the noise in generated validation trajectories, in place of `scene.noise`.
    #[serde(default)]
    pub validate_noise: Option<[f64; 2]>,
    /// Steps between checkpoints, default 500.
    pub checkpoint_every: u64,
}

/// Checks that no count is 0.
pub(crate) fn check_counts(counts: &[(&str, u64)]) -> Result<()> {
    match counts.iter().find(|(_, value)| *value == 0) {
        Some((name, _)) => Err(Error::usage(format!("{name} is 0, expected at least 1"))),
        None => Ok(()),
    }
}

/// Checks that values lie between 0 and the highest of each.
pub(crate) fn check_rates(rates: &[(&str, f32, f32)]) -> Result<()> {
    for (name, value, high) in rates {
        if !(0.0..=*high).contains(value) {
            let message = format!("{name} is {value}, expected 0..={high}");
            return Err(Error::usage(message));
        }
    }
    Ok(())
}

/// Checks that trajectories have a window.
pub(crate) fn check_frames(scene: &SceneConfig) -> Result<()> {
    if scene.frames < 5 {
        let frames = scene.frames;
        let message = format!("scene.frames is {frames}, expected at least 5");
        return Err(Error::usage(message));
    }
    Ok(())
}

/// Learning rate over the steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Largest learning rate, default 1e-4 as published.
    pub rate: f32,
    /// Steps of linear rise from zero, default 0.
    pub warmup: u64,
    /// Share of the steps after the warm-up that stay at `rate` before the cosine begins; 1 is all of
    /// them. Default 0.
    #[serde(default)]
    pub hold: f32,
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
        let done = ((step - self.warmup) as f64 / span).min(1.0);
        let hold = f64::from(self.hold);
        if done <= hold {
            return self.rate;
        }
        let share = (done - hold) / (1.0 - hold);
        let cosine = 0.5 * (1.0 + libm::cos(std::f64::consts::PI * share));
        let last = f64::from(self.last);
        (f64::from(self.rate) * (last + (1.0 - last) * cosine)) as f32
    }
}

/// What a run trains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Objective {
    /// The network up to its map, towards the label maps.
    #[default]
    Map,
    /// The offset head, towards the likelihood of the targets; the network before it stays.
    Offsets,
}

/// Rules of a share of the training trajectories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Also {
    /// Share, above 0 and at most 1.
    pub share: f64,
    /// Its rules; fields left out take the generator's defaults, not those of the run's scene.
    pub scene: SceneConfig,
}

/// For fields that older files lack.
fn one() -> f32 {
    1.0
}

impl TrainConfig {
    /// Defaults for a preset.
    pub fn preset(preset: Preset) -> Self {
        Self {
            seed: 1,
            spread: 0,
            steps: 20_000,
            objective: Objective::Map,
            batch: 1,
            schedule: Schedule {
                rate: 1e-4,
                warmup: 0,
                hold: 0.0,
                last: 1.0,
            },
            clip_norm: 0.0,
            time_code_rate: 1.0 / 1089.0,
            stage_rate: 1.0,
            ema: 0.0,
            adam: AdamConfig::default(),
            loss: LossConfig::published(LossVariant::Paper),
            model: ModelConfig::preset(preset),
            scene: SceneConfig::default(),
            also: Vec::new(),
            train_trajectories: 0,
            qinit: QinitFrom::Physics,
            qinit_trajectories: EPOCH,
            validate_every: 1_000,
            validate_trajectories: 100,
            validate_noise: None,
            checkpoint_every: 500,
        }
    }

    /// Defaults of `preset`, overridden by the fields that each of `layers` sets, in their order.
    ///
    /// # Errors
    /// If a field is unknown, ill-typed or out of range.
    pub fn layered<'t>(
        preset: Preset,
        layers: impl IntoIterator<Item = &'t toml::Table>,
    ) -> Result<Self> {
        let wrong = |e: &dyn std::fmt::Display| Error::usage(e.to_string());
        let mut merged = toml::Table::try_from(Self::preset(preset)).map_err(|e| wrong(&e))?;
        for layer in layers {
            merge(&mut merged, layer.clone());
        }
        let config: Self = merged.try_into().map_err(|e: toml::de::Error| wrong(&e))?;
        config.validate()?;
        Ok(config)
    }

    /// Defaults of `preset`, overridden by the fields that the TOML file `path` sets.
    ///
    /// # Errors
    /// If the file cannot be read, is not TOML, or sets an unknown or ill-typed field.
    pub fn read(preset: Preset, path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        let wrong = |e: &dyn std::fmt::Display| Error::format(path, e.to_string());
        let given: toml::Table = text.parse().map_err(|e: toml::de::Error| wrong(&e))?;
        Self::layered(preset, [&given]).map_err(|e| wrong(&e))
    }

    /// Constants of Adam in the network's units. Maps divided by `model.intensity_scale` give a loss
    /// and gradients divided by its square; `epsilon` and `weight_decay`, which stand beside
    /// gradients, must shrink with them, or they weigh 10,000 times as much at a scale of 100.
    pub fn adam_in_units(&self) -> AdamConfig {
        let square = self.model.intensity_scale * self.model.intensity_scale;
        AdamConfig {
            epsilon: self.adam.epsilon / square,
            weight_decay: self.adam.weight_decay / square,
            ..self.adam.clone()
        }
    }

    /// Factor of the learning rate of the parameter `name`. Adam's steps have the same length in all
    /// units: inside a network of scale 100 a threshold would move 100 times as far as one in counts
    /// does, and threshold its stage to death.
    pub(super) fn rate_factor(&self, name: &str) -> f32 {
        if name == "TDDA.mlp.weight" {
            self.time_code_rate
        } else if name.ends_with(".soft_thr") {
            self.stage_rate / self.model.intensity_scale
        } else if name.starts_with("fcs.") {
            self.stage_rate
        } else {
            1.0
        }
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
        check_counts(&counts)?;
        if self.batch > 64 {
            return Err(Error::usage(format!(
                "batch is {}, expected 1..=64",
                self.batch
            )));
        }
        let rates = [
            ("schedule.rate", self.schedule.rate, 1.0),
            ("schedule.hold", self.schedule.hold, 1.0),
            ("schedule.last", self.schedule.last, 1.0),
            ("clip_norm", self.clip_norm, f32::MAX),
            ("time_code_rate", self.time_code_rate, 1.0),
            ("stage_rate", self.stage_rate, 1.0),
            // Beyond this f32 no longer holds what a step adds to the average.
            ("ema", self.ema, 0.9999),
            ("adam.beta1", self.adam.beta1, 0.999_999),
            ("adam.beta2", self.adam.beta2, 0.999_999),
            ("adam.epsilon", self.adam.epsilon, 1.0),
            ("adam.weight_decay", self.adam.weight_decay, 1.0),
        ];
        check_rates(&rates)?;
        check_frames(&self.scene)?;
        self.loss.validate()?;
        self.model.validate()?;
        self.scene.validate()?;
        self.check_also()?;
        if self.objective == Objective::Offsets && self.model.head.is_none() {
            return Err(Error::usage(
                "objective is \"offsets\", expected sizes of the head under model.head",
            ));
        }
        self.validation_scene().validate()
    }

    fn check_also(&self) -> Result<()> {
        let mut sum = 0.0;
        for other in &self.also {
            other.scene.validate()?;
            if !(other.share > 0.0 && other.share <= 1.0) {
                return Err(Error::usage(format!(
                    "also.share is {}, expected more than 0, at most 1",
                    other.share
                )));
            }
            if other.scene.frames != self.scene.frames {
                return Err(Error::usage(format!(
                    "also.scene.frames is {}, expected that of the scene, {}",
                    other.scene.frames, self.scene.frames
                )));
            }
            sum += other.share;
        }
        if sum > 1.0 {
            return Err(Error::usage(format!(
                "the shares under also add up to {sum}, expected at most 1"
            )));
        }
        Ok(())
    }

    /// Rules of generated validation trajectories.
    pub fn validation_scene(&self) -> SceneConfig {
        SceneConfig {
            noise: self.validate_noise.unwrap_or(self.scene.noise),
            ..self.scene.clone()
        }
    }
}

/// Puts the leaves of `given` over those of `base`.
pub(crate) fn merge(base: &mut toml::Table, given: toml::Table) {
    for (key, value) in given {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(given)) => merge(base, given),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_file_holds_every_field_with_its_default() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/train.toml");
        let defaults = TrainConfig::preset(Preset::Paper);
        assert_eq!(TrainConfig::read(Preset::Paper, &path).unwrap(), defaults);
        let keys = |table: &toml::Table| -> Vec<String> {
            let inner = |(key, value): (&String, &toml::Value)| match value {
                toml::Value::Table(t) => t.keys().map(|k| format!("{key}.{k}")).collect(),
                _ => vec![key.clone()],
            };
            table.iter().flat_map(inner).collect()
        };
        let documented: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
        assert_eq!(
            keys(&documented),
            keys(&toml::Table::try_from(defaults).unwrap())
        );
    }

    fn schedule(warmup: u64, last: f32) -> Schedule {
        Schedule {
            rate: 0.5,
            warmup,
            hold: 0.0,
            last,
        }
    }

    #[test]
    fn constant_without_warmup_and_decay() {
        let plain = schedule(0, 1.0);
        assert!((0..=100).all(|step| plain.rate_at(step, 100) == 0.5));
    }

    #[test]
    fn rises_linearly_then_falls_along_a_half_cosine() {
        let bent = schedule(4, 0.1);
        let rates: Vec<f32> = (0..4).map(|step| bent.rate_at(step, 104)).collect();
        assert_eq!(rates, [0.125, 0.25, 0.375, 0.5]);
        assert_eq!(bent.rate_at(4, 104), 0.5);
        // Halfway: last + (1 - last) / 2 of 0.5; a quarter: cos(π/4) = 0.70711.
        assert!((bent.rate_at(54, 104) - 0.275).abs() < 1e-6);
        assert!((bent.rate_at(29, 104) - (0.05 + 0.225 * 1.707_106_8)).abs() < 1e-6);
        let falling = (4..104).map(|step| bent.rate_at(step, 104));
        assert!(falling.collect::<Vec<_>>().is_sorted_by(|a, b| a > b));
        assert!((bent.rate_at(104, 104) - 0.05).abs() < 1e-7);
        assert_eq!(bent.rate_at(500, 104), bent.rate_at(104, 104));
    }

    /// With 4 steps of warm-up and 100 after them, a hold of 0.6 ends at step 64.
    #[test]
    fn holds_the_rate_before_the_cosine() {
        let held = Schedule {
            hold: 0.6,
            ..schedule(4, 0.1)
        };
        assert_eq!(held.rate_at(1, 104), 0.25);
        assert!((4..=63).all(|step| held.rate_at(step, 104) == 0.5));
        assert!(held.rate_at(65, 104) < 0.5);
        assert!((held.rate_at(84, 104) - 0.275).abs() < 1e-6);
        assert!((held.rate_at(104, 104) - 0.05).abs() < 1e-7);
        let constant = Schedule { hold: 1.0, ..held };
        assert!((4..=200).all(|step| constant.rate_at(step, 104) == 0.5));
    }

    fn read(text: &str) -> Result<TrainConfig> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        std::fs::write(&path, text).unwrap();
        TrainConfig::read(Preset::Edge, &path)
    }

    #[test]
    fn a_file_overrides_single_fields() {
        let text =
            "seed = 9\n[schedule]\nwarmup = 3\n[model]\nchannels = 8\n[scene]\nnoise = [0, 5]\n";
        let mut expected = TrainConfig::preset(Preset::Edge);
        expected.seed = 9;
        expected.schedule.warmup = 3;
        expected.model.channels = 8;
        expected.scene.noise = [0.0, 5.0];
        assert_eq!(read(text).unwrap(), expected);
        assert_eq!(read("").unwrap(), TrainConfig::preset(Preset::Edge));
        let clutter = read("scene.clutter.level = [3, 4]").unwrap().scene.clutter;
        assert_eq!(clutter.unwrap().level, [3.0, 4.0]);
    }

    #[test]
    fn a_written_configuration_reads_back() {
        let mut config = TrainConfig::preset(Preset::Paper);
        config.time_code_rate = 0.3;
        let text = toml::to_string(&config).unwrap();
        assert_eq!(read(&text).unwrap(), config);
    }

    #[test]
    fn adam_follows_the_scale_of_the_loss() {
        let mut config = TrainConfig::preset(Preset::Edge);
        config.model.intensity_scale = 1.0;
        assert_eq!(config.adam_in_units(), config.adam);
        config.model.intensity_scale = 100.0;
        let scaled = config.adam_in_units();
        let ratios = [
            config.adam.epsilon / scaled.epsilon,
            config.adam.weight_decay / scaled.weight_decay,
        ];
        assert!(
            ratios.iter().all(|r| (r / 1e4 - 1.0).abs() < 1e-6),
            "{ratios:?}"
        );
        assert_eq!((scaled.beta1, scaled.beta2), (0.9, 0.999));
    }

    #[test]
    fn refusals_name_file_and_field() {
        for (text, part) in [
            ("stepz = 3", "stepz"),
            ("[model]\nchanels = 8", "chanels"),
            ("scene.nose = 1", "nose"),
            ("steps = 'many'", "steps"),
            ("steps = -1", "steps"),
            ("steps = 0", "steps is 0, expected at least 1"),
            ("batch = 65", "batch is 65, expected 1..=64"),
            ("model.channels = 7", "model.channels is 7, expected even"),
            ("model.stages = 0", "model.stages is 0, expected 1..=64"),
            ("model.intensity_scale = 0", "model.intensity_scale"),
            ("model.time = 'epoch'", "epoch"),
            (
                "schedule.hold = 1.5",
                "schedule.hold is 1.5, expected 0..=1",
            ),
            ("schedule.rate = nan", "schedule.rate is NaN"),
            ("objective = 'offsets'", "model.head"),
            ("objective = 'places'", "places"),
            (
                "model.head = { channels = 0, blocks = 1 }",
                "model.head.channels is 0, expected 1..=256",
            ),
            ("also = [{ share = 0.0, scene = {} }]", "also.share is 0"),
            (
                "also = [{ share = 0.6, scene = {} }, { share = 0.6, scene = {} }]",
                "1.2",
            ),
            (
                "also = [{ share = 0.6, scene = { frames = 9 } }]",
                "also.scene.frames is 9",
            ),
            ("adam.beta1 = 1.0", "adam.beta1 is 1"),
            ("clip_norm = -1.0", "clip_norm is -1"),
            ("ema = 1.0", "ema is 1, expected 0..=0.9999"),
            ("loss.align = -0.5", "loss.align is -0.5"),
            ("loss.regression = 0.0", "loss.regression is 0"),
            ("loss.variant = 'best'", "best"),
            (
                "loss.centerness = 1.1",
                "loss.centerness is 1.1, expected 0..=1",
            ),
            ("loss.centerness = -0.1", "loss.centerness is -0.1"),
            ("loss.centerness = nan", "loss.centerness is NaN"),
            ("scene.frames = 4", "scene.frames is 4, expected at least 5"),
            ("validate_noise = [2, 1]", "noise"),
            ("scene.targets = [3, 2]", "targets is 3-2"),
            ("checkpoint_every = 0", "checkpoint_every is 0"),
            ("model = 3", "model"),
            ("= 3", "line 1"),
        ] {
            let message = read(text).unwrap_err().to_string();
            let both = message.contains("run.toml") && message.contains(part);
            assert!(both, "{text}: {message}");
        }
    }
}
