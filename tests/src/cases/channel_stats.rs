//! Problems for the channel statistics.

use derefnet::ops::{ChannelStats, Op};
use proptest::prelude::*;
use proptest::sample::select;

use super::{CHANNELS, Case, Draw, Sizes};
use crate::oracle::channel_stats;
use crate::tolerance::DOT_PRODUCT;

/// Channel statistics of drawn values.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Geometry.
    pub op: ChannelStats,
    /// Few different values, so that most maxima are shared.
    pub ties: bool,
    /// Of the values.
    pub seed: u64,
}

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    let pixels = select(vec![1, 2, 15, 121, 1089]);
    (pixels, select(&CHANNELS[..]), any::<bool>(), any::<u64>()).prop_map(
        |(pixels, channels, ties, seed)| Problem {
            op: ChannelStats { pixels, channels },
            ties,
            seed,
        },
    )
}

/// More pixels than one task takes, with and without shared maxima.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |pixels, channels, ties| Problem {
        op: ChannelStats { pixels, channels },
        ties,
        seed: 7,
    };
    vec![
        ("published", problem(1089, 32, false)),
        ("several blocks", problem(3000, 3, false)),
        ("shared maxima", problem(3000, 18, true)),
    ]
}

impl Problem {
    /// Values read.
    pub fn work(&self) -> usize {
        self.op.pixels * self.op.channels
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        self.op.into()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let mut draw = Draw::new(self.seed, 0);
        vec![match self.ties {
            true => draw.lattice(self.work(), 1, 2),
            false => draw.normal(self.work(), 1.0),
        }]
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).normal(len, 1.0)
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        channel_stats::forward(&self.op, inputs)
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        channel_stats::backward(&self.op, inputs, dy)
    }

    /// The maximum of magnitudes may lie elsewhere than the maximum: every channel may win.
    fn sizes(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Sizes {
        let c = self.op.channels;
        let gradient = dy.chunks(2).flat_map(|d| vec![d[0] / c as f64 + d[1]; c]);
        Sizes {
            output: channel_stats::forward(&self.op, inputs),
            gradients: vec![gradient.collect()],
        }
    }

    fn tolerance(&self) -> f64 {
        DOT_PRODUCT
    }
}
