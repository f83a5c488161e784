//! Naive references, written from the equations and never optimised.
//!
//! Operators have two functions: `forward(op, inputs)`, and `backward(op, inputs, dy)`, which
//! returns one gradient per input. Maps are `(n, h, w, c)`, everything is f64.

pub mod adam;
pub mod arithmetic;
pub mod channel_stats;
pub mod concat;
pub mod conv2d;
pub mod data_step;
pub mod deform_conv2d;
pub mod deform_sample;
pub mod gather;
pub mod group_scale;
pub mod integer;
pub mod kernels;
pub mod loss;
pub mod mask_loss;
pub mod metric;
pub mod network;
pub mod normalise;
pub mod offset_likelihood;
pub mod pixel_shuffle;
pub mod pointwise;
pub mod pool;
pub mod prelu;
pub mod render;
pub mod resize;
pub mod row_stats;
pub mod shrink;
pub mod soft_threshold;
pub mod spectral_norm;
pub mod strided_conv2d;
pub mod time_code;
pub mod total;

/// -1, 0 or 1, and 0 at 0.
pub fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// `1 / (1 + exp(-x))`.
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
