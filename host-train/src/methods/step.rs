//! One optimisation step of a method, and of its adversary.

use std::collections::BTreeMap;
use std::ops::Range;

use super::adversarial::{judge_losses, method_loss};
use super::live::{Live, leaves, updated};
use super::loss::record;
use super::net::{Form, Input, Net};
use super::run::MethodRun;
use super::{Adversary, Answer};
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

    fn input<'a>(&'a self, frames: &'a Frames) -> Input<'a> {
        Input {
            counts: &frames.counts,
            length: frames.length,
            sensor: &self.sensor,
        }
    }

    /// Loss and gradients of the method.
    fn method_pass(&self, batch: &Batch) -> Passed {
        let range = 0..self.plan.own;
        let mut tape = Tape::new(&self.backend);
        let leaves = leaves(&mut tape, &self.plan, &self.values, range.clone());
        let mut live = Live::new(&mut tape, &leaves);
        let mut net = Net::new(&mut live, self.input(&batch.frames), self.form());
        let mut answer = self.network.forward(&mut net);
        let mut updates = net.into_updates();
        if let Some(adversary) = self.network.adversary() {
            updates.extend(self.judged(&mut live, batch, adversary, &mut answer));
        }
        let mut net = Net::new(&mut live, self.input(&batch.frames), self.form());
        let data = self.network.training(&self.state.config.variant).data;
        let summation = self.state.config.summation;
        let (total, terms) = record(&mut net, data, &answer, &batch.labels, summation);
        let scalar = |var: Var| tape.value(var)[0];
        let regression = terms.iter().map(|&v| scalar(v)).sum();
        let losses = StepLosses {
            total: scalar(total),
            constraint: answer.terms.iter().map(|term| scalar(term.value)).sum(),
            align: 0.0,
            regression,
        };
        let states = updated(&tape, &self.state.tensors, &updates);
        let maps = match self.network.adversary() {
            Some(_) => tape.download(answer.map.var),
            None => Vec::new(),
        };
        Passed {
            losses,
            gradients: self.gradients(tape, total, &leaves, range.clone()),
            range,
            states,
            maps,
        }
    }

    /// Adds the adversarial term to `answer`.
    fn judged(
        &self,
        live: &mut Live<'_, '_, Cpu>,
        batch: &Batch,
        adversary: Adversary,
        answer: &mut Answer,
    ) -> Vec<super::net::Update> {
        let input = self.input(&batch.frames);
        let (term, updates) = method_loss(
            live,
            (input, self.form()),
            adversary,
            answer.map,
            &batch.labels,
        );
        answer.terms.push(term);
        updates
    }

    /// Loss and gradients of the adversary on label maps and on the method's `maps`.
    fn adversary_pass(&self, batch: &Batch, maps: &[f32], adversary: Adversary) -> Passed {
        let range = self.plan.own..self.plan.specs.len();
        let mut tape = Tape::new(&self.backend);
        let leaves = leaves(&mut tape, &self.plan, &self.values, range.clone());
        let mut live = Live::new(&mut tape, &leaves);
        let input = self.input(&batch.frames);
        let both = (maps, batch.labels.as_slice());
        let (total, updates) = judge_losses(&mut live, (input, self.form()), adversary, both);
        let losses = StepLosses {
            total: tape.value(total)[0],
            ..StepLosses::default()
        };
        let states = updated(&tape, &self.state.tensors, &updates);
        Passed {
            losses,
            gradients: self.gradients(tape, total, &leaves, range.clone()),
            range,
            states,
            maps: Vec::new(),
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
