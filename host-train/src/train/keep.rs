//! What the loop does with a run: validations, and what is kept of them.

use std::borrow::Cow;

use derefnet_core::locate::LocateConfig;

use super::Ranks;
use super::adam::to_host;
use super::checkpoint::Best;
use super::config::Objective;
use super::drive::{Pace, Training, Validation};
use super::journal::Journal;
use super::run::{CHECKPOINT, Run, StepLosses};
use crate::Result;
use crate::backend::Backend;
use crate::eval::metric::evaluate;
use crate::eval::network::{Inference, batch, grid_results};
use crate::eval::offgrid::{Localiser, Method, frame_results};
use crate::model::{DeRefNet, Provenance};

impl<B: Backend> Training for Run<B> {
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

    fn score(best: &Best) -> f64 {
        best.score()
    }

    fn advance(&mut self) -> Result<StepLosses> {
        Self::advance(self)
    }

    fn save_model(&self, file: &str, validation: Option<[f64; 2]>) -> Result<()> {
        let path = self.folder.join(file);
        self.model()
            .save(&path, &self.provenance(validation), false)
    }

    /// Dead stages on the first validation trajectory.
    fn dead_stages(&self) -> Vec<usize> {
        let frames = batch(self.validation.first());
        self.model().dead_stages(&self.backend, &frames.counts)
    }

    fn evaluate(&mut self) -> Result<Validation> {
        self.refresh();
        let model = self.model();
        let inference = Inference::new(&model, &self.backend);
        let results = match self.state.config.objective {
            Objective::Map => grid_results(&inference, &self.validation, || Ok(()))?,
            Objective::Offsets => {
                let config = LocateConfig::SEQ_CSIST;
                let head = Localiser::new(Some(&inference), Method::Head, config)?;
                let answers = head.trajectories(&self.validation, || Ok(()))?;
                frame_results(&self.validation, &answers)
            }
        };
        Ok(evaluate(&results)?.into())
    }

    /// Checks that all ranks have the same weights: nothing else would show if one had strayed.
    fn compare_weights(&self) -> Result<()> {
        if self.ranks.count() == 1 {
            return Ok(());
        }
        let mut crc = crc32fast::Hasher::new();
        for value in to_host(&self.backend, &self.values).iter().flatten() {
            crc.update(&value.to_le_bytes());
        }
        let what = "the checksum of the weights (ranks need processors with the same vector \
                    instructions, or GPUs of one kind)";
        self.ranks.same(what, &format!("{:08x}", crc.finalize()))
    }

    fn save(&mut self) -> Result<()> {
        self.refresh();
        self.state.ranks = self.ranks.count();
        self.journal.write()?;
        self.state.save(&self.folder.join(CHECKPOINT))
    }
}

impl<B: Backend> Run<B> {
    pub(super) fn provenance(&self, validation: Option<[f64; 2]>) -> Provenance {
        let config = &self.state.config;
        Provenance {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            data_version: self.source.version(),
            seed: config.seed,
            steps: self.state.step,
            trajectories: self.state.step * config.batch as u64,
            noise: self.source.is_generated().then_some(config.scene.noise),
            centerness: Some(config.loss.centerness).filter(|&c| c > 0.0),
            validation,
            start: self.state.start.clone().map(Box::new),
            head: None,
        }
    }

    /// The model to validate and to keep: the network, with averaged weights if there are any.
    pub(super) fn model(&self) -> Cow<'_, DeRefNet> {
        let Some(average) = &self.state.average else {
            return Cow::Borrowed(&self.state.network);
        };
        let mut model = self.state.network.clone();
        for (tensor, values) in model.parameters.tensors.iter_mut().zip(average) {
            tensor.values.copy_from_slice(values);
        }
        Cow::Owned(model)
    }

    /// Copies what was trained to the host's state.
    pub(super) fn refresh(&mut self) {
        let values = to_host(&self.backend, &self.values);
        let tensors = self.state.network.parameters.tensors.iter_mut();
        for (tensor, values) in tensors.zip(values) {
            tensor.values = values;
        }
        self.optimiser.store(&self.backend, &mut self.state.adam);
        let average = self.average.as_ref();
        self.state.average = average.map(|average| to_host(&self.backend, average));
    }
}
