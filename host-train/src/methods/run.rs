//! The training of a method, and its run directory.
//!
//! A run directory holds `config.toml`, `checkpoint.safetensors`, `log.csv`, `validation.csv`, an
//! events file for TensorBoard, `best.safetensors` and, whenever it stops, `model.safetensors`. As in
//! [`crate::train`] a resumed run ends in the same bits as an uninterrupted one. In the logs
//! `regression` is the sum of the loss's data terms, `constraint` what the method adds to them, and
//! `align` the loss of its adversary.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::config::MethodConfig;
use super::count::{Plan, plan};
use super::evaluate::results;
use super::marks::judged;
use super::sensor::Sensor;
use super::state::State;
use super::tensors::initialise;
use super::trained::Trained;
use super::{Answers, Method, Network};
use crate::backend::Backend;
use crate::backend::cpu::Cpu;
use crate::dataset::qinit;
use crate::eval::metric::evaluate;
use crate::model::{Parameter, Provenance};
use crate::scene::Trajectory;
use crate::train::adam::to_host;
use crate::train::drive::{Pace, Training, Validation, drive};
use crate::train::journal::Journal;
use crate::train::run::{CHECKPOINT, Event, StepLosses, Stop};
use crate::train::{Best, Optimiser, Ranks, Source, start};
use crate::{Result, atomic};

/// A run in progress; its tensors and moments lie on the device.
pub struct MethodRun<B: Backend = Cpu> {
    folder: PathBuf,
    /// Its trained tensors and moments as of the last checkpoint.
    pub(super) state: State,
    pub(super) source: Source,
    pub(super) method: &'static Method,
    pub(super) network: &'static dyn Network,
    pub(super) plan: Plan,
    pub(super) sensor: Sensor,
    pub(super) backend: B,
    pub(super) values: Vec<B::Buffer>,
    /// Of the method's tensors, and of its adversary's.
    pub(super) optimisers: [Optimiser<B>; 2],
    journal: Journal,
    validation: Vec<Trajectory>,
    /// This process alone.
    ranks: Ranks,
}

impl MethodRun {
    /// [`MethodRun::create_on`] the CPU.
    ///
    /// # Errors
    /// As there.
    pub fn create(folder: &Path, config: MethodConfig, source: Source) -> Result<Self> {
        Self::create_on(Cpu::new(), folder, config, source)
    }

    /// [`MethodRun::resume_on`] the CPU.
    ///
    /// # Errors
    /// As there.
    pub fn resume(
        folder: &Path,
        source: impl FnOnce(&MethodConfig) -> Result<Source>,
    ) -> Result<Self> {
        Self::resume_on(Cpu::new(), folder, source)
    }
}

impl<B: Backend> MethodRun<B> {
    /// Starts a run in `folder`, which must not hold one already.
    ///
    /// # Errors
    /// If the folder holds a checkpoint, cannot be written, or the source has no usable frames.
    pub fn create_on(
        backend: B,
        folder: &Path,
        config: MethodConfig,
        source: Source,
    ) -> Result<Self> {
        config.validate()?;
        source.check(config.validate_noise)?;
        start::vacant(folder)?;
        let plan = plan(config.method()?, Some(&config.variant), config.width)?;
        let qinit = qinit(source.for_qinit(config.qinit_trajectories), config.qinit)?;
        let sensor = Sensor::new(qinit.iter().map(|&q| q as f32).collect());
        let tensors = initialise(&plan.specs, &sensor, config.seed);
        start::write_config(folder, &config)?;
        let state = State::new(config, source.version(), plan.own, tensors);
        state.save(&folder.join(CHECKPOINT), &sensor)?;
        Self::assemble(backend, folder, state, sensor, source)
    }

    /// Continues the run in `folder` where its checkpoint stands.
    ///
    /// # Errors
    /// If there is no checkpoint, it is damaged, or `source` is of another kind than before.
    pub fn resume_on(
        backend: B,
        folder: &Path,
        source: impl FnOnce(&MethodConfig) -> Result<Source>,
    ) -> Result<Self> {
        let checkpoint = folder.join(CHECKPOINT);
        let (state, sensor) = State::load(&checkpoint)?;
        atomic::sweep(folder)?;
        let source = source(&state.config)?.same_as(&state.data_version, &checkpoint)?;
        Self::assemble(backend, folder, state, sensor, source)
    }

    fn assemble(
        backend: B,
        folder: &Path,
        state: State,
        sensor: Sensor,
        source: Source,
    ) -> Result<Self> {
        let config = &state.config;
        let method = config.method()?;
        let upload = |tensor: &Parameter| backend.upload(&tensor.values);
        Ok(Self {
            folder: folder.to_owned(),
            method,
            network: method.network()?,
            plan: plan(method, Some(&config.variant), config.width)?,
            values: state.tensors.iter().map(upload).collect(),
            optimisers: [0, 1].map(|which| Optimiser::new(&backend, &state.adams[which])),
            journal: Journal::open(folder, state.step)?,
            validation: source.held_out(&config.validation_scene(), config.validate_trajectories),
            ranks: Ranks::alone(),
            backend,
            state,
            sensor,
            source,
        })
    }

    /// Configuration of the run.
    pub fn config(&self) -> &MethodConfig {
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

    /// What was logged so far.
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
        watch: impl FnMut(Event<'_>) -> Result<()>,
    ) -> Result<Stop> {
        drive(self, time, watch)
    }

    /// The method with its present tensors.
    ///
    /// # Errors
    /// None that a run which could be made has.
    pub fn trained(&self) -> Result<Trained> {
        let config = &self.state.config;
        let own = self.plan.own;
        let mut tensors = self.state.tensors[..own].to_vec();
        let values = to_host(&self.backend, &self.values[..own]);
        for (tensor, values) in tensors.iter_mut().zip(values) {
            tensor.values = values;
        }
        let sensor = self.sensor.clone();
        Trained::new(self.method, &config.variant, config.width, sensor, tensors)
    }

    fn provenance(&self, validation: Option<[f64; 2]>) -> Provenance {
        let config = &self.state.config;
        Provenance {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            data_version: self.source.version(),
            seed: config.seed,
            steps: self.state.step,
            trajectories: self.state.step * config.batch as u64,
            noise: self.source.is_generated().then_some(config.scene.noise),
            validation,
            ..Provenance::default()
        }
    }
}

impl<B: Backend> Training for MethodRun<B> {
    fn pace(&self) -> Pace<'_> {
        let config = &self.state.config;
        Pace {
            step: self.state.step,
            steps: config.steps,
            schedule: &config.schedule,
            validate_every: config.validate_every,
            checkpoint_every: config.checkpoint_every,
        }
    }

    fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    fn log(&mut self) -> &mut Journal {
        &mut self.journal
    }

    fn best(&mut self) -> &mut Option<Best> {
        &mut self.state.best
    }

    /// The published rules: CSO-mAP alone, the overlap of masks where pixels are marked.
    fn score(best: &Best) -> f64 {
        best.iou.unwrap_or(best.cso_map)
    }

    fn advance(&mut self) -> Result<StepLosses> {
        Self::advance(self)
    }

    fn evaluate(&mut self) -> Result<Validation> {
        let trained = self.trained()?;
        let ready = trained.on(&self.backend);
        if trained.answers() == Answers::Maps {
            let found = results(&ready, &self.validation, || Ok(()))?;
            return Ok(evaluate(&found)?.into());
        }
        let (found, tally) = judged(&ready, &self.validation)?;
        Ok(Validation {
            report: evaluate(&found)?,
            iou: tally.scores().map(|scores| scores.iou),
        })
    }

    fn save(&mut self) -> Result<()> {
        let values = to_host(&self.backend, &self.values);
        for (tensor, values) in self.state.tensors.iter_mut().zip(values) {
            tensor.values = values;
        }
        for (optimiser, adam) in self.optimisers.iter().zip(&mut self.state.adams) {
            optimiser.store(&self.backend, adam);
        }
        self.journal.write()?;
        self.state.save(&self.folder.join(CHECKPOINT), &self.sensor)
    }

    fn save_model(&self, file: &str, validation: Option<[f64; 2]>) -> Result<()> {
        let path = self.folder.join(file);
        let provenance = self.provenance(validation);
        self.trained()?.save(&path, &provenance, false)
    }
}
