//! How far rounding can move gradients.
//!
//! A ReLU, a soft threshold or an absolute value whose argument lies within rounding of its kink may
//! fall on either side in another order of summation, and the gradient jumps. Runs with weights
//! moved by rounding show which gradients jump, and how far: an estimate of the reference's own
//! rounding error, where no recorded one is at hand.

use std::collections::BTreeMap;

use super::golden::Golden;
use super::results::Results;
use super::{Comparison, relative_l2};
use crate::backend::Backend;
use crate::model::{DeRefNet, Frames};
use crate::rng::Rng;

/// Runs with moved weights.
const RUNS: u64 = 8;
/// Largest relative change of a weight: what rounding leaves in activations deep in the network.
const CHANGE: f64 = 2e-6;
/// How many times the largest change seen a gradient may deviate: other kinks may flip than did in
/// these runs, but not many more.
const FACTOR: f64 = 4.0;
/// No gradient may deviate by more than this, whatever the kinks: a wrong gradient stays a failure.
const MOST: f64 = 0.1;
/// Random numbers of this module.
const DOMAIN: [u8; 8] = *b"kinks   ";

/// Whether kinks may explain the error of `tensor`: of a gradient or of the step along it.
pub(super) fn may_excuse(tensor: &Comparison) -> bool {
    let gradient = tensor.name.starts_with("grad") && tensor.relative_l2 <= MOST;
    gradient || tensor.name.starts_with("adam1.")
}

/// Largest changes seen of every gradient.
#[derive(Default)]
pub(super) struct Kinks {
    relative: BTreeMap<String, f64>,
    elements: BTreeMap<String, Vec<f32>>,
}

impl Kinks {
    /// Compares runs with moved weights with `base`.
    pub(super) fn measure<B: Backend>(
        backend: &B,
        golden: &Golden,
        base: &Results,
        network: &DeRefNet,
        frames: &Frames,
        labels: &[f32],
    ) -> Self {
        let mut kinks = Self::default();
        for run in 0..RUNS {
            let moved = Results::record(backend, golden, &moved(network, run), frames, labels);
            let gradients = base
                .tensors
                .iter()
                .filter(|(name, _)| name.starts_with("grad"));
            for (name, before) in gradients {
                kinks.note(name, before, &moved.tensors[name]);
            }
        }
        kinks
    }

    fn note(&mut self, name: &str, before: &[f32], after: &[f32]) {
        let relative = self.relative.entry(name.to_owned()).or_default();
        *relative = relative.max(relative_l2(after, before));
        let elements = self.elements.entry(name.to_owned()).or_default();
        elements.resize(before.len(), 0.0);
        for ((most, a), b) in elements.iter_mut().zip(after).zip(before) {
            *most = most.max((a - b).abs());
        }
    }

    /// Largest relative error of gradient `name` that kinks excuse; 0 where nothing was measured.
    pub(super) fn tolerance(&self, name: &str) -> f64 {
        let seen = self.relative.get(name).copied().unwrap_or_default();
        (FACTOR * seen).min(MOST)
    }

    /// Largest change of an element of gradient `name`.
    pub(super) fn deviation(&self, name: &str, index: usize) -> f32 {
        let elements = self.elements.get(name);
        elements
            .and_then(|e| e.get(index))
            .copied()
            .unwrap_or_default()
    }
}

/// The network with every weight moved at random by up to [`CHANGE`] of itself.
fn moved(network: &DeRefNet, run: u64) -> DeRefNet {
    let mut network = network.clone();
    let mut rng = Rng::new(0, DOMAIN, run);
    for value in network
        .parameters
        .tensors
        .iter_mut()
        .flat_map(|t| &mut t.values)
    {
        *value *= 1.0 + rng.range(-CHANGE, CHANGE) as f32;
    }
    network
}
