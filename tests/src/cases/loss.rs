//! Problems for the losses and their weighted sum.

use derefnet::ops::{AbsoluteError, Op, SquaredError, WeightedSum};
use proptest::prelude::*;
use proptest::sample::select;

use super::{Case, Draw, Sizes};
use crate::oracle::loss;
use crate::tolerance::ELEMENTWISE;

/// Which loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Squared error of two inputs.
    Squared,
    /// Squared error of one input against zero.
    SquaredNorm,
    /// Absolute error.
    Absolute,
    /// Weighted sum; `len` is the number of scalars.
    Weighted,
}

/// A loss of drawn values.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Which loss.
    pub kind: Loss,
    /// Values per input.
    pub len: usize,
    /// Factor of the sum.
    pub scale: f32,
    /// Of the values.
    pub seed: u64,
}

/// All losses.
pub const KINDS: [Loss; 4] = [
    Loss::Squared,
    Loss::SquaredNorm,
    Loss::Absolute,
    Loss::Weighted,
];

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    let len = select(vec![1, 7, 8, 9, 17]);
    let long = select(vec![512, 519, 1089, 70_000]);
    let scale = prop_oneof![Just(1.0f32), 1e-4f32..10.0];
    (
        select(&KINDS[..]),
        len,
        long,
        any::<bool>(),
        scale,
        any::<u64>(),
    )
        .prop_map(|(kind, short, long, is_long, scale, seed)| Problem {
            kind,
            len: if is_long && kind != Loss::Weighted {
                long
            } else {
                short
            },
            scale,
            seed,
        })
}

/// More values than one task takes, and more terms than one launch does.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |kind, len| Problem {
        kind,
        len,
        scale: 1.0 / 150_001.0,
        seed: 10,
    };
    vec![
        ("several slices", problem(Loss::Squared, 150_001)),
        ("several slices", problem(Loss::SquaredNorm, 150_001)),
        ("several slices", problem(Loss::Absolute, 150_001)),
        ("many terms", problem(Loss::Weighted, 50)),
    ]
}

impl Problem {
    /// Values read.
    pub fn work(&self) -> usize {
        self.len
    }

    fn squared(&self) -> SquaredError {
        SquaredError {
            len: self.len,
            scale: self.scale,
        }
    }

    fn absolute(&self) -> AbsoluteError {
        AbsoluteError {
            len: self.len,
            scale: self.scale,
        }
    }

    fn weighted(&self) -> WeightedSum {
        WeightedSum {
            weights: Draw::new(self.seed, 8).normal(self.len, 1.0),
        }
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        match self.kind {
            Loss::Squared | Loss::SquaredNorm => self.squared().into(),
            Loss::Absolute => self.absolute().into(),
            Loss::Weighted => self.weighted().into(),
        }
    }

    /// Lattice values: a quarter of the differences are exactly zero.
    fn inputs(&self) -> Vec<Vec<f32>> {
        let (count, len) = match self.kind {
            Loss::Squared | Loss::Absolute => (2, self.len),
            Loss::SquaredNorm => (1, self.len),
            Loss::Weighted => (self.len as u64, 1),
        };
        let draw = |i| {
            let mut values = Draw::new(self.seed, i).lattice(len, 2, 1);
            let free = Draw::new(self.seed, 100 + i).normal(len, 1.0);
            for (v, free) in values.iter_mut().zip(free).step_by(2) {
                *v = free;
            }
            values
        };
        (0..count).map(draw).collect()
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).lattice(len, 8, 2)
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        match self.kind {
            Loss::Squared | Loss::SquaredNorm => loss::squared(&self.squared(), inputs),
            Loss::Absolute => loss::absolute(&self.absolute(), inputs),
            Loss::Weighted => loss::weighted(&self.weighted(), inputs),
        }
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        match self.kind {
            Loss::Squared | Loss::SquaredNorm => {
                loss::squared_backward(&self.squared(), inputs, dy)
            }
            Loss::Absolute => loss::absolute_backward(&self.absolute(), inputs, dy),
            Loss::Weighted => loss::weighted_backward(&self.weighted(), dy),
        }
    }

    /// Sums instead of differences: `|a| + |b|` in the place of `a - b`.
    fn sizes(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Sizes {
        let mut inputs = inputs.to_vec();
        if let (Loss::Squared | Loss::Absolute, [_, b]) = (self.kind, &mut inputs[..]) {
            b.iter_mut().for_each(|b| *b = -*b);
        }
        let weighted = WeightedSum {
            weights: self.weighted().weights.iter().map(|w| w.abs()).collect(),
        };
        let everywhere = f64::from(self.scale) * dy[0];
        let (output, gradients) = match self.kind {
            Loss::Weighted => (
                loss::weighted(&weighted, &inputs),
                loss::weighted_backward(&weighted, dy),
            ),
            Loss::Absolute => {
                let output = loss::absolute(&self.absolute(), &inputs);
                (output, vec![vec![everywhere; self.len]; 2])
            }
            Loss::Squared | Loss::SquaredNorm => (
                loss::squared(&self.squared(), &inputs),
                loss::squared_backward(&self.squared(), &inputs, dy),
            ),
        };
        Sizes {
            output,
            gradients: gradients.iter().map(|g| super::unsigned(g)).collect(),
        }
    }

    fn tolerance(&self) -> f64 {
        ELEMENTWISE
    }
}
