//! Problems for functions of single values.

use derefnet::ops::{Function, Op, Pointwise};
use proptest::prelude::*;
use proptest::sample::select;

use super::{Case, Draw, Sizes};
use crate::oracle::pointwise;
use crate::tolerance::ELEMENTWISE;

/// A function of drawn values.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Geometry.
    pub op: Pointwise,
    /// Of the values.
    pub seed: u64,
}

const FUNCTIONS: [Function; 3] = [
    Function::Scale(-0.7),
    Function::Softplus,
    Function::Reciprocal(2.5),
];

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    let len = select(vec![1, 7, 16, 513, 1089]);
    let function = select(&FUNCTIONS[..]);
    (len, function, any::<u64>()).prop_map(|(len, function, seed)| Problem {
        op: Pointwise { len, function },
        seed,
    })
}

/// Every function over more values than one task takes.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |&function| Problem {
        op: Pointwise {
            len: 70_001,
            function,
        },
        seed: 3,
    };
    let names = ["scale", "softplus", "reciprocal"];
    names
        .into_iter()
        .zip(FUNCTIONS.iter().map(problem))
        .collect()
}

impl Problem {
    /// Values computed.
    pub fn work(&self) -> usize {
        self.op.len
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        self.op.into()
    }

    /// Within ±2: reciprocals stay away from their pole.
    fn inputs(&self) -> Vec<Vec<f32>> {
        vec![Draw::new(self.seed, 0).lattice(self.op.len, 64, 2)]
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).normal(len, 1.0)
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        pointwise::forward(&self.op, inputs)
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        pointwise::backward(&self.op, inputs, dy)
    }

    /// Values lie within ±2, reciprocals within ±2 with slopes within ±4.
    fn sizes(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Sizes {
        Sizes {
            output: inputs[0].iter().map(|x| x + 2.0).collect(),
            gradients: vec![dy.iter().map(|g| 4.0 * g).collect()],
        }
    }

    fn tolerance(&self) -> f64 {
        ELEMENTWISE
    }
}
