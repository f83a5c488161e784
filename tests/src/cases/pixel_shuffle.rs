//! Problems for the pixel shuffle.

use derefnet::ops::{Op, PixelShuffle};
use derefnet::tensor::Shape;
use proptest::prelude::*;

use super::{Case, Draw};
use crate::oracle::pixel_shuffle;
use crate::tolerance::EXACT;

/// A pixel shuffle of drawn values.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Geometry.
    pub op: PixelShuffle,
    /// Of the values.
    pub seed: u64,
}

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    let sides = (1..5_usize, 1..6_usize, 1..5_usize);
    (1..4_usize, sides, 1..4_usize, any::<u64>()).prop_map(|(n, (h, w, c), factor, seed)| {
        let c = c * factor * factor;
        Problem {
            op: PixelShuffle {
                input: Shape { n, h, w, c },
                factor,
            },
            seed,
        }
    })
}

/// Those of the networks.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |n, c| Problem {
        op: PixelShuffle {
            input: Shape { n, h: 11, w: 11, c },
            factor: 3,
        },
        seed: 5,
    };
    vec![
        ("to one channel", problem(20, 9)),
        ("features", problem(2, 288)),
    ]
}

impl Problem {
    /// Values copied.
    pub fn work(&self) -> usize {
        self.op.input.len()
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        self.op.into()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        vec![Draw::new(self.seed, 0).normal(self.op.input.len(), 1.0)]
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).normal(len, 1.0)
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        pixel_shuffle::forward(&self.op, inputs)
    }

    fn backward(&self, _: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        pixel_shuffle::backward(&self.op, dy)
    }

    fn tolerance(&self) -> f64 {
        EXACT
    }
}
