//! Elementwise `a + b`, `a - b` and `a · b` of equally shaped buffers.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

/// Sum of two inputs of `len` values.
#[derive(Clone, Copy, Debug)]
pub struct Add {
    /// Values per input.
    pub len: usize,
}

/// Difference of two inputs of `len` values.
#[derive(Clone, Copy, Debug)]
pub struct Sub {
    /// Values per input.
    pub len: usize,
}

/// Product of two inputs of `len` values.
#[derive(Clone, Copy, Debug)]
pub struct Mul {
    /// Values per input.
    pub len: usize,
}
