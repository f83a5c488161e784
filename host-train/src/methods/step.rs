//! One optimisation step of a method, and of its adversary.

use std::collections::BTreeMap;
use std::ops::Range;

use super::job::{Job, Recorded};
use super::live::{leaves, updated};
use super::net::{Form, Input};
use super::run::MethodRun;
use super::{Adversary, Answers};
use crate::autograd::{Tape, Var};
use crate::backend::Backend;
use crate::eval::network::batch;
use crate::model::Frames;
use crate::scene::Trajectory;
use crate::train::drive::Training;
use crate::train::run::StepLosses;
use crate::{Error, Result};

/// What a pass leaves.
struct Passed<B: Backend> {
    losses: StepLosses,
    /// One per tensor in `range`.
    gradients: Vec<Option<B::Buffer>>,
    range: Range<usize>,
    states: Vec<(usize, Vec<f32>)>,
    /// Maps of all frames, where an adversary judges them.
    maps: Vec<f32>,
}

/// Frames of a step, and the label maps or masks wanted of them.
struct Batch {
    frames: Frames,
    labels: Vec<f32>,
}

impl Batch {
    fn new(trajectories: &[Trajectory], answers: Answers) -> Self {
        Self {
            frames: batch(trajectories),
            labels: answers.wanted(trajectories.iter().flat_map(|t| &t.truth)),
        }
    }
}

impl<B: Backend> MethodRun<B> {
    /// One optimisation step.
    pub(super) fn advance(&mut self) -> Result<StepLosses> {
        let config = &self.state.config;
        let (size, period) = (config.batch, config.train_trajectories);
        let numbered = self.source.batch(self.state.step, size, period, &(0..size));
        let trajectories: Vec<Trajectory> = numbered.into_iter().map(|(_, t)| t).collect();
        let batch = Batch::new(&trajectories, self.network.answers());
        let passed = self.backend.pass(|| self.method_pass(&batch));
        let mut losses = passed.losses;
        let maps = self.descend(0, passed)?;
        if let Some(adversary) = self.network.adversary() {
            let pass = || self.adversary_pass(&batch, &maps, adversary);
            let passed = self.backend.pass(pass);
            losses.align = passed.losses.total;
            self.descend(1, passed)?;
        }
        self.state.step += 1;
        Ok(losses)
    }

    /// Moves the tensors of a pass; returns its maps.
    fn descend(&mut self, which: usize, passed: Passed<B>) -> Result<Vec<f32>> {
        if !passed.losses.total.is_finite() {
            return Err(Error::CheckFailed(format!(
                "the loss of step {} is {}; the last checkpoint is kept; try a lower schedule.rate",
                self.state.step + 1,
                passed.losses.total
            )));
        }
        let mut gradients = passed.gradients;
        let limit = self.state.config.clip_norm;
        if limit > 0.0 {
            let mut gradients: Vec<&mut B::Buffer> = gradients.iter_mut().flatten().collect();
            self.backend.clip(&mut gradients, limit);
        }
        let rates = vec![self.pace().rate(); passed.range.len()];
        let values = &mut self.values[passed.range];
        self.optimisers[which].step(&self.backend, &rates, values, &gradients);
        for gradient in gradients.into_iter().flatten() {
            self.backend.recycle(gradient);
        }
        for (at, values) in passed.states {
            self.values[at] = self.backend.upload(&values);
            self.state.tensors[at].values = values;
        }
        Ok(passed.maps)
    }

    fn form(&self) -> Form {
        let config = &self.state.config;
        let variants = self.method.variants.iter();
        let mut named = variants.filter(|v| v.name == config.variant);
        Form {
            variant: named.next().map_or("", |v| v.name),
            width: config.width,
            training: true,
        }
    }

    fn job<'a>(&'a self, batch: &'a Batch) -> Job<'a> {
        Job {
            network: self.network,
            form: self.form(),
            input: Input {
                counts: &batch.frames.counts,
                length: batch.frames.length,
                sensor: &self.sensor,
            },
            labels: &batch.labels,
            summation: self.state.config.summation,
        }
    }

    /// Loss and gradients of the method.
    fn method_pass(&self, batch: &Batch) -> Passed<B> {
        let range = 0..self.plan.own;
        let mut tape = Tape::new(&self.backend);
        let leaves = leaves(&mut tape, &self.plan, &self.values, range.clone());
        let recorded = self.job(batch).record(&mut tape, &leaves);
        let judged = recorded.map.filter(|_| self.network.adversary().is_some());
        let maps = judged.map_or_else(Vec::new, |map| tape.download(map.var));
        self.passed(tape, &recorded, &leaves, (range, maps))
    }

    /// Loss and gradients of the adversary on label maps and on the method's `maps`.
    fn adversary_pass(&self, batch: &Batch, maps: &[f32], adversary: Adversary) -> Passed<B> {
        let range = self.plan.own..self.plan.specs.len();
        let mut tape = Tape::new(&self.backend);
        let leaves = leaves(&mut tape, &self.plan, &self.values, range.clone());
        let job = self.job(batch);
        let recorded = job.record_adversary(&mut tape, &leaves, adversary, maps);
        self.passed(tape, &recorded, &leaves, (range, Vec::new()))
    }

    fn passed(
        &self,
        tape: Tape<'_, B>,
        recorded: &Recorded,
        leaves: &BTreeMap<String, Var>,
        (range, maps): (Range<usize>, Vec<f32>),
    ) -> Passed<B> {
        let states = updated(&tape, &self.state.tensors, &recorded.updates);
        let (losses, gradients) = self.gradients(tape, recorded, leaves, range.clone());
        Passed {
            losses,
            gradients,
            range,
            states,
            maps,
        }
    }

    /// Values of the terms, and gradients of the total by the tensors in `range`. The values are on
    /// their way to the host while the backward pass begins.
    fn gradients(
        &self,
        mut tape: Tape<'_, B>,
        recorded: &Recorded,
        leaves: &BTreeMap<String, Var>,
        range: Range<usize>,
    ) -> (StepLosses, Vec<Option<B::Buffer>>) {
        let vars = [recorded.total].into_iter();
        let vars = vars.chain(recorded.data.iter().copied());
        let vars = vars.chain(recorded.terms.iter().copied());
        let buffers: Vec<&B::Buffer> = vars.map(|var| tape.value(var)).collect();
        let pending = self.backend.start_download(&buffers);
        let mut gradients = tape.backward(recorded.total, &[]);
        let specs = self.plan.specs[range].iter();
        let gradients = specs.map(|spec| gradients.take(leaves[&spec.name]));
        let gradients = gradients.collect();
        let values = self.backend.finish_download(pending).concat();
        let (data, terms) = values[1..].split_at(recorded.data.len());
        let losses = StepLosses {
            total: values[0],
            constraint: terms.iter().sum(),
            align: 0.0,
            regression: data.iter().sum(),
        };
        (losses, gradients)
    }
}
