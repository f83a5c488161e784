//! Position code: one gate map per time.
//!
//! The published layer feeds a linear layer with the constant vector `t`, so
//! `gate[t] = sigmoid(b + t · W·1)` (SeqCSIST, Eq. 16–17): only the row sums of `W` matter, and
//! every column of its gradient is the same.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

/// Position code; inputs `W (len, len)` and `b (len)`, output `(times, len)`.
#[derive(Clone, Debug)]
pub struct TimeCode {
    /// Scaled times.
    pub times: Vec<f32>,
    /// Cells of a map.
    pub len: usize,
}
