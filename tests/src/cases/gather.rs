//! Problems for the gather.

use derefnet::ops::{Gather, Op};
use proptest::prelude::*;
use proptest::sample::select;

use super::{Case, Draw};
use crate::oracle::gather;
use crate::tolerance::{DOT_PRODUCT, EXACT};

/// A gather of drawn values with repeated and unread sources.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Geometry.
    pub op: Gather,
    /// Of the values.
    pub seed: u64,
}

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    let item = select(vec![1, 3, 8, 121, 1089]);
    (1..9_usize, item).prop_flat_map(|(sources, item)| {
        let index = prop::collection::vec(0..sources, 1..20);
        (index, any::<u64>()).prop_map(move |(index, seed)| Problem {
            op: Gather {
                index,
                sources,
                item,
            },
            seed,
        })
    })
}

/// Orders that a network uses, and extremes.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |index: &[usize], sources, item| Problem {
        op: Gather {
            index: index.to_vec(),
            sources,
            item,
        },
        seed: 5,
    };
    vec![
        ("identity", problem(&[0, 1, 2], 3, 33)),
        ("reversed", problem(&[2, 1, 0], 3, 33)),
        ("every pair reads one centre", problem(&[1; 8], 3, 1089)),
        ("most sources unread", problem(&[6], 9, 5)),
    ]
}

impl Problem {
    /// Values copied.
    pub fn work(&self) -> usize {
        self.op.index.len() * self.op.item
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        self.op.clone().into()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        vec![Draw::new(self.seed, 0).normal(self.op.sources * self.op.item, 1.0)]
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).normal(len, 1.0)
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        gather::forward(&self.op, inputs)
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        gather::backward(&self.op, inputs, dy)
    }

    fn tolerance(&self) -> f64 {
        EXACT
    }

    fn gradient_tolerance(&self) -> f64 {
        DOT_PRODUCT
    }
}
