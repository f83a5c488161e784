//! Problems of the training operators on the integer kernels: the same geometry and the same f64
//! oracle, with integers for values.

use derefnet::ops::{Activation, Conv2d};
use derefnet_core::arch::{Finish, Kernels, MAX_PIXELS, Product, ProductShape, Scaling};
use derefnet_core::fixed::Requant;
use derefnet_tests::cases::{conv2d, soft_threshold};
use derefnet_tests::oracle;
use derefnet_tests::oracle::kernels::requantised;
use derefnet_tests::properties;
use proptest::prelude::*;

use crate::fill::words;

/// Side of the kernels of the integer network.
const SIDE: usize = 3;

/// Integers in `-most..=most` that follow from a seed.
fn integers(seed: u64, len: usize, most: i64) -> Vec<i64> {
    let span = 2 * most as u64 + 1;
    let values = words(seed, len).map(|word| (word % span) as i64 - most);
    values.collect()
}

fn floats(values: &[i64]) -> Vec<f64> {
    values.iter().map(|&v| v as f64).collect()
}

/// A 3×3 convolution of one map no wider than a row of the kernels.
struct Layer {
    op: Conv2d,
    input: Vec<i64>,
    weights: Vec<i64>,
    bias: Vec<i64>,
    factor: Requant,
}

impl Layer {
    fn new(problem: &conv2d::Problem) -> Self {
        let mut op = Conv2d {
            kernel: SIDE,
            bias: true,
            ..problem.op
        };
        op.input.n = 1;
        op.input.w = op.input.w.min(MAX_PIXELS);
        let seed = problem.seed;
        // From all in range to most out of it.
        let factor = 2_f64.powi(-8 - (seed % 8) as i32) * 0.77;
        Self {
            op,
            input: integers(seed, op.input.item(), 4_000),
            weights: integers(!seed, op.weights(), 127),
            bias: integers(seed ^ 1, op.out_channels, 100_000),
            factor: Requant::nearest(factor).unwrap(),
        }
    }

    fn finish(&self) -> Finish {
        match self.op.activation {
            Activation::Relu => Finish::Relu,
            _ => Finish::Plain,
        }
    }

    /// Outputs by the oracle of the training operator: its sums of integers are exact.
    fn expected(&self) -> Vec<i16> {
        let linear = Conv2d {
            activation: Activation::None,
            ..self.op
        };
        let inputs = [&self.input, &self.weights, &self.bias].map(|v| floats(v));
        let sums = oracle::conv2d::forward(&linear, &inputs);
        let factor = (self.factor.multiplier().into(), self.factor.shift().into());
        let output = |sum: f64| requantised(sum as i64, factor, self.finish(), 0).0;
        sums.into_iter().map(output).collect()
    }

    /// Weights as kernel row, kernel column, input channel of every output.
    fn bytes(&self) -> Vec<u8> {
        let (taps, c) = (SIDE * SIDE, self.op.input.c);
        let per_output = self.weights.chunks_exact(taps * c);
        let bytes = per_output.flat_map(|weights| {
            let places = (0..taps).flat_map(|tap| (0..c).map(move |c| c * taps + tap));
            places.map(|at| weights[at] as i8 as u8)
        });
        bytes.collect()
    }

    fn on(&self, set: Kernels) -> Vec<i16> {
        let (h, w, c) = (self.op.input.h, self.op.input.w, self.op.input.c);
        let outputs = self.op.out_channels;
        let (segments, run) = (SIDE, SIDE * c);
        let shape = ProductShape {
            outputs,
            segments,
            run,
        };
        // A pixel of zeros on either side, and what an odd run reads ahead.
        let border = |line: &[i64]| -> Vec<i16> {
            let line = line.iter().map(|&x| x as i16);
            let zeros = std::iter::repeat_n(0, c);
            zeros.clone().chain(line).chain(zeros).chain([0]).collect()
        };
        let lines: Vec<Vec<i16>> = self.input.chunks_exact(w * c).map(border).collect();
        let mut packed = vec![0; shape.packed_len()];
        set.pack(shape, &self.bytes(), &mut packed);
        let mut scaling = Scaling::ZERO;
        for (output, &bias) in self.bias.iter().enumerate() {
            scaling.set(output, bias as i32, self.factor);
        }
        let mut out = vec![0; h * w * outputs];
        for (i, out) in out.chunks_exact_mut(w * outputs).enumerate() {
            let line = |tap: usize| lines.get((i + tap).checked_sub(1)?).map(Vec::as_slice);
            let product = Product {
                shape,
                packed: &packed,
                runs: [line(0), line(1), line(2)],
                stride: c,
                pixels: w,
            };
            let mut sums = vec![0; product.sums_len()];
            set.row(&product, &mut sums, &scaling, self.finish(), (out, outputs));
        }
        out
    }
}

properties! {
    fn convolutions_are_those_of_the_oracle(problem in conv2d::problems()) {
        let layer = Layer::new(&problem);
        let want = layer.expected();
        for set in Kernels::available() {
            prop_assert_eq!(layer.on(set), want.clone(), "{}", set.name());
        }
    }

    /// In steps of a quarter: what the operator does to numbers, the kernels do to their integers.
    fn thresholds_are_those_of_the_oracle(problem in soft_threshold::problems()) {
        let len = problem.len.min(MAX_PIXELS);
        let theta = (4.0 * problem.theta).round();
        let values = integers(problem.seed, len, 60_000);
        let inputs = [floats(&values.iter().map(|v| v / 4).collect::<Vec<_>>()), vec![theta.into()]];
        let want = oracle::soft_threshold::forward(&inputs);
        let want: Vec<i16> = want.into_iter().map(|v| v as i16).collect();
        let sums: Vec<i32> = values.iter().map(|v| (v / 4 * 4) as i32).collect();
        let mut scaling = Scaling::ZERO;
        scaling.set(0, 0, Requant::new(1 << 30, 32).unwrap());
        for set in Kernels::available() {
            let mut out = vec![0; len];
            let finish = Finish::Shrink(theta as i32);
            set.requantise(&sums, 1, &scaling, finish, (&mut out, 1));
            prop_assert_eq!(&out, &want, "{}", set.name());
        }
    }
}
