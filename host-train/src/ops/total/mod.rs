//! Sum of all values of one input, as means of logits and of losses need it.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

/// `scale · Σ a` of one input.
#[derive(Clone, Copy, Debug)]
pub struct Total {
    /// Values of the input.
    pub len: usize,
    /// Factor of the sum.
    pub scale: f32,
}
