//! Problems for the likelihood of offsets.

use derefnet::ops::{OffsetLikelihood, Op, Wanted};
use derefnet::rng::Rng;
use proptest::prelude::*;

use super::{Case, Draw, Sizes};
use crate::oracle::offset_likelihood::{LEN, backward, forward};
use crate::tolerance::DOT_PRODUCT;

/// Of the loss. Cells far from a target have a share in it that neither f32 nor a difference of two
/// losses can show.
const UNSEEN: f64 = 1e-7;

/// Drawn answers and targets.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Windows.
    pub windows: usize,
    /// Most targets of a window; the first has as many, the second one less.
    pub most: usize,
    /// Deviation of the drawn numbers.
    pub deviation: f64,
    /// Of the values.
    pub seed: u64,
}

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    (1..4_usize, 0..9_usize, 0.1..3.0, any::<u64>()).prop_map(|(windows, most, deviation, seed)| {
        Problem {
            windows,
            most,
            deviation,
            seed,
        }
    })
}

/// As training begins, and with all cells sure.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |windows, most, deviation| Problem {
        windows,
        most,
        deviation,
        seed: 12,
    };
    vec![
        ("a step's windows", problem(16, 4, 0.3)),
        ("nothing there", problem(2, 0, 1.0)),
        ("extreme numbers", problem(2, 4, 12.0)),
    ]
}

impl Problem {
    /// Cells, and targets beside each.
    pub fn work(&self) -> usize {
        self.windows * 1089 * (1 + self.most)
    }

    /// Anywhere on the map and a little beyond, of one to four units.
    fn targets(&self) -> Vec<Vec<Wanted>> {
        let mut rng = Rng::new(self.seed, *b"testcase", 1);
        let count = |window: usize| self.most - window % (self.most + 1);
        (0..self.windows)
            .map(|window| {
                let mut place = || rng.range(-0.6, 10.6);
                let mut target = |_| [place(), place(), 0.2 * place() + 1.5];
                (0..count(window)).map(&mut target).collect()
            })
            .collect()
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        let targets = self.targets();
        OffsetLikelihood { targets }.into()
    }

    /// Few cells expect a target, as in the network.
    fn inputs(&self) -> Vec<Vec<f32>> {
        let mut values = Draw::new(self.seed, 0).normal(self.windows * LEN, self.deviation);
        values
            .iter_mut()
            .step_by(7)
            .for_each(|presence| *presence -= 4.0);
        vec![values]
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).normal(len, 1.0)
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        vec![forward(&self.targets(), &inputs[0])]
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        let gradient = backward(&self.targets(), &inputs[0], true);
        vec![gradient.iter().map(|g| g * dy[0]).collect()]
    }

    /// Magnitudes of the gradient's terms at the inputs themselves: their signs are no matter of
    /// the inputs' signs.
    fn sizes(&self, _: &[Vec<f64>], dy: &[f64]) -> Sizes {
        let inputs: Vec<f64> = self.inputs()[0].iter().map(|&v| f64::from(v)).collect();
        let loss = 1.0 + forward(&self.targets(), &inputs).abs();
        let gradient = backward(&self.targets(), &inputs, false);
        let size = |g: &f64| dy[0].abs() * (g + UNSEEN * loss);
        Sizes {
            output: vec![loss],
            gradients: vec![gradient.iter().map(size).collect()],
        }
    }

    fn tolerance(&self) -> f64 {
        DOT_PRODUCT
    }
}
