//! The training loop and its run directory.
//!
//! A run directory holds `config.toml`, `checkpoint.safetensors`, `log.csv`, `validation.csv`, an
//! events file for TensorBoard, `best.safetensors` and, whenever it stops, `model.safetensors`. Data,
//! schedule and checkpoints depend on step numbers alone, so a resumed run ends in the same bits as
//! an uninterrupted one, on processors with the same vector instructions.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::checkpoint::{Best, Checkpoint};
use super::drive::{Training, drive, validate};
use super::journal::Journal;
use super::pool::Pool;
use super::source::Source;
use super::{Optimiser, Ranks, TrainConfig, start};
use crate::backend::Backend;
use crate::backend::cpu::Cpu;
use crate::eval::metric::Report;
use crate::scene::Trajectory;
use crate::{Result, atomic};

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

impl StepLosses {
    /// All losses, as ranks exchange them.
    pub(super) fn values(&self) -> [f32; 4] {
        [self.total, self.constraint, self.align, self.regression]
    }

    /// The losses of [`StepLosses::values`].
    pub(super) fn from_values([total, constraint, align, regression]: [f32; 4]) -> Self {
        Self {
            total,
            constraint,
            align,
            regression,
        }
    }
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
    pub(super) ranks: Ranks,
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
        Self::create_among(Ranks::alone(), backend, folder, config, source, start)
    }

    /// [`Run::create_on`] together with other ranks, which call this too. The lead alone uses
    /// `folder` and `start`; all train on from its state.
    ///
    /// # Errors
    /// As there, and if `config` or the data are not the same on all ranks or the batch has fewer
    /// trajectories than there are ranks: on every rank, with what the first one met.
    pub fn create_among(
        ranks: Ranks,
        backend: B,
        folder: &Path,
        config: TrainConfig,
        source: Source,
        start: Option<&Path>,
    ) -> Result<Self> {
        ranks.agree(
            config
                .validate()
                .and_then(|()| source.check(config.validate_noise)),
        )?;
        ranks.check(&config)?;
        ranks.same("data", &source.version())?;
        let state = ranks.state_of_lead(folder, || {
            start::fresh(folder, config, &source, start, ranks.count())
        })?;
        Self::assemble(ranks, backend, folder, state, source)
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
        Self::resume_among(Ranks::alone(), backend, folder, source)
    }

    /// [`Run::resume_on`] together with other ranks, which call this too. The lead alone uses
    /// `folder`. There may be more or fewer ranks than before: the run then goes on with sums in
    /// another order.
    ///
    /// # Errors
    /// As there, and if the batch has fewer trajectories than there are ranks: on every rank, with
    /// what the first one met.
    pub fn resume_among(
        ranks: Ranks,
        backend: B,
        folder: &Path,
        source: impl FnOnce(&TrainConfig) -> Result<Source>,
    ) -> Result<Self> {
        let state = ranks.state_of_lead(folder, || {
            let state = Checkpoint::load(&folder.join(CHECKPOINT))?;
            atomic::sweep(folder)?;
            Ok(state)
        })?;
        ranks.check(&state.config)?;
        let checkpoint = folder.join(CHECKPOINT);
        let source = source(&state.config);
        let source = source.and_then(|source| source.same_as(&state.data_version, &checkpoint));
        let source = ranks.agree(source)?;
        Self::assemble(ranks, backend, folder, state, source)
    }

    fn assemble(
        ranks: Ranks,
        backend: B,
        folder: &Path,
        state: Checkpoint,
        source: Source,
    ) -> Result<Self> {
        let lead = ranks.leads();
        let journal = ranks.agree(match lead {
            true => Journal::open(folder, state.step),
            false => Ok(Journal::new(folder)),
        })?;
        let tensors = &state.network.parameters.tensors;
        let values = tensors.iter().map(|t| backend.upload(&t.values)).collect();
        let rates = tensors.iter().map(|t| state.config.rate_factor(&t.name));
        let rates = rates.collect();
        let optimiser = Optimiser::new(&backend, &state.adam);
        let averages = state.average.as_ref();
        let average = averages.map(|all| all.iter().map(|a| backend.upload(a)).collect());
        let validation = lead.then(|| source.validation(&state.config));
        Ok(Self {
            folder: folder.to_owned(),
            backend,
            source,
            values,
            optimiser,
            average,
            rates,
            journal,
            validation: validation.unwrap_or_default(),
            pool: Pool::new(ranks.share(state.config.batch)),
            state,
            ranks,
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

    /// Who trains.
    pub fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    /// How many ranks trained up to the last checkpoint.
    pub fn ranks_before(&self) -> usize {
        self.state.ranks
    }

    /// Trains until all steps are done or `time` is over; `watch` sees every step, on the lead also
    /// every validation, and may stop the loop with an error. The state is saved in each case. What
    /// stops one rank stops all of them after the same step.
    ///
    /// # Errors
    /// If a loss is not finite (the last checkpoint stays), a file cannot be written, or `watch`
    /// says so.
    pub fn train(
        &mut self,
        time: Option<Duration>,
        watch: impl FnMut(Event<'_>) -> Result<()>,
    ) -> Result<Stop> {
        drive(self, time, watch)
    }

    /// Validates between two steps, and saves; on the lead.
    ///
    /// # Errors
    /// If a map is not finite or a file cannot be written.
    pub fn validate_now(&mut self) -> Result<Report> {
        let report = validate(self)?;
        self.save()?;
        Ok(report)
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
