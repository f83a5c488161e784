//! Problems for the group scale.

use derefnet::ops::{GroupScale, Op};
use proptest::prelude::*;
use proptest::sample::select;

use super::{Case, Draw};
use crate::oracle::group_scale;
use crate::tolerance::{DOT_PRODUCT, ELEMENTWISE};

/// A group scale of drawn values.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Geometry.
    pub op: GroupScale,
    /// Of the values.
    pub seed: u64,
}

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    let group = select(vec![1, 2, 3, 8, 16, 20]);
    let pixels = select(vec![1, 2, 15, 121, 1089]);
    (pixels, 1..5_usize, group, any::<u64>()).prop_map(|(pixels, groups, group, seed)| Problem {
        op: GroupScale {
            pixels,
            channels: groups * group,
            groups,
        },
        seed,
    })
}

/// The network's own, and more pixels than one task takes.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |pixels, channels, groups| Problem {
        op: GroupScale {
            pixels,
            channels,
            groups,
        },
        seed: 8,
    };
    vec![
        ("published", problem(1089, 32, 2)),
        ("several blocks", problem(3000, 6, 3)),
        ("one group per channel", problem(20, 5, 5)),
    ]
}

impl Problem {
    /// Products of the forward pass.
    pub fn work(&self) -> usize {
        self.op.pixels * self.op.channels
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        self.op.into()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let scales = self.op.pixels * self.op.groups;
        vec![
            Draw::new(self.seed, 0).normal(self.work(), 1.0),
            Draw::new(self.seed, 1).normal(scales, 1.0),
        ]
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).normal(len, 1.0)
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        group_scale::forward(&self.op, inputs)
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        group_scale::backward(&self.op, inputs, dy)
    }

    fn tolerance(&self) -> f64 {
        ELEMENTWISE
    }

    fn gradient_tolerance(&self) -> f64 {
        DOT_PRODUCT
    }
}
