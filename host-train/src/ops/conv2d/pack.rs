//! Weights in the order in which the vector kernels read them.

use crate::backend::cpu::arch::Isa;

/// Output channels that are cheaper one by one than as a padded block.
const NARROW_LIMIT: usize = 6;
/// Narrowest block of the wide kernel.
const BLOCK: usize = 16;

/// Consecutive output channels handled by one kernel call per row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// First output channel.
    pub first: usize,
    /// Real output channels.
    pub channels: usize,
    /// Channels in the packed weights: `channels`, or more where a block is padded; 1 is narrow.
    pub width: usize,
    /// Where the block's weights start.
    pub start: usize,
}

/// Divides `out_channels` into blocks for weights of `inputs` values per channel.
pub(crate) fn blocks(isa: Isa, out_channels: usize, inputs: usize) -> Vec<Block> {
    let mut blocks = Vec::new();
    let (mut first, mut start) = (0, 0);
    while first < out_channels {
        let left = out_channels - first;
        let (channels, width) = if left >= isa.block_width() {
            (isa.block_width(), isa.block_width())
        } else if left <= NARROW_LIMIT {
            (1, 1)
        } else {
            (left.min(BLOCK), BLOCK)
        };
        blocks.push(Block {
            first,
            channels,
            width,
            start,
        });
        first += channels;
        start += width * inputs;
    }
    blocks
}

/// Length of the packed weights.
pub(crate) fn packed_len(blocks: &[Block], inputs: usize) -> usize {
    blocks.last().map_or(0, |b| b.start + b.width * inputs)
}

/// Packs `weight(out, k)` into `(k, width)` per block.
pub(crate) fn pack(
    blocks: &[Block],
    inputs: usize,
    packed: &mut [f32],
    weight: impl Fn(usize, usize) -> f32,
) {
    for block in blocks {
        let target = &mut packed[block.start..block.start + block.width * inputs];
        for (k, row) in target.chunks_exact_mut(block.width).enumerate() {
            for (c, value) in row.iter_mut().enumerate() {
                *value = if c < block.channels {
                    weight(block.first + c, k)
                } else {
                    0.0
                };
            }
        }
    }
}

/// Inverse of [`pack`]: hands every `(out, k, value)` to `put`.
pub(crate) fn unpack(
    blocks: &[Block],
    inputs: usize,
    packed: &[f32],
    mut put: impl FnMut(usize, usize, f32),
) {
    for block in blocks {
        let source = &packed[block.start..block.start + block.width * inputs];
        for (k, row) in source.chunks_exact(block.width).enumerate() {
            for (c, &value) in row[..block.channels].iter().enumerate() {
                put(block.first + c, k, value);
            }
        }
    }
}
