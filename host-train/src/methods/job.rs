//! The loss of a method, and of its adversary, on a tape of any backend.

use std::collections::BTreeMap;

use super::adversarial::{judge_losses, method_loss};
use super::live::Live;
use super::loss::{Summation, record};
use super::net::{Form, Input, Map, Net, Update};
use super::{Adversary, Network};
use crate::autograd::{Tape, Var};
use crate::backend::Backend;

/// A network, the batch that it is trained on, and how.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The network.
    pub network: &'a dyn Network,
    /// Its form; training.
    pub form: Form,
    /// Frames.
    pub input: Input<'a>,
    /// What is wanted of the frames: label maps `(frames, 1089)` or masks `(frames, 121)`, as the
    /// network answers.
    pub labels: &'a [f32],
    /// Weights of the loss.
    pub summation: Summation,
}

/// A loss on a tape.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The sum that is minimised: the root of the backward pass.
    pub total: Var,
    /// The data terms in it, unweighted.
    pub data: Vec<Var>,
    /// The other terms, unweighted.
    pub terms: Vec<Var>,
    /// The method's answer.
    pub map: Option<Map>,
    /// New values of state tensors.
    pub updates: Vec<Update>,
}

impl Job<'_> {
    /// Records the loss of the method; `leaves` are all its tensors, and its adversary's, by name.
    pub fn record<B: Backend>(
        &self,
        tape: &mut Tape<'_, B>,
        leaves: &BTreeMap<String, Var>,
    ) -> Recorded {
        let mut live = Live::new(tape, leaves);
        let mut net = Net::new(&mut live, self.input, self.form);
        let mut answer = self.network.forward(&mut net);
        let mut updates = net.into_updates();
        if let Some(adversary) = self.network.adversary() {
            let setting = (self.input, self.form);
            let (term, more) = method_loss(&mut live, setting, adversary, answer.map, self.labels);
            answer.terms.push(term);
            updates.extend(more);
        }
        let mut net = Net::new(&mut live, self.input, self.form);
        let data = self.network.training(self.form.variant).data;
        let (total, data) = record(&mut net, data, &answer, self.labels, self.summation);
        Recorded {
            total,
            data,
            terms: answer.terms.iter().map(|term| term.value).collect(),
            map: Some(answer.map),
            updates,
        }
    }

    /// Records the loss of `adversary` on label maps and on the method's `maps`.
    pub fn record_adversary<B: Backend>(
        &self,
        tape: &mut Tape<'_, B>,
        leaves: &BTreeMap<String, Var>,
        adversary: Adversary,
        maps: &[f32],
    ) -> Recorded {
        let mut live = Live::new(tape, leaves);
        let setting = (self.input, self.form);
        let (total, updates) = judge_losses(&mut live, setting, adversary, (maps, self.labels));
        Recorded {
            total,
            data: Vec::new(),
            terms: Vec::new(),
            map: None,
            updates,
        }
    }
}
