//! Problems for batch normalisation.

use derefnet::ops::{Moments, Normalise, Op};
use proptest::prelude::*;
use proptest::sample::select;

use super::{Case, Draw, Sizes, unsigned};
use crate::oracle::normalise;
use crate::tolerance::DOT_PRODUCT;

/// One of its two operators on drawn values.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Whether moments are taken or applied.
    pub applies: bool,
    /// Pixels.
    pub pixels: usize,
    /// Channels.
    pub channels: usize,
    /// Of the values.
    pub seed: u64,
}

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    let pixels = select(vec![1, 2, 33, 121, 1089]);
    (any::<bool>(), pixels, 1..20_usize, any::<u64>()).prop_map(
        |(applies, pixels, channels, seed)| Problem {
            applies,
            pixels,
            channels,
            seed,
        },
    )
}

/// More pixels than one task takes.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |applies| Problem {
        applies,
        pixels: 2_500,
        channels: 16,
        seed: 9,
    };
    vec![("moments", problem(false)), ("normalised", problem(true))]
}

impl Problem {
    /// Values read.
    pub fn work(&self) -> usize {
        self.pixels * self.channels
    }

    fn moments(&self) -> Moments {
        Moments {
            pixels: self.pixels,
            channels: self.channels,
        }
    }

    fn normalise(&self) -> Normalise {
        Normalise {
            pixels: self.pixels,
            channels: self.channels,
            epsilon: 1e-5,
        }
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        if self.applies {
            self.normalise().into()
        } else {
            self.moments().into()
        }
    }

    /// Variances of at least a quarter.
    fn inputs(&self) -> Vec<Vec<f32>> {
        let draw = |purpose, len| Draw::new(self.seed, purpose).normal(len, 1.0);
        let x = draw(0, self.work());
        if !self.applies {
            return vec![x];
        }
        let mut moments = draw(1, 2 * self.channels);
        for v in &mut moments[self.channels..] {
            *v = v.abs() + 0.25;
        }
        vec![x, moments, draw(2, self.channels), draw(3, self.channels)]
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).normal(len, 1.0)
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        if self.applies {
            normalise::forward(&self.normalise(), inputs)
        } else {
            normalise::moments(&self.moments(), inputs)
        }
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        if self.applies {
            normalise::backward(&self.normalise(), inputs, dy)
        } else {
            normalise::moments_backward(&self.moments(), inputs, dy)
        }
    }

    /// Sums in the place of differences from the mean.
    fn sizes(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Sizes {
        let c = self.channels;
        if self.applies {
            let mut inputs = inputs.to_vec();
            inputs[1][..c].iter_mut().for_each(|m| *m = -*m);
            let gradients = normalise::backward(&self.normalise(), &inputs, dy);
            return Sizes {
                output: normalise::forward(&self.normalise(), &inputs),
                gradients: gradients.iter().map(|g| unsigned(g)).collect(),
            };
        }
        let mut output = normalise::moments(&self.moments(), inputs);
        let n = self.pixels as f64;
        for k in 0..c {
            let squares = inputs[0].iter().skip(k).step_by(c).map(|x| x * x);
            output[c + k] = squares.sum::<f64>() / n + output[k] * output[k];
        }
        let gradient = |(at, x): (usize, &f64)| {
            let k = at % c;
            (dy[k] + 2.0 * dy[c + k] * (x + output[k])) / n
        };
        let gradients = vec![inputs[0].iter().enumerate().map(gradient).collect()];
        Sizes { output, gradients }
    }

    fn tolerance(&self) -> f64 {
        DOT_PRODUCT
    }
}
