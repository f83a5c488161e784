//! Problems for the data step.

use derefnet::ops::{DataStep, Op};
use proptest::prelude::*;
use proptest::sample::select;

use super::{Case, Draw, Sizes, unsigned};
use crate::oracle::data_step;
use crate::tolerance::DOT_PRODUCT;

/// A data step of drawn values with a random symmetric `G`.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Geometry.
    pub op: DataStep,
    /// Step length.
    pub rho: f32,
    /// Of the values.
    pub seed: u64,
}

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    let (n, side) = (1..6_usize, select(vec![1, 2, 3, 5, 8, 11]));
    let rho = prop_oneof![Just(0.0f32), -0.5f32..0.5];
    (n, side, rho, any::<u64>()).prop_map(|(n, side, rho, seed)| Problem {
        op: DataStep { n, side },
        rho,
        seed,
    })
}

/// The network's own size, and many maps.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |n, side| Problem {
        op: DataStep { n, side },
        rho: 0.1,
        seed: 3,
    };
    vec![
        ("published", problem(2, 33)),
        ("many maps", problem(40, 5)),
        ("one cell", problem(1, 1)),
    ]
}

impl Problem {
    /// Products of the oracle's forward pass.
    pub fn work(&self) -> usize {
        2 * self.op.n * self.op.side.pow(3)
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        self.op.into()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let side = self.op.side;
        let len = self.op.n * side * side;
        let mut gram = Draw::new(self.seed, 3).normal(side * side, 0.5);
        for k in 0..side * side {
            gram[k] = gram[k.max(k % side * side + k / side)];
        }
        vec![
            Draw::new(self.seed, 0).normal(len, 1.0),
            Draw::new(self.seed, 1).normal(len, 1.0),
            vec![self.rho],
            gram,
        ]
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).normal(len, 1.0)
    }

    fn trained(&self) -> Vec<bool> {
        vec![true, false, true, false]
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        data_step::forward(&self.op, inputs)
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        data_step::backward(&self.op, inputs, dy)
    }

    /// With `-|ρ|` and `-|B|` every term of the equation is positive.
    fn sizes(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Sizes {
        let mut inputs = inputs.to_vec();
        inputs[1].iter_mut().for_each(|b| *b = -*b);
        inputs[2][0] = -inputs[2][0];
        let gradients = data_step::backward(&self.op, &inputs, dy);
        Sizes {
            output: data_step::forward(&self.op, &inputs),
            gradients: gradients.iter().map(|g| unsigned(g)).collect(),
        }
    }

    fn tolerance(&self) -> f64 {
        DOT_PRODUCT
    }
}
