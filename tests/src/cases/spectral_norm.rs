//! Problems for spectral normalisation.

use derefnet::ops::{Op, PowerIteration, SpectralNorm};
use proptest::prelude::*;

use super::{Case, Draw, Sizes, unsigned, wide};
use crate::oracle::spectral_norm;
use crate::tolerance::DOT_PRODUCT;

/// One of its two operators on drawn values.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Whether the matrix is divided, or a step of power iteration is taken.
    pub divides: bool,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Of the values.
    pub seed: u64,
}

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    (any::<bool>(), 1..20_usize, 1..40_usize, any::<u64>()).prop_map(
        |(divides, rows, columns, seed)| Problem {
            divides,
            rows,
            columns,
            seed,
        },
    )
}

/// A kernel of the networks.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |divides| Problem {
        divides,
        rows: 64,
        columns: 576,
        seed: 11,
    };
    vec![("step", problem(false)), ("division", problem(true))]
}

impl Problem {
    /// Products of the forward pass.
    pub fn work(&self) -> usize {
        2 * self.rows * self.columns
    }

    fn power(&self) -> PowerIteration {
        PowerIteration {
            rows: self.rows,
            columns: self.columns,
        }
    }

    fn norm(&self) -> SpectralNorm {
        SpectralNorm {
            rows: self.rows,
            columns: self.columns,
        }
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        if self.divides {
            self.norm().into()
        } else {
            self.power().into()
        }
    }

    /// Vectors near the largest singular value, as training keeps them.
    fn inputs(&self) -> Vec<Vec<f32>> {
        let mut w = Draw::new(self.seed, 0).normal(self.rows * self.columns, 1.0);
        w[0] = 3.0;
        let mut u = Draw::new(self.seed, 1).normal(self.rows, 1.0);
        u[0] = 1.0;
        if !self.divides {
            return vec![w, u];
        }
        let mut both = wide(&u);
        for _ in 0..5 {
            both.truncate(self.rows);
            both = spectral_norm::power(&self.power(), &[wide(&w), both]);
        }
        vec![w, both.iter().map(|&v| v as f32).collect()]
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).normal(len, 1.0)
    }

    /// Vectors count as constants, and so does a step.
    fn trained(&self) -> Vec<bool> {
        vec![self.divides, false]
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        if self.divides {
            spectral_norm::forward(&self.norm(), inputs)
        } else {
            spectral_norm::power(&self.power(), inputs)
        }
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        if self.divides {
            spectral_norm::backward(&self.norm(), inputs, dy)
        } else {
            inputs.iter().map(|i| vec![0.0; i.len()]).collect()
        }
    }

    /// Sums run in f64, results are rounded once: no more than the results themselves, and in
    /// gradients their two terms.
    fn sizes(&self, _: &[Vec<f64>], dy: &[f64]) -> Sizes {
        let inputs: Vec<Vec<f64>> = self.inputs().iter().map(|i| wide(i)).collect();
        let output = unsigned(&self.forward(&inputs));
        let gradients = if self.divides {
            let sigma = inputs[0][0] / self.forward(&inputs)[0];
            let product: f64 = inputs[0].iter().zip(dy).map(|(w, g)| (w * g).abs()).sum();
            let (u, v) = inputs[1].split_at(self.rows);
            let value = |(k, g): (usize, &f64)| {
                let outer = u[k / self.columns] * v[k % self.columns];
                (g / sigma).abs() + (product / (sigma * sigma) * outer).abs()
            };
            vec![
                dy.iter().enumerate().map(value).collect(),
                vec![0.0; inputs[1].len()],
            ]
        } else {
            inputs.iter().map(|i| vec![0.0; i.len()]).collect()
        };
        Sizes { output, gradients }
    }

    fn tolerance(&self) -> f64 {
        DOT_PRODUCT
    }
}
