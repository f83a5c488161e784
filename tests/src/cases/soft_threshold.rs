//! Problems for the soft threshold.

use derefnet::ops::{Op, SoftThreshold};
use proptest::prelude::*;
use proptest::sample::select;

use super::{Case, Draw, Sizes};
use crate::oracle::soft_threshold;
use crate::tolerance::ELEMENTWISE;

/// A soft threshold of drawn values on a lattice of quarters, so that many equal `±θ`.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Values.
    pub len: usize,
    /// The threshold.
    pub theta: f32,
    /// Of the values.
    pub seed: u64,
}

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    let len = select(vec![1, 7, 8, 17, 512, 513, 1089]);
    let theta = prop_oneof![select(vec![0.0, 0.25, 1.5, -0.5, 9.0]), -1.0f32..2.0];
    (len, theta, any::<u64>()).prop_map(|(len, theta, seed)| Problem { len, theta, seed })
}

/// Corners: θ at, below and above every value, and more values than one task takes.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |len, theta| Problem {
        len,
        theta,
        seed: 2,
    };
    vec![
        ("zero threshold", problem(300, 0.0)),
        ("negative threshold", problem(300, -0.25)),
        ("threshold above everything", problem(300, 8.0)),
        ("threshold met exactly", problem(300, 0.5)),
        ("several slices", problem(150_001, 0.5)),
    ]
}

impl Problem {
    /// Products of the forward pass.
    pub fn work(&self) -> usize {
        self.len
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        SoftThreshold { len: self.len }.into()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let mut x = Draw::new(self.seed, 0).lattice(self.len, 4, 2);
        let free = Draw::new(self.seed, 1).normal(self.len, 1.0);
        for (x, free) in x.iter_mut().zip(free).skip(1).step_by(3) {
            *x = free;
        }
        vec![x, vec![self.theta]]
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).normal(len, 1.0)
    }

    /// At `|x| = θ` the gradient is 0, even for θ = 0, where `y = x` has slope 1; for negative θ
    /// the output jumps at 0.
    fn is_convention(&self, inputs: &[Vec<f64>], input: usize, at: usize) -> bool {
        let (x, theta) = (inputs[0][at], inputs[1][0]);
        input == 0 && (x.abs() - theta.max(0.0)).abs() < 1e-4
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        soft_threshold::forward(inputs)
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        soft_threshold::backward(inputs, dy)
    }

    fn sizes(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Sizes {
        Sizes {
            output: inputs[0].iter().map(|x| x + inputs[1][0]).collect(),
            gradients: vec![dy.to_vec(), vec![dy.iter().sum()]],
        }
    }

    fn tolerance(&self) -> f64 {
        ELEMENTWISE
    }
}
