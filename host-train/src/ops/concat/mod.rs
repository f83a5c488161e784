//! Concatenation along channels.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

/// Concat; input `i` is `(pixels, channels[i])`, output `(pixels, Σ channels)`.
#[derive(Clone, Debug)]
pub struct Concat {
    /// Pixels over the whole batch.
    pub pixels: usize,
    /// Channels of each input.
    pub channels: Vec<usize>,
}
