//! The training loop and its run directory.
//!
//! A run directory holds `config.toml`, `checkpoint.safetensors`, `log.csv`, `validation.csv`, an
//! events file for TensorBoard, `best.safetensors` and, whenever it stops, `model.safetensors`. Data,
//! schedule and checkpoints depend on step numbers alone, so a resumed run ends in the same bits as
//! an uninterrupted one, on processors with the same vector instructions.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::checkpoint::{Best, Checkpoint};
use super::journal::{Journal, LogRow};
use super::pool::Pool;
use super::source::Source;
use super::{Adam, Optimiser, TrainConfig, start};
use crate::backend::Backend;
use crate::backend::cpu::Cpu;
use crate::eval::metric::Report;
use crate::scene::Trajectory;
use crate::{Error, Result, atomic};

/// File of the last state in a run directory.
pub const CHECKPOINT: &str = "checkpoint.safetensors";
/// File of the model with the best validation.
pub const BEST: &str = "best.safetensors";
/// File of the model at the last stop.
pub const LAST: &str = "model.safetensors";

/// Losses of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepLosses {
    /// Weighted sum.
    pub total: f32,
    /// Sum over stages of the mean squared symmetric residual, unweighted; 0 where not computed.
    pub constraint: f32,
    /// Alignment term, unweighted; 0 where not computed.
    pub align: f32,
    /// Regression term, unweighted; of the offset head its likelihood, which is the total.
    pub regression: f32,
}

/// A run in progress; its parameters, moments and averages lie on the device.
pub struct Run<B: Backend = Cpu> {
    pub(super) folder: PathBuf,
    /// As of the last [`Run::refresh`].
    pub(super) state: Checkpoint,
    pub(super) source: Source,
    pub(super) backend: B,
    pub(super) values: Vec<B::Buffer>,
    pub(super) optimiser: Optimiser<B>,
    pub(super) average: Option<Vec<B::Buffer>>,
    pub(super) rates: Vec<f32>,
    pub(super) journal: Journal,
    pub(super) validation: Vec<Trajectory>,
    pub(super) pool: Pool,
}

/// Why the loop stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// All steps are done.
    Finished,
    /// The time given is over; the checkpoint holds the rest.
    TimeOver,
}

/// What the loop tells its caller.
pub enum Event<'a> {
    /// A step is done.
    Step(u64, &'a StepLosses),
    /// A validation is done.
    Validated(u64, &'a Report),
    /// These stages are dead; see [`DeRefNet::dead_stages`](crate::model::DeRefNet::dead_stages).
    Dead(&'a [usize]),
}

impl Run {
    /// [`Run::create_on`] the CPU.
    ///
    /// # Errors
    /// As there.
    pub fn create(
        folder: &Path,
        config: TrainConfig,
        source: Source,
        start: Option<&Path>,
    ) -> Result<Self> {
        Self::create_on(Cpu::new(), folder, config, source, start)
    }

    /// [`Run::resume_on`] the CPU.
    ///
    /// # Errors
    /// As there.
    pub fn resume(
        folder: &Path,
        source: impl FnOnce(&TrainConfig) -> Result<Source>,
    ) -> Result<Self> {
        Self::resume_on(Cpu::new(), folder, source)
    }
}

impl<B: Backend> Run<B> {
    /// Starts a run in `folder`, which must not hold one already, from drawn weights or from those
    /// of the model file `start`; then its `Q_init` stays, because the weights know no other.
    ///
    /// # Errors
    /// If the folder holds a checkpoint, cannot be written, the source has no usable frames, or
    /// `start` has other sizes than the configuration.
    pub fn create_on(
        backend: B,
        folder: &Path,
        config: TrainConfig,
        source: Source,
        start: Option<&Path>,
    ) -> Result<Self> {
        config.validate()?;
        source.check(&config)?;
        let checkpoint = folder.join(CHECKPOINT);
        let taken = [CHECKPOINT, BEST, LAST].map(|name| folder.join(name));
        if let Some(path) = taken.iter().find(|path| path.exists()) {
            let message = "a run is here already: resume it with --resume or choose another folder";
            return Err(Error::format(path, message));
        }
        let (network, start) = match start {
            Some(path) => {
                let (network, provenance) = start::from_model(path, &config)?;
                (network, Some(provenance))
            }
            None => (start::drawn(&config, &source)?, None),
        };
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        let text = toml::to_string(&config).map_err(|e| Error::usage(e.to_string()))?;
        atomic::write_bytes(folder.join("config.toml"), text.as_bytes())?;
        let lengths = network.parameters.tensors.iter().map(|t| t.values.len());
        let adam = Adam::new(config.adam_in_units(), lengths);
        let tensors = network.parameters.tensors.iter();
        let average = (config.ema > 0.0).then(|| tensors.map(|t| t.values.clone()).collect());
        let state = Checkpoint {
            config,
            data_version: source.version(),
            step: 0,
            best: None,
            start,
            network,
            adam,
            average,
        };
        state.save(&checkpoint)?;
        Self::assemble(backend, folder, state, source)
    }

    /// Continues the run in `folder` where its checkpoint stands.
    ///
    /// # Errors
    /// If there is no checkpoint, it is damaged, or `source` is of another kind than before.
    pub fn resume_on(
        backend: B,
        folder: &Path,
        source: impl FnOnce(&TrainConfig) -> Result<Source>,
    ) -> Result<Self> {
        let checkpoint = folder.join(CHECKPOINT);
        let state = Checkpoint::load(&checkpoint)?;
        atomic::sweep(folder)?;
        let source = source(&state.config)?;
        let (before, now) = (&state.data_version, source.version());
        if !before.is_empty() && *before != now {
            let message = format!(
                "the run began with data '{before}', not '{now}': give the same --data as then"
            );
            return Err(Error::format(checkpoint, message));
        }
        Self::assemble(backend, folder, state, source)
    }

    fn assemble(backend: B, folder: &Path, state: Checkpoint, source: Source) -> Result<Self> {
        let journal = Journal::open(folder, state.step)?;
        let values = state
            .network
            .parameters
            .tensors
            .iter()
            .map(|t| backend.upload(&t.values))
            .collect();
        let optimiser = Optimiser::new(&backend, &state.adam);
        let averages = state.average.as_ref();
        let average = averages.map(|all| all.iter().map(|a| backend.upload(a)).collect());
        let rates = state
            .network
            .parameters
            .tensors
            .iter()
            .map(|t| state.config.rate_factor(&t.name))
            .collect();
        let validation = source.validation(&state.config);
        Ok(Self {
            folder: folder.to_owned(),
            backend,
            state,
            source,
            values,
            optimiser,
            average,
            rates,
            journal,
            validation,
            pool: Pool::default(),
        })
    }

    /// Configuration of the run.
    pub fn config(&self) -> &TrainConfig {
        &self.state.config
    }

    /// Steps taken so far.
    pub fn step(&self) -> u64 {
        self.state.step
    }

    /// Best validation so far.
    pub fn best(&self) -> Option<Best> {
        self.state.best
    }

    /// What was logged so far: training losses and validations.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Trains until all steps are done or `time` is over; `watch` sees every step and validation
    /// and may stop the loop with an error. The state is saved in each case.
    ///
    /// # Errors
    /// If a loss is not finite (the last checkpoint stays), a file cannot be written, or `watch`
    /// says so.
    pub fn train(
        &mut self,
        time: Option<Duration>,
        mut watch: impl FnMut(Event<'_>) -> Result<()>,
    ) -> Result<Stop> {
        let started = Instant::now();
        while self.state.step < self.state.config.steps {
            let step_started = Instant::now();
            let losses = self.advance()?;
            let step = self.state.step;
            self.journal.step(&LogRow::new(
                step,
                self.rate(step - 1),
                &losses,
                step_started,
            ));
            let mut seen = Ok(());
            if step.is_multiple_of(self.state.config.validate_every)
                || step == self.state.config.steps
            {
                let report = self.validate()?;
                seen = watch(Event::Validated(step, &report));
                let dead = self.dead_stages();
                if !dead.is_empty() {
                    seen = seen.and_then(|()| watch(Event::Dead(&dead)));
                }
            }
            let over = time.is_some_and(|limit| started.elapsed() >= limit);
            if step.is_multiple_of(self.state.config.checkpoint_every) || over {
                self.save()?;
            }
            if let Err(stop) = seen.and_then(|()| watch(Event::Step(step, &losses))) {
                self.save()?;
                self.save_last()?;
                return Err(stop);
            }
            if over && step < self.state.config.steps {
                self.save_last()?;
                return Ok(Stop::TimeOver);
            }
        }
        self.save()?;
        self.save_last()?;
        Ok(Stop::Finished)
    }

    pub(super) fn rate(&self, step: u64) -> f32 {
        self.state
            .config
            .schedule
            .rate_at(step, self.state.config.steps)
    }

    /// Validates between two steps, and saves.
    ///
    /// # Errors
    /// If a map is not finite or a file cannot be written.
    pub fn validate_now(&mut self) -> Result<Report> {
        let report = self.validate()?;
        self.save()?;
        Ok(report)
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
