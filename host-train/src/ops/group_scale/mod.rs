//! Per-pixel scaling of channel groups: `y[p, c] = x[p, c] · s[p, c / (channels / groups)]`.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

/// Group scale; inputs `x (pixels, channels)` and `s (pixels, groups)`.
#[derive(Clone, Copy, Debug)]
pub struct GroupScale {
    /// Pixels over the whole batch.
    pub pixels: usize,
    /// Channels of `x`, a multiple of `groups`.
    pub channels: usize,
    /// Channels of `s`.
    pub groups: usize,
}
