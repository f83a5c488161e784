//! Problems for the leaky rectifier.

use derefnet::ops::{Op, Prelu};
use proptest::prelude::*;
use proptest::sample::select;

use super::{Case, Draw, Sizes};
use crate::oracle::prelu;
use crate::tolerance::ELEMENTWISE;

/// A leaky rectifier of drawn values, some exactly zero.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Values.
    pub len: usize,
    /// Slope of negative ones.
    pub slope: f32,
    /// Of the values.
    pub seed: u64,
}

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    let len = select(vec![1, 7, 16, 513, 1089]);
    let slope = select(vec![0.0, 0.01, 0.2, 1.0, -0.5]);
    (len, slope, any::<u64>()).prop_map(|(len, slope, seed)| Problem { len, slope, seed })
}

/// The slopes in use, and more values than one task takes.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |len, slope| Problem {
        len,
        slope,
        seed: 4,
    };
    vec![
        ("rectifier", problem(300, 0.0)),
        ("leaky", problem(300, 0.2)),
        ("several slices", problem(150_001, 0.1)),
    ]
}

impl Problem {
    /// Values computed.
    pub fn work(&self) -> usize {
        self.len
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        Prelu { len: self.len }.into()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        vec![
            Draw::new(self.seed, 0).normal(self.len, 1.0),
            vec![self.slope],
        ]
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).normal(len, 1.0)
    }

    /// The kink.
    fn is_convention(&self, inputs: &[Vec<f64>], input: usize, at: usize) -> bool {
        input == 0 && inputs[0][at].abs() < 1e-4
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        prelu::forward(inputs)
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        prelu::backward(inputs, dy)
    }

    fn sizes(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Sizes {
        let products = inputs[0].iter().zip(dy).map(|(x, g)| x * g);
        Sizes {
            output: inputs[0].clone(),
            gradients: vec![dy.to_vec(), vec![products.sum()]],
        }
    }

    fn tolerance(&self) -> f64 {
        ELEMENTWISE
    }
}
