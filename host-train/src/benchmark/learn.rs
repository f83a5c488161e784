//! The training of a row, of either kind of network.

use std::path::Path;

use super::budget::Planned;
use super::definition::Data;
use crate::Result;
use crate::backend::Backend;
use crate::methods::{MethodConfig, MethodRun};
use crate::train::journal::Journal;
use crate::train::run::CHECKPOINT;
use crate::train::{Event, Run, Source, Stop, TrainConfig};

/// Configuration of a training.
#[derive(Clone, Debug)]
pub(super) enum Config {
    Method(Box<MethodConfig>),
    DeRefNet(Box<TrainConfig>),
}

/// Does the same to either kind.
macro_rules! either {
    ($value:expr, $kind:ident, $inner:ident => $body:expr) => {
        match $value {
            $kind::Method($inner) => $body,
            $kind::DeRefNet($inner) => $body,
        }
    };
}

impl Config {
    /// The configuration of a whole run.
    pub(super) fn planned(&self, planned: &Planned, seed: u64) -> Self {
        let mut config = self.clone();
        either!(&mut config, Self, config => {
            config.seed = seed;
            config.steps = planned.steps;
            config.schedule.warmup = planned.warmup;
            config.validate_every = planned.validate_every;
            config.checkpoint_every = planned.checkpoint_every;
        });
        config
    }

    pub(super) fn batch(&self) -> usize {
        either!(self, Self, config => config.batch)
    }

    /// Largest learning rate.
    pub(super) fn rate(&self) -> f32 {
        either!(self, Self, config => config.schedule.rate)
    }

    /// Frames of a training trajectory where they are generated.
    pub(super) fn frames(&self) -> u32 {
        either!(self, Self, config => config.scene.frames)
    }

    /// Where its trajectories come from.
    ///
    /// # Errors
    /// If the data's folder cannot be read.
    pub(super) fn source(&self, data: &Data) -> Result<Source> {
        if let Some(folder) = &data.folder {
            return Source::load(folder);
        }
        Ok(match self {
            Self::Method(config) => config.generated(),
            Self::DeRefNet(config) => Source::generated(config),
        })
    }
}

/// A training in progress.
pub(super) enum Learner<B: Backend> {
    Method(Box<MethodRun<B>>),
    DeRefNet(Box<Run<B>>),
}

impl<B: Backend> Learner<B> {
    /// Begins the run in `folder`.
    ///
    /// # Errors
    /// As [`MethodRun::create_on`] and [`Run::create_on`].
    pub(super) fn create(
        backend: B,
        folder: &Path,
        config: Config,
        source: Source,
    ) -> Result<Self> {
        Ok(match config {
            Config::Method(config) => {
                let run = MethodRun::create_on(backend, folder, *config, source)?;
                Self::Method(Box::new(run))
            }
            Config::DeRefNet(config) => {
                let run = Run::create_on(backend, folder, *config, source, None)?;
                Self::DeRefNet(Box::new(run))
            }
        })
    }

    /// Begins the run in `folder`, or goes on with it.
    ///
    /// # Errors
    /// As [`Self::create`], and if the checkpoint is damaged or of other data.
    pub(super) fn open(backend: B, folder: &Path, config: Config, source: Source) -> Result<Self> {
        if !folder.join(CHECKPOINT).exists() {
            return Self::create(backend, folder, config, source);
        }
        Ok(match config {
            Config::Method(_) => {
                let run = MethodRun::resume_on(backend, folder, |_| Ok(source))?;
                Self::Method(Box::new(run))
            }
            Config::DeRefNet(_) => {
                let run = Run::resume_on(backend, folder, |_| Ok(source))?;
                Self::DeRefNet(Box::new(run))
            }
        })
    }

    pub(super) fn step(&self) -> u64 {
        either!(self, Self, run => run.step())
    }

    /// Step of the best validation.
    pub(super) fn best_step(&self) -> Option<u64> {
        either!(self, Self, run => run.best().map(|best| best.step))
    }

    pub(super) fn journal(&self) -> &Journal {
        either!(self, Self, run => run.journal())
    }

    /// Trains to the end, or until `watch` fails.
    ///
    /// # Errors
    /// As [`MethodRun::train`] and [`Run::train`].
    pub(super) fn train(&mut self, watch: impl FnMut(Event<'_>) -> Result<()>) -> Result<Stop> {
        either!(self, Self, run => run.train(None, watch))
    }
}
