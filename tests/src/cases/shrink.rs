//! Problems for entrywise thresholds.

use derefnet::ops::{Op, Rule, Shrink};
use proptest::prelude::*;
use proptest::sample::select;

use super::{Case, Draw, Sizes};
use crate::oracle::shrink;
use crate::tolerance::ELEMENTWISE;

/// A threshold of drawn values on a lattice of quarters, so that many equal `±θ`.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Geometry.
    pub op: Shrink,
    /// Whether thresholds may be negative.
    pub negative: bool,
    /// Of the values.
    pub seed: u64,
}

const RULES: [Rule; 4] = [
    Rule::Soft,
    Rule::Hard,
    Rule::Support(0.012),
    Rule::Support(0.13),
];

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    let len = select(vec![1, 7, 64, 121]);
    let rule = select(&RULES[..]);
    (1..5_usize, len, rule, any::<bool>(), any::<u64>()).prop_map(
        |(rows, len, rule, negative, seed)| Problem {
            op: Shrink { rows, len, rule },
            negative,
            seed,
        },
    )
}

/// Those of the networks, and thresholds of either sign.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |rule, negative| Problem {
        op: Shrink {
            rows: 3,
            len: 1089,
            rule,
        },
        negative,
        seed: 7,
    };
    vec![
        ("soft", problem(RULES[0], false)),
        ("soft, clamped", problem(RULES[0], true)),
        ("hard", problem(RULES[1], true)),
        ("support of 13 entries", problem(RULES[2], false)),
        ("support of 13 %", problem(RULES[3], true)),
    ]
}

impl Problem {
    /// Values computed.
    pub fn work(&self) -> usize {
        self.op.rows * self.op.len
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        self.op.into()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let len = self.work();
        let mut v = Draw::new(self.seed, 0).lattice(len, 4, 2);
        let free = Draw::new(self.seed, 1).normal(len, 1.0);
        for (v, free) in v.iter_mut().zip(free).skip(1).step_by(3) {
            *v = free;
        }
        let mut theta = Draw::new(self.seed, 2).lattice(len, 4, 1);
        if !self.negative {
            theta.iter_mut().for_each(|t| *t = t.abs());
        }
        vec![v, theta]
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).normal(len, 1.0)
    }

    /// Kinks, jumps, and thresholds whose slope is left out by convention.
    fn is_convention(&self, inputs: &[Vec<f64>], _: usize, at: usize) -> bool {
        let (v, theta) = (inputs[0][at], inputs[1][at]);
        let near = |a: f64, b: f64| (a - b).abs() < 1e-4;
        near(v, 0.0) || near(theta, 0.0) || near(v.abs(), theta)
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        shrink::forward(&self.op, inputs)
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        shrink::backward(&self.op, inputs, dy)
    }

    fn sizes(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Sizes {
        let pairs = inputs[0].iter().zip(&inputs[1]);
        Sizes {
            output: pairs.map(|(v, t)| v + t).collect(),
            gradients: vec![dy.to_vec(); 2],
        }
    }

    fn tolerance(&self) -> f64 {
        ELEMENTWISE
    }
}
