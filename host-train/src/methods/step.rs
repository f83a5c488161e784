//! One optimisation step of a method, and of its adversary.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Adversary;
use super::job::{Job, Recorded};
use super::live::{leaves, updated};
use super::net::{Form, Input};
use super::run::MethodRun;
use crate::autograd::{Tape, Var};
use crate::backend::Backend;
use crate::backend::cpu::{Buffer, Cpu};
use crate::eval::network::batch;
use crate::model::Frames;
use crate::scene::{Trajectory, label_map};
use crate::train::adam::clip;
use crate::train::run::StepLosses;
use crate::{Error, Result};

/// What a pass leaves.
struct Passed {
    losses: StepLosses,
    /// One per tensor in `range`.
    gradients: Vec<Option<Buffer>>,
    range: Range<usize>,
    states: Vec<(usize, Vec<f32>)>,
    /// Maps of all frames, where an adversary judges them.
    maps: Vec<f32>,
}

/// Frames and label maps of a step.
struct Batch {
    frames: Frames,
    labels: Vec<f32>,
}

impl Batch {
    fn new(trajectories: &[Trajectory]) -> Self {
        let truth = trajectories.iter().flat_map(|t| &t.truth);
        Self {
            frames: batch(trajectories),
            labels: truth.flat_map(|targets| label_map(targets)).collect(),
        }
    }
}

impl MethodRun {
    /// One optimisation step.
    pub(super) fn advance(&mut self) -> Result<StepLosses> {
        let config = &self.state.config;
        let (size, period) = (config.batch, config.train_trajectories);
        let batch = Batch::new(&self.source.batch(self.state.step, size, period));
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
    fn descend(&mut self, which: usize, passed: Passed) -> Result<Vec<f32>> {
        if !passed.losses.total.is_finite() {
            return Err(Error::CheckFailed(format!(
                "the loss of step {} is {}; the last checkpoint is kept; try a lower schedule.rate",
                self.state.step + 1,
                passed.losses.total
            )));
        }
        let mut gradients = passed.gradients;
        clip(&mut gradients, self.state.config.clip_norm);
        let rates = vec![self.rate(); passed.range.len()];
        let values = &mut self.values[passed.range];
        self.state.adams[which].step(&rates, values, &gradients);
        for gradient in gradients.into_iter().flatten() {
            self.backend.recycle(gradient);
        }
        for (at, values) in passed.states {
            self.values[at].copy_from_slice(&values);
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
            small: config.small,
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
    fn method_pass(&self, batch: &Batch) -> Passed {
        let range = 0..self.plan.own;
        let mut tape = Tape::new(&self.backend);
        let leaves = leaves(&mut tape, &self.plan, &self.values, range.clone());
        let recorded = self.job(batch).record(&mut tape, &leaves);
        let judged = recorded.map.filter(|_| self.network.adversary().is_some());
        let maps = judged.map_or_else(Vec::new, |map| tape.download(map.var));
        self.passed(tape, &recorded, &leaves, (range, maps))
    }

    /// Loss and gradients of the adversary on label maps and on the method's `maps`.
    fn adversary_pass(&self, batch: &Batch, maps: &[f32], adversary: Adversary) -> Passed {
        let range = self.plan.own..self.plan.specs.len();
        let mut tape = Tape::new(&self.backend);
        let leaves = leaves(&mut tape, &self.plan, &self.values, range.clone());
        let job = self.job(batch);
        let recorded = job.record_adversary(&mut tape, &leaves, adversary, maps);
        self.passed(tape, &recorded, &leaves, (range, Vec::new()))
    }

    fn passed(
        &self,
        tape: Tape<'_, Cpu>,
        recorded: &Recorded,
        leaves: &BTreeMap<String, Var>,
        (range, maps): (Range<usize>, Vec<f32>),
    ) -> Passed {
        let scalar = |var: Var| tape.value(var)[0];
        let sum = |vars: &[Var]| vars.iter().map(|&v| scalar(v)).sum();
        let losses = StepLosses {
            total: scalar(recorded.total),
            constraint: sum(&recorded.terms),
            align: 0.0,
            regression: sum(&recorded.data),
        };
        let states = updated(&tape, &self.state.tensors, &recorded.updates);
        Passed {
            losses,
            gradients: self.gradients(tape, recorded.total, leaves, range.clone()),
            range,
            states,
            maps,
        }
    }

    /// Gradients of `total` by the tensors in `range`.
    fn gradients(
        &self,
        mut tape: Tape<'_, Cpu>,
        total: Var,
        leaves: &BTreeMap<String, Var>,
        range: Range<usize>,
    ) -> Vec<Option<Buffer>> {
        let mut gradients = tape.backward(total, &[]);
        let specs = self.plan.specs[range].iter();
        specs
            .map(|spec| gradients.take(leaves[&spec.name]))
            .collect()
    }
}
