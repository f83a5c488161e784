//! A function of every value alone.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

/// What becomes of a value `x`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// `factor · x`.
    Scale(f32),
    /// `ln(1 + exp(x))`, in the form that does not overflow.
    Softplus,
    /// `1 / (x + offset)`.
    Reciprocal(f32),
}

/// A function of each of `len` values.
#[derive(Clone, Copy, Debug)]
pub struct Pointwise {
    /// Values of the input.
    pub len: usize,
    /// The function.
    pub function: Function,
}
