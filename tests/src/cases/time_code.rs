//! Problems for the position code.

use derefnet::ops::{Op, TimeCode};
use proptest::prelude::*;
use proptest::sample::select;

use super::{Case, Draw, Sizes};
use crate::oracle::time_code;
use crate::tolerance::DOT_PRODUCT;

/// A position code of drawn values.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Cells of a map.
    pub len: usize,
    /// Times, twentieths from zero on.
    pub times: usize,
    /// Deviation of the weights: large ones saturate the sigmoid.
    pub spread: f32,
    /// Of the values.
    pub seed: u64,
}

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    let len = select(vec![1, 2, 7, 9, 33, 40]);
    let spread = select(vec![0.1, 1.0, 8.0]);
    (len, 1..21_usize, spread, any::<u64>()).prop_map(|(len, times, spread, seed)| Problem {
        len,
        times,
        spread,
        seed,
    })
}

/// The network's own size.
pub fn named() -> Vec<(&'static str, Problem)> {
    let published = Problem {
        len: 1089,
        times: 5,
        spread: 0.05,
        seed: 4,
    };
    vec![("published", published)]
}

impl Problem {
    /// Products of the forward pass.
    pub fn work(&self) -> usize {
        self.len * self.len * self.times
    }

    fn geometry(&self) -> TimeCode {
        TimeCode {
            times: (0..self.times).map(|t| t as f32 / 20.0).collect(),
            len: self.len,
        }
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        self.geometry().into()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let spread = f64::from(self.spread);
        vec![
            Draw::new(self.seed, 0).normal(self.len * self.len, spread),
            Draw::new(self.seed, 1).normal(self.len, 1.0),
        ]
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).normal(len, 1.0)
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        time_code::forward(&self.geometry(), inputs)
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        time_code::backward(&self.geometry(), inputs, dy)
    }

    /// The sigmoid rounds in units of 1, and its sum in units of `|b| + t · Σ|W|`; the slope of
    /// the sigmoid carries both into the gradients.
    fn sizes(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Sizes {
        let op = self.geometry();
        let sum = |i: usize| {
            inputs[0][i * self.len..(i + 1) * self.len]
                .iter()
                .sum::<f64>()
        };
        let mut output = Vec::new();
        let mut gradients = vec![Vec::new(), vec![0.0; self.len]];
        let mut columns = vec![0.0; self.len];
        for &t in &op.times {
            for i in 0..self.len {
                let size = 1.0 + inputs[1][i] + f64::from(t) * sum(i);
                let d = dy[output.len()] * size;
                output.push(size);
                gradients[1][i] += d;
                columns[i] += f64::from(t) * d;
            }
        }
        gradients[0] = columns.iter().flat_map(|&c| vec![c; self.len]).collect();
        Sizes { output, gradients }
    }

    fn tolerance(&self) -> f64 {
        DOT_PRODUCT
    }
}
