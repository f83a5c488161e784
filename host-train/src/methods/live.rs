//! Networks of this module on a tape that computes.

use std::collections::BTreeMap;

use super::count::Plan;
use super::net::{Recorder, Update};
use super::tensors::{Role, Spec};
use crate::autograd::{Tape, Var};
use crate::backend::Backend;
use crate::model::Parameter;
use crate::ops::Op;

/// A tape with the tensors of a method on it.
pub(crate) struct Live<'t, 'a, B: Backend> {
    pub(crate) tape: &'t mut Tape<'a, B>,
    leaves: &'t BTreeMap<String, Var>,
}

impl<'t, 'a, B: Backend> Live<'t, 'a, B> {
    pub(crate) fn new(tape: &'t mut Tape<'a, B>, leaves: &'t BTreeMap<String, Var>) -> Self {
        Self { tape, leaves }
    }
}

impl<B: Backend> Recorder for Live<'_, '_, B> {
    fn apply(&mut self, op: Op, inputs: &[Var]) -> Var {
        self.tape.apply(op, inputs)
    }

    fn constant(&mut self, values: &[f32]) -> Var {
        self.tape.constant(values)
    }

    fn tensor(&mut self, spec: Spec) -> Var {
        let found = self.leaves.get(&spec.name);
        *found.unwrap_or_else(|| panic!("no tensor {} was declared", spec.name))
    }
}

/// Puts all tensors, whose values are `values`, on the tape; those in `trained` have gradients
/// unless they have another role.
pub fn leaves<'a, B: Backend>(
    tape: &mut Tape<'a, B>,
    plan: &Plan,
    values: &'a [B::Buffer],
    trained: std::ops::Range<usize>,
) -> BTreeMap<String, Var> {
    let tensors = plan.specs.iter().zip(values).enumerate();
    let leaf = |(at, (spec, value)): (usize, (&Spec, &'a B::Buffer))| {
        let needed = trained.contains(&at) && spec.role == Role::Trained;
        (spec.name.clone(), tape.leaf(value, needed))
    };
    tensors.map(leaf).collect()
}

/// New values of state tensors, before the tape frees them.
pub(crate) fn updated<B: Backend>(
    tape: &Tape<'_, B>,
    tensors: &[Parameter],
    updates: &[Update],
) -> Vec<(usize, Vec<f32>)> {
    let place = |name: &str| tensors.iter().position(|t| t.name == name);
    let moved = |update: &Update| {
        let at = place(&update.name)?;
        let old = &tensors[at].values;
        let new = tape.download(update.value);
        let half = old.len() / 2;
        let values = old.iter().zip(new).enumerate().map(|(i, (old, new))| {
            let factor = if i < half { 1.0 } else { update.second_half };
            old + update.share * (factor * new - old)
        });
        Some((at, values.collect()))
    };
    updates.iter().filter_map(moved).collect()
}
