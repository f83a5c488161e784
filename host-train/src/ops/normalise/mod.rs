//! Batch normalisation (Ioffe and Szegedy 2015) in two operators: moments per channel, and what is
//! done with them. In training the moments are those of the batch, so that gradients pass through
//! both; afterwards they are constants that training has collected.

mod cpu;
#[cfg(feature = "cuda")]
pub(in crate::ops) mod cuda;

/// Mean and variance (of the population) per channel; input `(pixels, channels)`, output
/// `(2, channels)`.
#[derive(Clone, Copy, Debug)]
pub struct Moments {
    /// Pixels over the whole batch.
    pub pixels: usize,
    /// Channels.
    pub channels: usize,
}

/// `y = γ · (x - mean) / √(variance + ε) + β`; inputs `x (pixels, channels)`, moments
/// `(2, channels)`, `γ (channels)`, `β (channels)`.
#[derive(Clone, Copy, Debug)]
pub struct Normalise {
    /// Pixels over the whole batch.
    pub pixels: usize,
    /// Channels.
    pub channels: usize,
    /// `ε`, added to variances.
    pub epsilon: f32,
}
