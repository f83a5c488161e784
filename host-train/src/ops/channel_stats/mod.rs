//! Mean and maximum over channels, as two channels (selective attention of SeqCSIST, TDFA).
//!
//! The gradient of the maximum goes to the first channel that attains it.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

/// Channel statistics; input `(pixels, channels)`, output `(pixels, [mean, max])`.
#[derive(Clone, Copy, Debug)]
pub struct ChannelStats {
    /// Pixels over the whole batch.
    pub pixels: usize,
    /// Channels of the input.
    pub channels: usize,
}
