//! One problem struct per operator: draws inputs, knows its f64 reference, runs on any backend.
//!
//! A problem is its geometry and a seed; so a failure prints as a literal that becomes a named
//! case (`named()` of each module) as it stands.

pub mod adam;
pub mod arithmetic;
pub mod channel_stats;
pub mod check;
pub mod concat;
pub mod conv2d;
pub mod data_step;
pub mod deform_conv2d;
pub mod deform_sample;
pub mod exported;
pub mod gather;
mod graph;
pub mod group_scale;
pub mod loss;
pub mod mask_loss;
pub mod method_step;
pub mod normalise;
pub mod offset_likelihood;
pub mod per_item;
pub mod pixel_shuffle;
pub mod pointwise;
pub mod pool;
pub mod prelu;
pub mod resize;
pub mod row_stats;
pub mod shrink;
pub mod soft_threshold;
pub mod spectral_norm;
pub mod strided_conv2d;
pub mod time_code;
pub mod total;
pub mod training_step;

use std::fmt::Debug;

use derefnet::ops::Op;
use derefnet::rng::Rng;

/// Products that the oracle of one random problem may cost.
pub const AFFORDABLE: usize = 60_000;

/// Channel counts around every block width of the kernels.
pub const CHANNELS: [usize; 12] = [1, 2, 3, 5, 8, 16, 18, 24, 32, 33, 40, 48];

/// Map sides `(rows, columns)`: smaller than a kernel, odd, of whole tiles, and the network's own.
pub const SIDES: [(usize, usize); 10] = [
    (3, 3),
    (6, 9),
    (1, 1),
    (5, 3),
    (3, 5),
    (1, 12),
    (9, 1),
    (11, 11),
    (4, 23),
    (33, 33),
];

/// Batches; more than 16 items make several items share one part of a reduction.
pub const BATCHES: [usize; 8] = [1, 2, 3, 4, 5, 16, 17, 35];

/// Values of an output or of gradients per input, each with the size of what was summed up: the
/// same formula without signs, so that rounding is judged against it and not against what is left
/// after cancellation.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// Per output value.
    pub output: Vec<f64>,
    /// Per gradient value.
    pub gradients: Vec<Vec<f64>>,
}

/// A problem for one operator.
pub trait Case: Debug {
    /// The operator.
    fn op(&self) -> Op;

    /// Its inputs.
    fn inputs(&self) -> Vec<Vec<f32>>;

    /// Gradient of the loss by its output, of `len` values.
    fn output_gradient(&self, len: usize) -> Vec<f32>;

    /// Which inputs have a gradient.
    fn trained(&self) -> Vec<bool> {
        vec![true; self.inputs().len()]
    }

    /// Whether the gradient by value `at` of `input` is a convention there instead of a slope.
    fn is_convention(&self, _inputs: &[Vec<f64>], _input: usize, _at: usize) -> bool {
        false
    }

    /// The output by the equations.
    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64>;

    /// The gradients by the equations; empty where there is none.
    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>>;

    /// Sizes of all results for inputs and gradients without signs.
    fn sizes(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Sizes {
        Sizes {
            output: self.forward(inputs),
            gradients: self.backward(inputs, dy),
        }
    }

    /// Allowed error of outputs, in units of their size.
    fn tolerance(&self) -> f64;

    /// Allowed error of gradients, in units of their size.
    fn gradient_tolerance(&self) -> f64 {
        self.tolerance()
    }
}

/// Draws the values of a problem.
#[derive(Clone, Debug)]
pub struct Draw(Rng);

impl Draw {
    /// Values of `purpose` (input number, say) of the problem with `seed`.
    pub fn new(seed: u64, purpose: u64) -> Self {
        Self(Rng::new(seed, *b"testcase", purpose))
    }

    /// Normal values of the given deviation, one in eight exactly zero.
    pub fn normal(&mut self, len: usize, deviation: f64) -> Vec<f32> {
        (0..len)
            .map(|_| match self.0.below(8) {
                0 => 0.0,
                _ => (deviation * self.0.gaussian()) as f32,
            })
            .collect()
    }

    /// Multiples of `1 / unit` in `-reach..=reach`: sums and products of a few thousand are exact
    /// in f32, so that zeros, ties and kinks are met exactly by kernels and oracles alike.
    pub fn lattice(&mut self, len: usize, unit: u32, reach: u32) -> Vec<f32> {
        let span = 2 * reach * unit + 1;
        (0..len)
            .map(|_| (f64::from(self.0.below(span)) / f64::from(unit) - f64::from(reach)) as f32)
            .collect()
    }

    /// One of `0..n`.
    pub fn pick(&mut self, n: usize) -> usize {
        self.0.below(n as u32) as usize
    }
}

/// The same values in f64.
pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

/// The same values without signs.
pub fn unsigned(values: &[f64]) -> Vec<f64> {
    values.iter().map(|v| v.abs()).collect()
}

/// Calls the macro `$each` with the stems of all operators.
#[macro_export]
macro_rules! every_operator {
    ($each:ident) => {
        $each!(
            arithmetic
            channel_stats
            concat
            conv2d
            data_step
            deform_conv2d
            deform_sample
            gather
            group_scale
            loss
            mask_loss
            normalise
            offset_likelihood
            per_item
            pixel_shuffle
            pointwise
            pool
            prelu
            resize
            row_stats
            shrink
            soft_threshold
            spectral_norm
            strided_conv2d
            time_code
            total
        );
    };
}
