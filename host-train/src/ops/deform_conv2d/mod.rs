//! Deformable convolution, 3×3, one group, no bias.
//!
//! `y[n,i,j,o] = Σ_{k,c} w[o,c,k] · x[n, i+a_k-1+Δr, j+b_k-1+Δc, c]`, `x` sampled bilinearly and
//! zero outside, with `(Δr, Δc) = offsets[n,i,j,2k..2k+2]` for tap `k = 3a + b` (Dai et al. 2017;
//! SeqCSIST, TDFA module). A sample at row or column ≤ -1 or ≥ the side is zero, with zero
//! gradient; the position gradient at integers is the one-sided slope towards larger positions.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use crate::tensor::Shape;

/// Taps of the kernel.
pub const TAPS: usize = 9;

/// Deformable convolution; inputs `x (n, h, w, c)`, `offsets (n, h, w, 18)`, `w (out, c, 3, 3)`.
#[derive(Clone, Copy, Debug)]
pub struct DeformConv2d {
    /// Shape of `x`.
    pub input: Shape,
    /// Output channels.
    pub out_channels: usize,
}

impl DeformConv2d {
    /// Shape of the output.
    pub fn output(&self) -> Shape {
        self.input.with_channels(self.out_channels)
    }
}
