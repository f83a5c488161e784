//! Problems for figures of rows.

use derefnet::ops::{Op, RowCount, RowRms};
use proptest::prelude::*;
use proptest::sample::select;

use super::{Case, Draw};
use crate::oracle::row_stats;
use crate::tolerance::DOT_PRODUCT;

/// A figure of rows of drawn values, the last row of zeros.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Whether entries are counted.
    pub counts: bool,
    /// Rows.
    pub rows: usize,
    /// Entries of a row.
    pub len: usize,
    /// Of the values.
    pub seed: u64,
}

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    let len = select(vec![1, 7, 33, 121, 1089]);
    (any::<bool>(), 1..5_usize, len, any::<u64>()).prop_map(|(counts, rows, len, seed)| Problem {
        counts,
        rows,
        len,
        seed,
    })
}

/// Those of LAMP.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |counts, len| Problem {
        counts,
        rows: 20,
        len,
        seed: 8,
    };
    vec![
        ("noise", problem(false, 121)),
        ("support", problem(true, 1089)),
    ]
}

impl Problem {
    /// Values read.
    pub fn work(&self) -> usize {
        self.rows * self.len
    }

    fn rms(&self) -> RowRms {
        RowRms {
            rows: self.rows,
            len: self.len,
        }
    }

    fn count(&self) -> RowCount {
        RowCount {
            rows: self.rows,
            len: self.len,
            scale: 1.0 / 121.0,
        }
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        if self.counts {
            self.count().into()
        } else {
            self.rms().into()
        }
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let mut values = Draw::new(self.seed, 0).normal(self.work(), 1.0);
        values[(self.rows - 1) * self.len..].fill(0.0);
        vec![values]
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).normal(len, 1.0)
    }

    /// Counts jump at zero, and a row of zeros has a kink.
    fn is_convention(&self, inputs: &[Vec<f64>], _: usize, at: usize) -> bool {
        let row = at / self.len * self.len;
        let zeros = inputs[0][row..row + self.len].iter().all(|v| *v == 0.0);
        zeros || (self.counts && inputs[0][at].abs() < 1e-4)
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        if self.counts {
            row_stats::count(&self.count(), inputs)
        } else {
            row_stats::rms(&self.rms(), inputs)
        }
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        if self.counts {
            vec![vec![0.0; inputs[0].len()]]
        } else {
            row_stats::rms_backward(&self.rms(), inputs, dy)
        }
    }

    fn tolerance(&self) -> f64 {
        DOT_PRODUCT
    }
}
