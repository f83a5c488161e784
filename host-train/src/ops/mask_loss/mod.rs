//! How far marked pixels are from the masks that are wanted, as detectors of small targets are trained.
//!
//! With `p = σ(z)`, masks `t`, and per frame `I = Σ p·t`, `P = Σ p`, `T = Σ t`:
//!
//! - [`Overlap::Soft`] (DNANet, Li et al. 2023): `1 - (I + 1) / (P + T - I + 1)`, all frames as one;
//! - [`Overlap::Sensitive`] (MSHNet, Liu et al. 2024): the mean over frames of
//!   `1 - α·I / (P + T - I) + 1 - l + (4/π²)·(θ - θ')²`. With `d = ((P - T)/2)²` the weight of the scale
//!   is `α = (min(P, T) + d) / (max(P, T) + d)`. Of the mean `m` over pixels of `p` times row and column
//!   as shares of the sides, and of the same `m'` of `t`, `θ` are the angles and `l` is the smaller length
//!   over the larger.
//!
//! The gradient of a frame is `p (1 - p) (a + b·t + c·row + d·column)` with four factors of its own.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

/// Which of the losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// Intersection over union of all frames as one.
    Soft,
    /// The same per frame, weighed by how the sizes differ, and how far the centres are apart.
    Sensitive,
}

/// A loss between logits and masks, both `(n, h, w)`; only the logits have a gradient.
#[derive(Clone, Copy, Debug)]
pub struct MaskLoss {
    /// Frames.
    pub n: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
    /// Which one.
    pub overlap: Overlap,
}

impl MaskLoss {
    /// Pixels of a frame.
    fn pixels(&self) -> usize {
        self.h * self.w
    }
}
