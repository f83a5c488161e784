//! Negative log-likelihood of the targets under what the offset head claims.
//!
//! Every cell of the map says with which probability `p` it holds a target, and where: a normal
//! density `N` of row, column and intensity. The loss of a window is
//!
//! `-Σ_n [t_n ln p_n + (1 - t_n) ln (1 - p_n)] - Σ_c w_c ln N_c(x_e(c))`
//!
//! without constants, averaged over windows: `t_n` is 1 where cell `n` holds a target. Not only the
//! target's own cell learns where it lies but all `c` within [`REACH`] of it, each towards the nearest
//! target `e(c)`, with weight `w_c = exp(-d²/2s²)`, where `d` is the distance of the cell's centre
//! from that target and `s` is [`NEARNESS`]: near a border both cells have to know.
//!
//! The mixture density of DECODE (Speiser et al., Nature Methods 2021, Eq. 7–9) leaves open which cell
//! claims a target; here every cell near it is told.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

/// Cells on either side of a target's own, per axis, that learn where it lies.
pub const REACH: usize = 1;
/// Distance from a target at which a cell's weight has fallen to 61 %, pixels.
pub const NEARNESS: f64 = 0.2;

/// A target to be found: row and column in pixels, intensity in units.
pub type Wanted = [f64; 3];

/// The loss; its input is the head's answers `(windows, 11, 11, 3, 3, 7)`, raw numbers as in
/// [`derefnet_core::locate::head`].
#[derive(Clone, Debug)]
pub struct OffsetLikelihood {
    /// Targets of the middle frame of each window.
    pub targets: Vec<Vec<Wanted>>,
}
