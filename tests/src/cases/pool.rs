//! Problems for pooled maps.

use derefnet::ops::{Op, Pool, Take};
use derefnet::tensor::Shape;
use proptest::prelude::*;
use proptest::sample::select;

use super::{CHANNELS, Case, Draw, SIDES, Sizes};
use crate::oracle::pool;
use crate::tolerance::DOT_PRODUCT;

/// Pooling of drawn values.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Geometry.
    pub op: Pool,
    /// Few different values, so that most maxima are shared.
    pub ties: bool,
    /// Of the values.
    pub seed: u64,
}

const KINDS: [Take; 2] = [Take::Mean, Take::Max];

/// Random problems: windows of any sides up to the whole map.
pub fn problems() -> impl Strategy<Value = Problem> {
    let shape = (1..4_usize, select(&SIDES[..]), select(&CHANNELS[..]));
    let window = (0..1000_usize, 0..1000_usize);
    (
        shape,
        window,
        select(&KINDS[..]),
        any::<bool>(),
        any::<u64>(),
    )
        .prop_map(|((n, (h, w), c), (a, b), take, ties, seed)| Problem {
            op: Pool {
                input: Shape { n, h, w, c },
                window: [1 + a % h, 1 + b % w],
                take,
            },
            ties,
            seed,
        })
}

/// Those of the networks, and sides that windows do not fill.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |(h, w), c, window, take, ties| Problem {
        op: Pool {
            input: Shape { n: 3, h, w, c },
            window,
            take,
        },
        ties,
        seed: 8,
    };
    let (mean, max) = (Take::Mean, Take::Max);
    vec![
        ("halves", problem((16, 16), 16, [2, 2], max, false)),
        ("shared maxima", problem((16, 16), 5, [2, 2], max, true)),
        ("odd sides", problem((7, 5), 3, [2, 2], max, false)),
        ("whole maps", problem((16, 16), 32, [16, 16], max, true)),
        (
            "means of maps",
            problem((16, 16), 32, [16, 16], mean, false),
        ),
        ("odd windows", problem((11, 8), 9, [3, 5], mean, false)),
        ("one pixel", problem((1, 1), 33, [1, 1], max, false)),
    ]
}

impl Problem {
    /// Values read.
    pub fn work(&self) -> usize {
        self.op.input.len()
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
        pool::forward(&self.op, inputs)
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        pool::backward(&self.op, inputs, dy)
    }

    /// The maximum of magnitudes may lie elsewhere than the maximum: every value may win.
    fn sizes(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Sizes {
        let area = (self.op.window[0] * self.op.window[1]) as f64;
        let means = Pool {
            take: Take::Mean,
            ..self.op
        };
        let mut by_x = pool::backward(&means, inputs, dy);
        if self.op.take == Take::Max {
            by_x[0].iter_mut().for_each(|d| *d *= area);
        }
        Sizes {
            output: pool::forward(&self.op, inputs),
            gradients: by_x,
        }
    }

    fn tolerance(&self) -> f64 {
        DOT_PRODUCT
    }
}
