//! Problems for the losses of masks.

use derefnet::ops::{MaskLoss, Op, Overlap};
use proptest::prelude::*;
use proptest::sample::select;

use super::{Case, Draw, Sizes, wide};
use crate::oracle::mask_loss;
use crate::tolerance::ELEMENTWISE;

/// Drawn logits and masks.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Geometry.
    pub op: MaskLoss,
    /// Pixels of a mask in a hundred.
    pub filled: u32,
    /// Of the values.
    pub seed: u64,
}

const KINDS: [Overlap; 2] = [Overlap::Soft, Overlap::Sensitive];

/// Random problems, with empty and with full masks.
pub fn problems() -> impl Strategy<Value = Problem> {
    let shape = (1..7_usize, 1..17_usize, 1..17_usize);
    let filled = select(vec![0, 5, 30, 100]);
    (shape, select(&KINDS[..]), filled, any::<u64>()).prop_map(
        |((n, h, w), overlap, filled, seed)| Problem {
            op: MaskLoss { n, h, w, overlap },
            filled,
            seed,
        },
    )
}

/// Those of the networks, and more frames than threads of a block.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |n, side, overlap| Problem {
        op: MaskLoss {
            n,
            h: side,
            w: side,
            overlap,
        },
        filled: 20,
        seed: 4,
    };
    vec![
        ("frames", problem(20, 11, Overlap::Soft)),
        ("frames", problem(20, 11, Overlap::Sensitive)),
        ("a coarse level", problem(20, 2, Overlap::Sensitive)),
        ("many frames", problem(300, 4, Overlap::Soft)),
        ("many frames", problem(300, 4, Overlap::Sensitive)),
    ]
}

impl Problem {
    /// Values read.
    pub fn work(&self) -> usize {
        20 * self.op.n * self.op.h * self.op.w
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        self.op.into()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let len = self.op.n * self.op.h * self.op.w;
        let mut draw = Draw::new(self.seed, 1);
        let mask = |_| f32::from(u8::from((draw.pick(100) as u32) < self.filled));
        let mask = (0..len).map(mask).collect();
        vec![Draw::new(self.seed, 0).normal(len, 2.0), mask]
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).lattice(len, 8, 2)
    }

    fn trained(&self) -> Vec<bool> {
        vec![true, false]
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        mask_loss::forward(&self.op, inputs)
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        mask_loss::backward(&self.op, inputs, dy)
    }

    /// Losses are differences of shares, of which there are three at most. Slopes are sums whose terms
    /// share the factor `p (1 - p)` and are no larger than the largest slope by any `p`.
    fn sizes(&self, _: &[Vec<f64>], dy: &[f64]) -> Sizes {
        let inputs: Vec<Vec<f64>> = self.inputs().iter().map(|i| wide(i)).collect();
        let slope = |z: &f64| {
            let p = 1.0 / (1.0 + (-z).exp());
            p * (1.0 - p)
        };
        let exact = mask_loss::backward(&self.op, &inputs, dy);
        let by_p = exact[0]
            .iter()
            .zip(&inputs[0])
            .map(|(d, z)| (d / slope(z)).abs());
        let largest = by_p.fold(0.0, f64::max);
        let by_z = inputs[0].iter().map(|z| slope(z) * largest);
        Sizes {
            output: vec![3.0],
            gradients: vec![by_z.collect(), vec![0.0; inputs[1].len()]],
        }
    }

    fn tolerance(&self) -> f64 {
        ELEMENTWISE
    }
}
