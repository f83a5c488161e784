//! One figure per row.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

/// Root mean square `√(Σ v² / len)` of every row; input `v (rows, len)`, output `(rows)`. Its
/// gradient by a row of zeros is zero.
#[derive(Clone, Copy, Debug)]
pub struct RowRms {
    /// Rows.
    pub rows: usize,
    /// Entries of a row.
    pub len: usize,
}

/// `scale` times the number of entries of a row that are not zero; input `(rows, len)`, output
/// `(rows)`. It has no gradient.
#[derive(Clone, Copy, Debug)]
pub struct RowCount {
    /// Rows.
    pub rows: usize,
    /// Entries of a row.
    pub len: usize,
    /// Factor of the count.
    pub scale: f32,
}
