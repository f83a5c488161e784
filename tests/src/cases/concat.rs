//! Problems for the concatenation.

use derefnet::ops::{Concat, Op};
use proptest::prelude::*;
use proptest::sample::select;

use super::{Case, Draw};
use crate::oracle::concat;
use crate::tolerance::EXACT;

/// A concatenation of drawn values.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Geometry.
    pub op: Concat,
    /// Of the values.
    pub seed: u64,
}

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    let channels = prop::collection::vec(1..9_usize, 1..6);
    let pixels = select(vec![1, 2, 15, 121, 1089]);
    (pixels, channels, any::<u64>()).prop_map(|(pixels, channels, seed)| Problem {
        op: Concat { pixels, channels },
        seed,
    })
}

/// The network's own two, and more pixels than one task takes.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |pixels, channels: &[usize]| Problem {
        op: Concat {
            pixels,
            channels: channels.to_vec(),
        },
        seed: 6,
    };
    vec![
        ("attention halves", problem(1089, &[16, 16])),
        ("window", problem(2178, &[1; 5])),
        ("several blocks", problem(5000, &[2, 1, 3])),
    ]
}

impl Problem {
    /// Values copied.
    pub fn work(&self) -> usize {
        self.op.pixels * self.op.channels.iter().sum::<usize>()
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        self.op.clone().into()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let draw = |(i, c): (usize, &usize)| {
            Draw::new(self.seed, i as u64).normal(self.op.pixels * c, 1.0)
        };
        self.op.channels.iter().enumerate().map(draw).collect()
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).normal(len, 1.0)
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        concat::forward(&self.op, inputs)
    }

    fn backward(&self, _: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        concat::backward(&self.op, dy)
    }

    fn tolerance(&self) -> f64 {
        EXACT
    }
}
