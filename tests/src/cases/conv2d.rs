//! Problems for the convolution.

use derefnet::ops::{Activation, Conv2d, Op};
use derefnet::tensor::Shape;
use proptest::prelude::*;
use proptest::sample::select;

use super::{AFFORDABLE, BATCHES, CHANNELS, Case, Draw, SIDES, Sizes, wide};
use crate::oracle::conv2d;
use crate::tolerance::{DOT_PRODUCT, WINOGRAD};

/// A convolution of drawn values.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Geometry.
    pub op: Conv2d,
    /// Values whose sums are exact, so that the ReLU meets exact zeros.
    pub lattice: bool,
    /// Of the values.
    pub seed: u64,
}

/// Makes the geometry cheaper until the oracle is affordable.
fn afford(mut op: Conv2d) -> Conv2d {
    let work = |op: &Conv2d| op.input.n * op.input.pixels() * op.weights();
    for (h, w) in [(11, 11), (5, 3), (1, 2)] {
        if work(&op) > AFFORDABLE && op.input.n > 17 {
            op.input.n = 17;
        } else if work(&op) > AFFORDABLE {
            op.input.n = op.input.n.min(2);
        }
        if work(&op) > AFFORDABLE && op.input.pixels() > h * w {
            (op.input.h, op.input.w) = (h, w);
        }
    }
    op
}

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    let activations = vec![Activation::None, Activation::Relu, Activation::Sigmoid];
    let shape = (
        select(&BATCHES[..]),
        select(&SIDES[..]),
        select(&CHANNELS[..]),
    );
    let layer = (
        select(&CHANNELS[..]),
        select(vec![1, 3, 3, 5, 7, 9]),
        any::<bool>(),
        select(activations),
    );
    (shape, layer, any::<bool>(), any::<u64>()).prop_map(
        |((n, (h, w), c), (out_channels, kernel, bias, activation), lattice, seed)| Problem {
            op: afford(Conv2d {
                input: Shape { n, h, w, c },
                out_channels,
                kernel,
                bias,
                activation,
            }),
            lattice,
            seed,
        },
    )
}

fn layer(n: usize, side: usize, c: usize, out_channels: usize, kernel: usize) -> Conv2d {
    Conv2d {
        input: Shape {
            n,
            h: side,
            w: side,
            c,
        },
        out_channels,
        kernel,
        bias: true,
        activation: Activation::None,
    }
}

/// The network's own layers and the corners of the kernels.
pub fn named() -> Vec<(&'static str, Problem)> {
    let relu = |op| Conv2d {
        activation: Activation::Relu,
        ..op
    };
    let sigmoid = |op| Conv2d {
        activation: Activation::Sigmoid,
        ..op
    };
    let bare = |op| Conv2d { bias: false, ..op };
    let list = [
        ("stage, first", bare(relu(layer(2, 33, 1, 32, 3)))),
        ("stage, inner", bare(relu(layer(1, 33, 32, 32, 3)))),
        ("stage, last", bare(layer(2, 33, 32, 1, 3))),
        ("few channels to tiles", relu(layer(2, 9, 16, 8, 3))),
        ("many channels to tiles", relu(layer(1, 6, 48, 40, 3))),
        ("one tile", layer(1, 3, 16, 16, 3)),
        ("one to a block", relu(layer(3, 4, 1, 16, 3))),
        ("a block to one, floored", relu(layer(3, 5, 48, 1, 3))),
        ("attention half", layer(1, 33, 32, 16, 1)),
        ("attention squeeze", sigmoid(layer(2, 33, 2, 2, 3))),
        ("offsets", layer(1, 33, 32, 18, 3)),
        ("tail, first", relu(layer(2, 33, 5, 32, 3))),
        ("sub-pixel heads", layer(1, 11, 32, 36, 3)),
        ("kernel larger than the map", relu(layer(3, 1, 5, 18, 9))),
        ("one pixel, one channel", layer(1, 1, 1, 1, 1)),
        ("two items a part", relu(layer(17, 3, 3, 33, 3))),
        ("tiles, two items a part", relu(layer(17, 3, 16, 16, 3))),
        ("uneven last part", relu(layer(35, 2, 18, 5, 3))),
    ];
    let problem = |(k, (name, op)): (usize, (&'static str, Conv2d))| {
        let seed = k as u64;
        let lattice = k % 2 == 1;
        (name, Problem { op, lattice, seed })
    };
    list.into_iter().enumerate().map(problem).collect()
}

impl Problem {
    /// Products of the forward pass.
    pub fn work(&self) -> usize {
        self.op.input.n * self.op.input.pixels() * self.op.weights()
    }

    fn fan_in(&self) -> usize {
        self.op.weights() / self.op.out_channels
    }

    /// Whether fast backends may compute this by Winograd's 3×3 tiles. Their transforms divide by
    /// three, and every value of a tile rounds by the size of the largest.
    fn may_go_by_tiles(&self) -> bool {
        let Shape { h, w, c, .. } = self.op.input;
        let whole = h.is_multiple_of(3) && w.is_multiple_of(3);
        self.op.kernel == 3 && whole && c.is_multiple_of(16) && self.op.out_channels >= 8
    }

    /// The same sum without activation.
    fn linear(&self) -> Conv2d {
        Conv2d {
            activation: Activation::None,
            ..self.op
        }
    }
}

/// Raises every value of a channel's 3×3 tile to the largest of them.
fn level_tiles(values: &mut [f64], shape: Shape) {
    let Shape { h, w, c, .. } = shape;
    for map in values.chunks_exact_mut(shape.item()) {
        for corner in 0..h / 3 * (w / 3) * c {
            let (tile, channel) = (corner / c, corner % c);
            let (row, column) = (tile / (w / 3) * 3, tile % (w / 3) * 3);
            let places = (0..9).map(|k| ((row + k / 3) * w + column + k % 3) * c + channel);
            let most = places.clone().map(|at| map[at]).fold(0.0, f64::max);
            places.for_each(|at| map[at] = most);
        }
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        self.op.into()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let mut lengths = vec![self.op.input.len(), self.op.weights()];
        if self.op.bias {
            lengths.push(self.op.out_channels);
        }
        let draw = |(i, &len): (usize, &usize)| {
            let mut draw = Draw::new(self.seed, i as u64);
            match i {
                _ if self.lattice => draw.lattice(len, 2, 1),
                1 => draw.normal(len, 1.0 / (self.fan_in() as f64).sqrt()),
                _ => draw.normal(len, 1.0),
            }
        };
        lengths.iter().enumerate().map(draw).collect()
    }

    /// None where rounding decides on which side of the ReLU's kink a sum lies.
    fn output_gradient(&self, len: usize) -> Vec<f32> {
        let mut dy = Draw::new(self.seed, 9).normal(len, 1.0);
        if self.op.activation == Activation::Relu && (!self.lattice || self.may_go_by_tiles()) {
            let inputs: Vec<Vec<f64>> = self.inputs().iter().map(|i| wide(i)).collect();
            for (g, sum) in dy.iter_mut().zip(conv2d::sums(&self.op, &inputs)) {
                if sum.abs() < 1e-5 {
                    *g = 0.0;
                }
            }
        }
        dy
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        conv2d::forward(&self.op, inputs)
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        conv2d::backward(&self.op, inputs, dy)
    }

    /// Activations have slopes of at most 1. A sigmoid rounds in units of 1, and the error of its
    /// sum enters its slope.
    fn sizes(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Sizes {
        let mut output = conv2d::forward(&self.linear(), inputs);
        let mut dy = dy.to_vec();
        if self.op.activation == Activation::Sigmoid {
            output.iter_mut().for_each(|v| *v += 1.0);
            dy.iter_mut().zip(&output).for_each(|(g, v)| *g *= v);
        }
        let mut gradients = conv2d::backward(&self.linear(), inputs, &dy);
        if self.may_go_by_tiles() {
            level_tiles(&mut output, self.op.output());
            level_tiles(&mut gradients[0], self.op.input);
            for taps in gradients[1].chunks_exact_mut(9) {
                let most = taps.iter().copied().fold(0.0, f64::max);
                taps.fill(most);
            }
        }
        Sizes { output, gradients }
    }

    fn tolerance(&self) -> f64 {
        if self.may_go_by_tiles() {
            WINOGRAD
        } else {
            DOT_PRODUCT
        }
    }
}
