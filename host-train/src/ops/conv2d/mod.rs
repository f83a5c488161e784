//! Two-dimensional cross-correlation with zero padding, stride 1, bias and activation.
//!
//! `y[n,i,j,o] = act(b[o] + Σ_{a,b,c} w[o,c,a,b] · x[n, i+a-p, j+b-p, c])` with `p = (k-1)/2`.

mod cpu;
#[cfg(feature = "cuda")]
pub(in crate::ops) mod cuda;
mod direct;
mod planes;
mod tiles;

use crate::tensor::Shape;

/// What is applied to the sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// `max(0, v)`; gradient 0 at 0.
    Relu,
    /// `1 / (1 + exp(-v))`.
    Sigmoid,
}

/// Convolution; inputs `x (n, h, w, c)`, `w (out, c, k, k)`, and, where `bias`, `b (out)`.
#[derive(Clone, Copy, Debug)]
pub struct Conv2d {
    /// Shape of `x`.
    pub input: Shape,
    /// Output channels.
    pub out_channels: usize,
    /// Side of the kernel, odd.
    pub kernel: usize,
    /// Whether a third input holds the bias.
    pub bias: bool,
    /// Activation of the output.
    pub activation: Activation,
}

impl Conv2d {
    /// Shape of the output.
    pub fn output(&self) -> Shape {
        self.input.with_channels(self.out_channels)
    }

    /// Values of the kernel.
    pub fn weights(&self) -> usize {
        self.out_channels * self.input.c * self.kernel * self.kernel
    }
}
