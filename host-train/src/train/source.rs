//! Where training and validation trajectories come from.

use std::ops::Range;
use std::path::Path;

use super::{Also, TrainConfig};
use crate::dataset::{Split, load_split};
use crate::scene::{DATA_VERSION, SceneConfig, Trajectory, generate};
use crate::{Error, Result};

/// Trajectories by split and number.
#[derive(Clone, Debug)]
pub enum Source {
    /// Made when asked for: no training trajectory ever repeats.
    Generated {
        /// Rules.
        scene: SceneConfig,
        /// Other rules for shares of the training trajectories.
        also: Vec<Also>,
        /// Seed.
        seed: u64,
    },
    /// Read from a folder; training starts over after the last one.
    Loaded {
        /// Training split.
        train: Vec<Trajectory>,
        /// Validation split.
        validation: Vec<Trajectory>,
    },
}

/// Rules of training trajectory `index`: multiples of the golden ratio fill every share evenly.
fn rules<'s>(scene: &'s SceneConfig, also: &'s [Also], index: u64) -> &'s SceneConfig {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut place = index.wrapping_mul(GOLDEN) as f64 / 2f64.powi(64);
    for other in also {
        place -= other.share;
        if place < 0.0 {
            return &other.scene;
        }
    }
    scene
}

impl Source {
    /// Trajectories made by the rules of `config`.
    pub fn generated(config: &TrainConfig) -> Self {
        Self::Generated {
            scene: config.scene.clone(),
            also: config.also.clone(),
            seed: config.seed,
        }
    }

    /// Reads the training and validation splits of a data set folder.
    ///
    /// # Errors
    /// As [`load_split`], or if trajectories differ in length or are shorter than a window.
    pub fn load(folder: &Path) -> Result<Self> {
        let train = load_split(folder, Split::Train)?;
        let validation = load_split(folder, Split::Validation)?;
        let length = |t: &Trajectory| t.frames.shape()[0];
        let first = train.first().map(length).unwrap_or_default();
        let odd = train
            .iter()
            .chain(&validation)
            .map(length)
            .find(|&l| l != first || l < 5);
        match odd {
            Some(found) => Err(Error::format(
                folder,
                format!(
                    "a trajectory has {found} frames, expected {} for all",
                    first.max(5)
                ),
            )),
            None => Ok(Self::Loaded { train, validation }),
        }
    }

    /// Whether trajectories are made and not read.
    pub fn is_generated(&self) -> bool {
        matches!(self, Self::Generated { .. })
    }

    /// Training trajectory number `index`, counted over the whole run.
    pub fn train(&self, index: u64) -> Trajectory {
        match self {
            Self::Generated { scene, also, seed } => {
                generate(rules(scene, also, index), *seed, Split::Train, index)
            }
            Self::Loaded { train, .. } => train[(index % train.len() as u64) as usize].clone(),
        }
    }

    /// Training trajectories of `step` (from 0) of a run: those of its batch that `share` counts,
    /// each with its number over the whole run.
    pub fn of_step(
        &self,
        step: u64,
        config: &TrainConfig,
        share: &Range<usize>,
    ) -> Vec<(u64, Trajectory)> {
        self.batch(step, config.batch, config.train_trajectories, share)
    }

    /// Training trajectories of `step` (from 0) in batches of `size`, out of the first `period`, where
    /// 0 stands for all that there are: those that `share` counts, each with its number.
    pub fn batch(
        &self,
        step: u64,
        size: usize,
        period: u64,
        share: &Range<usize>,
    ) -> Vec<(u64, Trajectory)> {
        let first = step * size as u64;
        let period = if period == 0 { u64::MAX } else { period };
        let numbers = first + share.start as u64..first + share.end as u64;
        numbers.map(|i| (i, self.train(i % period))).collect()
    }

    /// Validation trajectories of a run, or as many of them as there are.
    pub fn validation(&self, config: &TrainConfig) -> Vec<Trajectory> {
        self.held_out(&config.validation_scene(), config.validate_trajectories)
    }

    /// `count` validation trajectories, made by the rules of `scene` where they are made.
    pub fn held_out(&self, scene: &SceneConfig, count: u64) -> Vec<Trajectory> {
        match self {
            Self::Generated { seed, .. } => (0..count.min(Split::Validation.trajectories()))
                .map(|i| generate(scene, *seed, Split::Validation, i))
                .collect(),
            Self::Loaded { validation, .. } => {
                validation.iter().take(count as usize).cloned().collect()
            }
        }
    }

    /// Whether a run with this noise in validation can train on these.
    ///
    /// # Errors
    /// If noise is asked for in validation frames that are read.
    pub fn check(&self, validate_noise: Option<[f64; 2]>) -> Result<()> {
        if validate_noise.is_some() && !self.is_generated() {
            return Err(Error::usage(
                "validate_noise: a data set's validation frames have the noise that they have",
            ));
        }
        Ok(())
    }

    /// These, if the run of `checkpoint` began with data of this version; where it is empty, nobody
    /// knows.
    ///
    /// # Errors
    /// If it began with others.
    pub(crate) fn same_as(self, before: &str, checkpoint: &Path) -> Result<Self> {
        let now = self.version();
        if before.is_empty() || before == now {
            return Ok(self);
        }
        let message = format!(
            "the run began with data '{before}', not '{now}': give the same --data as then"
        );
        Err(Error::format(checkpoint, message))
    }

    /// Training trajectories from which `Q_init` is computed.
    pub fn for_qinit(&self, count: u64) -> Box<dyn Iterator<Item = Trajectory> + '_> {
        let available = match self {
            Self::Generated { .. } => count,
            Self::Loaded { train, .. } => count.min(train.len() as u64),
        };
        Box::new((0..available).map(|i| self.train(i)))
    }

    /// Version of the data: that of the generator, or `folder-` and the CRC-32 of frames and truth.
    pub fn version(&self) -> String {
        match self {
            Self::Generated { .. } => DATA_VERSION.to_owned(),
            Self::Loaded { train, validation } => {
                format!("folder-{:08x}", checksum(train.iter().chain(validation)))
            }
        }
    }
}

/// CRC-32 of frames and truth, little-endian.
fn checksum<'t>(trajectories: impl Iterator<Item = &'t Trajectory>) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    for trajectory in trajectories {
        for count in &trajectory.frames {
            crc.update(&count.to_le_bytes());
        }
        for target in trajectory.truth.iter().flatten() {
            for value in [target.x, target.y, target.intensity] {
                crc.update(&value.to_le_bytes());
            }
        }
    }
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Preset;
    use crate::scene::Arrangement;

    #[test]
    fn shares_are_filled_evenly() {
        let mut config = TrainConfig::preset(Preset::Edge);
        let with = |share, arrangement, targets| Also {
            share,
            scene: SceneConfig {
                arrangement,
                targets,
                ..SceneConfig::default()
            },
        };
        config.also = vec![
            with(0.3, Arrangement::Free, [2, 4]),
            with(0.1, Arrangement::Rules, [5, 8]),
        ];
        let count = |from: u64, is: &dyn Fn(&SceneConfig) -> bool| {
            let chosen = (from..from + 200).map(|i| rules(&config.scene, &config.also, i));
            chosen.filter(|scene| is(scene)).count() as f64 / 200.0
        };
        for from in [0, 200, 1_000_000] {
            let free = count(from, &|scene| scene.arrangement == Arrangement::Free);
            let many = count(from, &|scene| scene.targets == [5, 8]);
            assert!(
                (free - 0.3).abs() < 0.02 && (many - 0.1).abs() < 0.02,
                "{free} {many}"
            );
        }
        let source = Source::generated(&config);
        let most = (0..40).map(|i| source.train(i).truth[0].len()).max();
        assert!(most > Some(4));
        let validation = source.validation(&config);
        assert!(validation.iter().all(|t| t.truth[0].len() <= 4));
    }
}
