//! Problems for the total.

use derefnet::ops::{Op, Total};
use proptest::prelude::*;
use proptest::sample::select;

use super::{Case, Draw, Sizes, unsigned};
use crate::oracle::total;
use crate::tolerance::ELEMENTWISE;

/// A total of drawn values.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Values of the input.
    pub len: usize,
    /// Factor of the sum.
    pub scale: f32,
    /// Of the values.
    pub seed: u64,
}

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    let len = select(vec![1, 7, 8, 9, 17, 519, 1089]);
    let scale = prop_oneof![Just(1.0f32), 1e-4f32..10.0];
    (len, scale, any::<u64>()).prop_map(|(len, scale, seed)| Problem { len, scale, seed })
}

/// More values than one task takes.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = Problem {
        len: 150_001,
        scale: 1.0 / 150_001.0,
        seed: 10,
    };
    vec![("several slices", problem)]
}

impl Problem {
    /// Values read.
    pub fn work(&self) -> usize {
        self.len
    }

    fn total(&self) -> Total {
        Total {
            len: self.len,
            scale: self.scale,
        }
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        self.total().into()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        vec![Draw::new(self.seed, 0).normal(self.len, 1.0)]
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).lattice(len, 8, 2)
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        total::forward(&self.total(), inputs)
    }

    fn backward(&self, _: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        total::backward(&self.total(), dy)
    }

    fn sizes(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Sizes {
        Sizes {
            output: self.forward(inputs),
            gradients: self.backward(inputs, &unsigned(dy)),
        }
    }

    fn tolerance(&self) -> f64 {
        ELEMENTWISE
    }
}
