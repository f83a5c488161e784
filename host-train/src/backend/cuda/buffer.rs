//! Values on the device.

use std::sync::Arc;

use cust::sys;
use derefnet_cuda_kernels::Pointer;

use super::pool::Block;

/// A fixed number of f32, or a part of such a buffer that lives as long.
pub struct Buffer {
    pub(super) block: Arc<Block>,
    offset: usize,
    len: usize,
}

impl Buffer {
    pub(super) fn new(block: Block, len: usize) -> Self {
        Self {
            block: Arc::new(block),
            offset: 0,
            len,
        }
    }

    /// Values in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// `len` values from `start` on, in the same memory.
    ///
    /// # Panics
    /// If they are not all there.
    pub fn part(&self, start: usize, len: usize) -> Self {
        assert!(start + len <= self.len, "part of a buffer of {}", self.len);
        Self {
            block: Arc::clone(&self.block),
            offset: self.offset + start,
            len,
        }
    }

    /// Where the first value lies on the device.
    pub(super) fn address(&self) -> sys::CUdeviceptr {
        self.block.address() + (self.offset * size_of::<f32>()) as u64
    }

    /// Where it lies, for tables that kernels read; see [`super::Cuda::touch`].
    pub(crate) fn pointer(&self) -> Pointer {
        self.address()
    }

    /// Whether pixels of `channels` values may be read four values at a time.
    pub(crate) fn reads_by_four(&self, channels: usize) -> bool {
        channels.is_multiple_of(4) && self.address().is_multiple_of(16)
    }
}
