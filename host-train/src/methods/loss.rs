//! How methods are trained: optimiser, and the terms of their losses.

use derefnet_core::physics::MAP_LEN;
use serde::{Deserialize, Serialize};

use super::detectors::masks_at;
use super::net::{Map, Net};
use super::{Answer, Term};
use crate::autograd::Var;
use crate::ops::{AbsoluteError, MaskLoss, Overlap, SquaredError, WeightedSum};
use crate::tensor::Shape;

/// Which weights the terms of a loss get.
///
/// The authors' framework adds up every entry of a dictionary whose name contains "loss"; most of
/// their models put in both the total and its parts, so that parts count twice or without their
/// weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Summation {
    /// As that sum comes out: what the published networks were trained with.
    #[default]
    Effective,
    /// As written in the authors' own weighted sum.
    Written,
}

/// How far an answer is from the label map or mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Mean of squares.
    Square,
    /// Mean of magnitudes.
    Absolute,
    /// How logits overlap with masks; always over all frames.
    Overlap(Overlap),
}

/// Over which frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Those that are scored.
    Scored,
    /// All.
    All,
    /// All pairs of an answer and a label map of one trajectory, as a subtraction with one axis too
    /// many makes it: answers are drawn to the mean label map of their trajectory.
    Pairs,
    /// Those that are scored, summed instead of averaged over them.
    SumOfScored,
}

/// A term of the loss between answers and label maps.
#[derive(Clone, Copy, Debug)]
pub struct DataTerm {
    /// Distance.
    pub measure: Measure,
    /// Frames.
    pub over: Over,
    /// Its weight as written, and in the sum that is minimised.
    pub weights: [f32; 2],
}

impl DataTerm {
    /// A mean of squares.
    pub const fn square(over: Over, written: f32, effective: f32) -> Self {
        Self {
            measure: Measure::Square,
            over,
            weights: [written, effective],
        }
    }

    /// How logits overlap with the masks of all frames.
    pub const fn overlap(overlap: Overlap) -> Self {
        Self {
            measure: Measure::Overlap(overlap),
            over: Over::All,
            weights: [1.0, 1.0],
        }
    }
}

/// How the authors train a network.
#[derive(Clone, Copy, Debug)]
pub struct Training {
    /// Learning rate of Adam, constant.
    pub rate: f32,
    /// Coupled weight decay.
    pub weight_decay: f32,
    /// Epochs of 3,500 trajectories.
    pub epochs: u32,
    /// Terms between answers and label maps.
    pub data: &'static [DataTerm],
}

impl Training {
    /// Adam at 1e-4 with a weight decay of 1e-5 for 100 epochs, as most of them.
    pub const fn usual(data: &'static [DataTerm]) -> Self {
        Self {
            rate: 1e-4,
            weight_decay: 1e-5,
            epochs: 100,
            data,
        }
    }
}

/// The loss of the learned iterations: over all pairs as run, and frame by frame in their other
/// variants.
pub fn pairs_or_frames(as_run: bool) -> &'static [DataTerm] {
    const PAIRS: &[DataTerm] = &[DataTerm::square(Over::Pairs, 1.0, 1.0)];
    const FRAMES: &[DataTerm] = &[DataTerm::square(Over::All, 1.0, 1.0)];
    if as_run { PAIRS } else { FRAMES }
}

/// Mean of squares over the scored frames.
pub const SCORED: &[DataTerm] = &[DataTerm::square(Over::Scored, 1.0, 1.0)];

/// The loss of `answer` against `labels` of the whole batch, label maps `(frames, 33, 33, 1)` or masks
/// `(frames, 11, 11, 1)`, and of that its data terms.
pub fn record(
    net: &mut Net<'_>,
    data: &[DataTerm],
    answer: &Answer,
    labels: &[f32],
    summation: Summation,
) -> (Var, Vec<Var>) {
    let weight = |[written, effective]: [f32; 2]| match summation {
        Summation::Written => written,
        Summation::Effective => effective,
    };
    let mut terms = Vec::new();
    let mut weights = Vec::new();
    let answers = [&[answer.map][..], &answer.earlier].concat();
    for term in data {
        for &map in &answers {
            terms.push(data_term(net, term, map, labels));
            weights.push(weight(term.weights) / answers.len() as f32);
        }
    }
    let own = terms.clone();
    for Term {
        value,
        written,
        effective,
    } in &answer.terms
    {
        terms.push(*value);
        weights.push(weight([*written, *effective]));
    }
    (net.apply(WeightedSum { weights }, &terms), own)
}

fn data_term(net: &mut Net<'_>, term: &DataTerm, map: Map, labels: &[f32]) -> Var {
    let frames = net.frame_count();
    let side = (labels.len() / frames).isqrt();
    let shape = Shape {
        n: frames,
        h: side,
        w: side,
        c: 1,
    };
    let labels = net.constant(shape, labels);
    let whole = map.shape.n == frames;
    let (map, labels, scale) = match term.over {
        Over::Pairs => return pairs(net, map, labels),
        Over::All => (map, labels, 1.0),
        Over::Scored | Over::SumOfScored => {
            let labels = net.scored(labels);
            let map = if whole { net.scored(map) } else { map };
            let summed = term.over == Over::SumOfScored;
            let windows = net.length() - 4;
            (map, labels, if summed { windows as f32 } else { 1.0 })
        }
    };
    let len = map.shape.len();
    let scale = scale / len as f32;
    let inputs = [map.var, labels.var];
    match term.measure {
        Measure::Square => net.apply(SquaredError { len, scale }, &inputs),
        Measure::Absolute => net.apply(AbsoluteError { len, scale }, &inputs),
        Measure::Overlap(overlap) => {
            let Shape { n, h, w, .. } = map.shape;
            let masks = masks_at(net, labels, h);
            net.apply(MaskLoss { n, h, w, overlap }, &[map.var, masks.var])
        }
    }
}

/// Mean over all pairs of frames of a trajectory and all cells.
fn pairs(net: &mut Net<'_>, map: Map, labels: Map) -> Var {
    let (frames, length) = (map.shape.n, net.length());
    let pair = |k: usize| (k / length, k / (length * length) * length + k % length);
    let all = 0..frames * length;
    let answers = net.select(map, all.clone().map(|k| pair(k).0).collect());
    let labels = net.select(labels, all.map(|k| pair(k).1).collect());
    let len = frames * length * MAP_LEN;
    let scale = 1.0 / len as f32;
    net.apply(SquaredError { len, scale }, &[answers.var, labels.var])
}
