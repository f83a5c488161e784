//! Spectral normalisation (Miyato et al. 2018): a matrix over its largest singular value, which one
//! step of power iteration per training pass follows.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

/// A step of power iteration, without gradient; inputs `W (rows, columns)` and `u (rows)`, output
/// `u'` and `v`, one after the other: `v = Wᵀu / |Wᵀu|`, `u' = W v / |W v|`.
#[derive(Clone, Copy, Debug)]
pub struct PowerIteration {
    /// Rows of `W`.
    pub rows: usize,
    /// Columns of `W`.
    pub columns: usize,
}

/// `W / (uᵀ W v)`; inputs `W (rows, columns)` and, one after the other, `u (rows)` and
/// `v (columns)`, which count as constants.
#[derive(Clone, Copy, Debug)]
pub struct SpectralNorm {
    /// Rows of `W`.
    pub rows: usize,
    /// Columns of `W`.
    pub columns: usize,
}
