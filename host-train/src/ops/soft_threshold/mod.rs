//! Soft threshold with one learned threshold.
//!
//! `y = sign(x) · max(|x| - θ, 0)`; `dx = dy` where `|x| > θ`, `dθ = -Σ sign(x) · dy` over the
//! same values (SeqCSIST, Eq. 15).

pub(crate) mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

/// Soft threshold; inputs `x (len)` and `θ (1)`.
#[derive(Clone, Copy, Debug)]
pub struct SoftThreshold {
    /// Values of `x`.
    pub len: usize,
}
