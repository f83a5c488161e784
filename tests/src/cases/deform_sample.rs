//! Problems for deformable samples.

use derefnet::ops::{DeformSample, Op};
use derefnet::tensor::Shape;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Case, Draw, Sizes};
use crate::oracle::deform_sample;
use crate::tolerance::DOT_PRODUCT;

/// Samples of drawn values.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Geometry.
    pub op: DeformSample,
    /// Largest offset, pixels.
    pub reach: u32,
    /// Whether every fifth offset is farther than any integer reaches.
    pub wild: bool,
    /// Of the values.
    pub seed: u64,
}

fn problem(input: Shape, groups: usize, reach: u32, seed: u64) -> Problem {
    Problem {
        op: DeformSample { input, groups },
        reach,
        wild: false,
        seed,
    }
}

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    let sides = (1..4_usize, 1..7_usize, 1..7_usize);
    let channels = (select(vec![1, 2, 8]), 1..5_usize);
    let reach = select(vec![0, 1, 3, 12]);
    (sides, channels, reach, any::<u64>()).prop_map(|((n, h, w), (groups, span), reach, seed)| {
        let c = groups * span;
        problem(Shape { n, h, w, c }, groups, reach, seed)
    })
}

/// That of TDAN, and offsets far outside.
pub fn named() -> Vec<(&'static str, Problem)> {
    let frame = |n, c| Shape { n, h: 11, w: 11, c };
    vec![
        ("alignment", problem(frame(2, 32), 8, 2, 10)),
        ("no displacement", problem(frame(1, 4), 1, 0, 10)),
        ("far outside", problem(frame(1, 4), 2, 20, 10)),
        (
            "beyond all integers",
            Problem {
                wild: true,
                ..problem(frame(1, 4), 2, 2, 10)
            },
        ),
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

    /// Offsets in eighths of a pixel: positions and shares are exact.
    fn inputs(&self) -> Vec<Vec<f32>> {
        let x = Draw::new(self.seed, 0).normal(self.op.input.len(), 1.0);
        let offsets = self.op.offsets().len();
        let mut offsets = Draw::new(self.seed, 1).lattice(offsets, 8, self.reach);
        if self.wild {
            let far = [1e30, -1e30, f32::MAX, f32::MIN];
            let wild = offsets.iter_mut().step_by(5).zip(far.into_iter().cycle());
            wild.for_each(|(offset, far)| *offset = far);
        }
        vec![x, offsets]
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).normal(len, 1.0)
    }

    /// Between four pixels there is a kink.
    fn is_convention(&self, inputs: &[Vec<f64>], input: usize, at: usize) -> bool {
        input == 1 && inputs[1][at].fract() == 0.0
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        deform_sample::forward(&self.op, inputs)
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        deform_sample::backward(&self.op, inputs, dy)
    }

    /// Offsets keep their signs: they say where to sample.
    fn sizes(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Sizes {
        let offsets = self.inputs().swap_remove(1);
        let inputs = [inputs[0].clone(), super::wide(&offsets)];
        Sizes {
            output: deform_sample::forward(&self.op, &inputs),
            gradients: deform_sample::gradients(&self.op, &inputs, dy, false),
        }
    }

    fn tolerance(&self) -> f64 {
        DOT_PRODUCT
    }
}
