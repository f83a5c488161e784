//! Gradient step towards the data, separable.
//!
//! `R = H - ρ · (G H G - B)` with `G = AᵀA` of the 1-D response matrix and `B = ΦᵀL`, which equals
//! `H - ρ · (ΦᵀΦ H - ΦᵀL)` because `Φ = A ⊗ A` (SeqCSIST, Eq. 8).

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

/// Data step; inputs `H (n, side, side)`, `B (n, side, side)`, `ρ (1)`, `G (side, side)`.
/// `B` and `G` are constants.
#[derive(Clone, Copy, Debug)]
pub struct DataStep {
    /// Maps.
    pub n: usize,
    /// Side of a map.
    pub side: usize,
}
