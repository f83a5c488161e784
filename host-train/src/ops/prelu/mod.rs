//! Leaky rectifier whose slope is an input: `y = max(x, 0) + slope · min(x, 0)`.
//!
//! Learned (He et al. 2015, one slope per layer) or a constant. The slope at 0 is that of negative
//! values.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

/// Leaky rectifier; inputs `x (len)` and `slope (1)`.
#[derive(Clone, Copy, Debug)]
pub struct Prelu {
    /// Values of `x`.
    pub len: usize,
}
