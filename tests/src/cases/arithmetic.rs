//! Problems for elementwise arithmetic.

use derefnet::ops::{Add, Mul, Op, Sub};
use proptest::prelude::*;
use proptest::sample::select;

use super::{Case, Draw, Sizes};
use crate::oracle::arithmetic::{self, Arithmetic};
use crate::tolerance::ELEMENTWISE;

/// A sum, difference or product of drawn values.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Which of the three.
    pub kind: Arithmetic,
    /// Values per input.
    pub len: usize,
    /// Of the values.
    pub seed: u64,
}

/// All three.
pub const KINDS: [Arithmetic; 3] = [Arithmetic::Add, Arithmetic::Sub, Arithmetic::Mul];

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    let len = select(vec![1, 7, 8, 17, 1089]);
    (select(&KINDS[..]), len, any::<u64>()).prop_map(|(kind, len, seed)| Problem {
        kind,
        len,
        seed,
    })
}

/// More values than one task takes.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |kind| Problem {
        kind,
        len: 150_001,
        seed: 9,
    };
    KINDS.map(|kind| ("several slices", problem(kind))).to_vec()
}

impl Problem {
    /// Values computed.
    pub fn work(&self) -> usize {
        self.len
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        let len = self.len;
        match self.kind {
            Arithmetic::Add => Add { len }.into(),
            Arithmetic::Sub => Sub { len }.into(),
            Arithmetic::Mul => Mul { len }.into(),
        }
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        (0..2)
            .map(|i| Draw::new(self.seed, i).normal(self.len, 1.0))
            .collect()
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).normal(len, 1.0)
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        arithmetic::forward(self.kind, inputs)
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        arithmetic::backward(self.kind, inputs, dy)
    }

    fn sizes(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Sizes {
        let kind = match self.kind {
            Arithmetic::Sub => Arithmetic::Add,
            kind => kind,
        };
        Sizes {
            output: arithmetic::forward(kind, inputs),
            gradients: arithmetic::backward(kind, inputs, dy),
        }
    }

    fn tolerance(&self) -> f64 {
        ELEMENTWISE
    }
}
