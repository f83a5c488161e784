//! Problems for strided and transposed convolutions.

use derefnet::ops::{Op, Stride, StridedConv2d, TransposedConv2d};
use derefnet::tensor::Shape;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Case, Draw};
use crate::oracle::strided_conv2d;
use crate::tolerance::DOT_PRODUCT;

/// One of the two on drawn values.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Whether it is the transposed one.
    pub transposed: bool,
    /// Shape of the input.
    pub input: Shape,
    /// Output channels.
    pub out_channels: usize,
    /// Geometry.
    pub by: Stride,
    /// Whether there is a bias.
    pub bias: bool,
    /// Of the values.
    pub seed: u64,
}

fn by(kernel: usize, stride: usize, padding: usize) -> Stride {
    Stride {
        kernel,
        stride,
        padding,
    }
}

/// Random problems; batches of more than 16 maps share parts of a reduction.
pub fn problems() -> impl Strategy<Value = Problem> {
    let sides = (select(vec![1, 2, 3, 17]), 4..9_usize, 4..9_usize);
    let channels = select(vec![1, 2, 5, 16, 18]);
    let layer = (channels.clone(), channels, any::<bool>(), any::<bool>());
    let by = (1..5_usize, 1..4_usize, 0..2_usize);
    (sides, layer, by, any::<u64>()).prop_map(
        |((n, h, w), (c, out_channels, bias, transposed), (kernel, stride, padding), seed)| {
            Problem {
                transposed,
                input: Shape { n, h, w, c },
                out_channels,
                // Wider borders than kernels would leave outputs that see nothing.
                by: Stride {
                    kernel,
                    stride,
                    padding: padding.min(kernel / 2),
                },
                bias,
                seed,
            }
        },
    )
}

/// Those of the networks.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |transposed, side, (c, out_channels), by| Problem {
        transposed,
        input: Shape {
            n: 2,
            h: side,
            w: side,
            c,
        },
        out_channels,
        by,
        bias: c == 8,
        seed: 12,
    };
    vec![
        ("map to frame", problem(false, 33, (8, 8), by(7, 3, 2))),
        ("frame to map", problem(true, 11, (8, 8), by(7, 3, 2))),
        ("halved", problem(false, 33, (4, 16), by(2, 2, 0))),
        ("doubled", problem(true, 4, (16, 8), by(2, 2, 0))),
        ("adversary", problem(false, 33, (3, 33), by(4, 2, 1))),
        (
            "down to one pixel",
            problem(false, 2, (32, 32), by(4, 2, 1)),
        ),
    ]
}

impl Problem {
    fn strided(&self) -> StridedConv2d {
        StridedConv2d {
            input: self.input,
            out_channels: self.out_channels,
            by: self.by,
            bias: self.bias,
        }
    }

    fn transposed(&self) -> TransposedConv2d {
        TransposedConv2d {
            input: self.input,
            out_channels: self.out_channels,
            by: self.by,
            bias: self.bias,
        }
    }

    fn weights(&self) -> usize {
        self.strided().weights()
    }

    /// Products of the forward pass.
    pub fn work(&self) -> usize {
        let small = if self.transposed {
            self.input
        } else {
            self.strided().output()
        };
        small.n * small.pixels() * self.weights()
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        if self.transposed {
            self.transposed().into()
        } else {
            self.strided().into()
        }
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let lengths = [self.input.len(), self.weights(), self.out_channels];
        let inputs = &lengths[..if self.bias { 3 } else { 2 }];
        let draw = |(i, &len): (usize, &usize)| Draw::new(self.seed, i as u64).normal(len, 1.0);
        inputs.iter().enumerate().map(draw).collect()
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).normal(len, 1.0)
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        if self.transposed {
            strided_conv2d::transposed(&self.transposed(), inputs)
        } else {
            strided_conv2d::strided(&self.strided(), inputs)
        }
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        if self.transposed {
            strided_conv2d::transposed_backward(&self.transposed(), inputs, dy)
        } else {
            strided_conv2d::strided_backward(&self.strided(), inputs, dy)
        }
    }

    fn tolerance(&self) -> f64 {
        DOT_PRODUCT
    }
}
