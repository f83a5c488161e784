//! Problems for the deformable convolution.

use derefnet::ops::{DeformConv2d, Op};
use derefnet::tensor::Shape;
use proptest::prelude::*;
use proptest::sample::select;

use super::{AFFORDABLE, BATCHES, CHANNELS, Case, Draw, SIDES, Sizes};
use crate::oracle::deform_conv2d;
use crate::tolerance::DOT_PRODUCT;

/// Where the samples lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offsets {
    /// Exactly on the ordinary taps.
    Zero,
    /// Whole pixels: every sample on a kink, many on the border of the map and beyond.
    Whole,
    /// A 1024th beside whole pixels: just inside and just outside the map.
    Brink,
    /// Sixteenths of pixels, up to three pixels away.
    Near,
    /// 1024ths of pixels, up to twelve pixels away.
    Fine,
    /// Anything of the above, and offsets of up to the largest number.
    Wild,
}

/// A deformable convolution of drawn values.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Geometry.
    pub op: DeformConv2d,
    /// Where the samples lie.
    pub offsets: Offsets,
    /// Of the values.
    pub seed: u64,
}

fn afford(mut op: DeformConv2d) -> DeformConv2d {
    let work = |op: &DeformConv2d| op.input.len() * 9 * (op.out_channels + 4);
    for (h, w) in [(11, 11), (5, 3), (1, 2)] {
        if work(&op) > AFFORDABLE {
            op.input.n = op.input.n.min(17);
        }
        if work(&op) > AFFORDABLE && op.input.pixels() > h * w {
            (op.input.h, op.input.w) = (h, w);
        }
    }
    op
}

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    use Offsets::{Brink, Fine, Near, Whole, Wild, Zero};
    let shape = (
        select(&BATCHES[..]),
        select(&SIDES[..]),
        select(&CHANNELS[..]),
    );
    let offsets = select(vec![Zero, Whole, Brink, Near, Fine, Wild]);
    (shape, select(&CHANNELS[..]), offsets, any::<u64>()).prop_map(
        |((n, (h, w), c), out_channels, offsets, seed)| Problem {
            op: afford(DeformConv2d {
                input: Shape { n, h, w, c },
                out_channels,
            }),
            offsets,
            seed,
        },
    )
}

/// The network's own layers and the corners of the kernels.
pub fn named() -> Vec<(&'static str, Problem)> {
    let problem = |n, side, c, out_channels, offsets| Problem {
        op: DeformConv2d {
            input: Shape {
                n,
                h: side,
                w: side,
                c,
            },
            out_channels,
        },
        offsets,
        seed: 1,
    };
    // Of 50,000 random problems the one whose slope is so small that the outputs' roundings show.
    let slight = Problem {
        op: DeformConv2d {
            input: Shape {
                n: 4,
                h: 1,
                w: 2,
                c: 40,
            },
            out_channels: 1,
        },
        offsets: Offsets::Brink,
        seed: 1_862_847_191_482_205_517,
    };
    vec![
        ("a slope of next to nothing", slight),
        ("published", problem(1, 33, 32, 32, Offsets::Fine)),
        ("edge", problem(1, 33, 16, 16, Offsets::Near)),
        ("start of training", problem(2, 33, 16, 16, Offsets::Zero)),
        ("on the border lines", problem(4, 3, 32, 18, Offsets::Whole)),
        (
            "beside the border lines",
            problem(4, 3, 16, 18, Offsets::Brink),
        ),
        ("one pixel", problem(3, 1, 3, 2, Offsets::Near)),
        ("far away", problem(5, 5, 32, 8, Offsets::Wild)),
        (
            "far away, portable channels",
            problem(5, 5, 5, 8, Offsets::Wild),
        ),
        ("several parts", problem(35, 3, 16, 5, Offsets::Near)),
    ]
}

impl Problem {
    /// Products of the forward pass.
    pub fn work(&self) -> usize {
        self.op.input.len() * 9 * (self.op.out_channels + 4)
    }

    /// Positions that are exact in f32, near the map; anywhere outside otherwise.
    fn offset(&self, draw: &mut Draw) -> f32 {
        const FAR: [f32; 8] = [40.0, -40.0, 1e3, -1e5, 3e9, -3e9, f32::MAX, f32::MIN];
        let kind = match self.offsets {
            Offsets::Wild => match draw.pick(5) {
                0 => return FAR[draw.pick(FAR.len())],
                1 => Offsets::Whole,
                2 => Offsets::Fine,
                _ => Offsets::Near,
            },
            kind => kind,
        };
        match kind {
            Offsets::Zero => 0.0,
            Offsets::Whole => draw.lattice(1, 1, 3)[0],
            Offsets::Brink => draw.lattice(1, 1, 3)[0] + draw.lattice(1, 1, 1)[0] / 1024.0,
            Offsets::Near => draw.lattice(1, 16, 3)[0],
            Offsets::Fine | Offsets::Wild => draw.lattice(1, 1024, 12)[0],
        }
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        self.op.into()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let weights = self.op.out_channels * self.op.input.c * 9;
        let deviation = 1.0 / (self.op.input.c as f64 * 9.0).sqrt();
        let mut draw = Draw::new(self.seed, 1);
        let count = self.op.input.n * self.op.input.pixels() * 18;
        vec![
            Draw::new(self.seed, 0).normal(self.op.input.len(), 1.0),
            (0..count).map(|_| self.offset(&mut draw)).collect(),
            Draw::new(self.seed, 2).normal(weights, deviation),
        ]
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, 9).normal(len, 1.0)
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        deform_conv2d::forward(&self.op, inputs)
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        deform_conv2d::backward(&self.op, inputs, dy)
    }

    /// Offsets are places, not factors: they keep their signs.
    fn sizes(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Sizes {
        let offsets = self.inputs()[1].iter().map(|&v| f64::from(v)).collect();
        let inputs = [inputs[0].clone(), offsets, inputs[2].clone()];
        Sizes {
            output: deform_conv2d::forward(&self.op, &inputs),
            gradients: deform_conv2d::absolute(&self.op, &inputs, dy),
        }
    }

    fn tolerance(&self) -> f64 {
        DOT_PRODUCT
    }
}
