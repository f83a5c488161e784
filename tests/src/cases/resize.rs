//! Problems for resized maps.

use derefnet::ops::{Interpolation, Op, Resize};
use derefnet::tensor::Shape;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Case, Draw};
use crate::oracle::resize;
use crate::tolerance::ELEMENTWISE;

/// A resize of drawn values.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Geometry.
    pub op: Resize,
    /// Of the values.
    pub seed: u64,
}

const KINDS: [Interpolation; 3] = [
    Interpolation::Nearest,
    Interpolation::Bilinear,
    Interpolation::Aligned,
];

/// Random problems, larger and smaller.
pub fn problems() -> impl Strategy<Value = Problem> {
    let from = (1..4_usize, 1..12_usize, 1..12_usize, 1..20_usize);
    let to = (1..14_usize, 1..14_usize);
    (from, to, select(&KINDS[..]), any::<u64>()).prop_map(|((n, h, w, c), to, kind, seed)| {
        Problem {
            op: Resize {
                input: Shape { n, h, w, c },
                h: to.0,
                w: to.1,
                interpolation: kind,
            },
            seed,
        }
    })
}

/// Those of the networks.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |side, c, to, interpolation| Problem {
        op: Resize {
            input: Shape {
                n: 2,
                h: side,
                w: side,
                c,
            },
            h: to,
            w: to,
            interpolation,
        },
        seed: 6,
    };
    vec![
        ("frame to map", problem(11, 1, 33, Interpolation::Bilinear)),
        (
            "features to map",
            problem(11, 16, 33, Interpolation::Nearest),
        ),
        (
            "one pixel more",
            problem(32, 3, 33, Interpolation::Bilinear),
        ),
        ("twice as large", problem(4, 32, 8, Interpolation::Bilinear)),
        ("the same", problem(5, 2, 5, Interpolation::Bilinear)),
        ("corners meet", problem(8, 16, 16, Interpolation::Aligned)),
        ("every other", problem(16, 16, 8, Interpolation::Aligned)),
        (
            "one pixel everywhere",
            problem(1, 9, 16, Interpolation::Aligned),
        ),
        ("the first pixel", problem(7, 3, 1, Interpolation::Aligned)),
    ]
}

impl Problem {
    /// Products of the forward pass.
    pub fn work(&self) -> usize {
        4 * self.op.output().len()
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
        resize::forward(&self.op, inputs)
    }

    fn backward(&self, _: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        resize::backward(&self.op, dy)
    }

    fn tolerance(&self) -> f64 {
        ELEMENTWISE
    }
}
