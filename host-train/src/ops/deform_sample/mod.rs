//! Samples of a deformable convolution of any number of offset groups, without its kernel.
//!
//! `y[n,i,j,(k,c)] = x[n, i+a-1+Δr, j+b-1+Δc, c]`, bilinear and zero outside, with tap `k = 3a + b`
//! and `(Δr, Δc) = offsets[n,i,j, 18·g + 2k ..]` for the group `g` that channel `c` belongs to (Dai
//! et al. 2017). A 1×1 [`Conv2d`](super::Conv2d) of the samples is the convolution. Borders and
//! kinks as in [`DeformConv2d`](super::DeformConv2d), which has one group and keeps no samples.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use crate::tensor::Shape;

/// Samples; inputs `x (n, h, w, c)` and `offsets (n, h, w, 18·groups)`.
#[derive(Clone, Copy, Debug)]
pub struct DeformSample {
    /// Shape of `x`; its channels are a multiple of `groups`.
    pub input: Shape,
    /// Sets of offsets, each for as many consecutive channels.
    pub groups: usize,
}

impl DeformSample {
    /// Shape of the output.
    pub fn output(&self) -> Shape {
        self.input.with_channels(9 * self.input.c)
    }

    /// Shape of the offsets.
    pub fn offsets(&self) -> Shape {
        self.input.with_channels(18 * self.groups)
    }
}
