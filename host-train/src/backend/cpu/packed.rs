//! Weights in the order in which the vector kernels read them.

use rayon::prelude::*;

use super::arch::{Gradient, Isa, Layer, Rows, Window, forward, weight_gradient};
use super::{Buffer, with_scratch};

/// Output channels that are cheaper one by one than as a padded block.
const NARROW_LIMIT: usize = 6;
/// Narrowest block of the wide kernel.
const BLOCK: usize = 16;
/// Wide kernels read and add whole blocks: room that must follow the last channel of a bias and of
/// an output gradient.
pub(crate) const SLACK: usize = 32;

/// Consecutive output channels handled by one kernel call per row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    /// First output channel.
    first: usize,
    /// Real output channels.
    channels: usize,
    /// Channels in the packed weights: `channels`, or more where a block is padded.
    width: usize,
    /// Where the block's weights start.
    start: usize,
}

/// Divides `out_channels` into blocks for weights of `inputs` values per channel.
fn blocks(isa: Isa, out_channels: usize, inputs: usize) -> Vec<Block> {
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

/// How weights `(out, inputs)` are divided into blocks; also the layout of their gradient.
#[derive(Clone, Debug)]
pub(crate) struct Packing {
    isa: Isa,
    inputs: usize,
    blocks: Vec<Block>,
}

impl Packing {
    pub(crate) fn new(isa: Isa, out_channels: usize, inputs: usize) -> Self {
        Self {
            isa,
            inputs,
            blocks: blocks(isa, out_channels, inputs),
        }
    }

    /// Length of the packed weights.
    pub(crate) fn len(&self) -> usize {
        self.blocks
            .last()
            .map_or(0, |b| b.start + b.width * self.inputs)
    }

    /// Packs `weight(out, input)` as `(inputs, width)` per block.
    fn pack(&self, weight: impl Fn(usize, usize) -> f32) -> Buffer {
        let mut packed = Buffer::zeros(self.len());
        for block in &self.blocks {
            let target = &mut packed[block.start..block.start + block.width * self.inputs];
            for (k, row) in target.chunks_exact_mut(block.width).enumerate() {
                for (c, value) in row[..block.channels].iter_mut().enumerate() {
                    *value = weight(block.first + c, k);
                }
            }
        }
        packed
    }

    /// Hands every `(out, input, value)` of packed weights to `put`.
    pub(crate) fn unpack(&self, packed: &[f32], mut put: impl FnMut(usize, usize, f32)) {
        for block in &self.blocks {
            let source = &packed[block.start..block.start + block.width * self.inputs];
            for (k, row) in source.chunks_exact(block.width).enumerate() {
                for (c, &value) in row[..block.channels].iter().enumerate() {
                    put(block.first + c, k, value);
                }
            }
        }
    }

    /// Adds the weight gradient over `rows` to `dw`; [`SLACK`] values must follow the last channel
    /// of `dy`.
    pub(crate) fn add_gradient(
        &self,
        window: Window,
        x: &[f32],
        dy: &[f32],
        rows: Rows,
        dw: &mut [f32],
    ) {
        for block in &self.blocks {
            let operands = Gradient {
                x,
                window,
                dy: &dy[block.first..],
                rows,
            };
            let dw = &mut dw[block.start..][..block.width * self.inputs];
            weight_gradient(self.isa, &operands, block.width, dw);
        }
    }
}

/// Packed weights with their bias.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    packing: Packing,
    weights: Buffer,
    bias: Vec<f32>,
}

impl Packed {
    /// Packs `weight(out, input)`; without `bias`, it is zero.
    pub(crate) fn new(
        packing: Packing,
        bias: &[f32],
        weight: impl Fn(usize, usize) -> f32,
    ) -> Self {
        let out = packing.blocks.last().map_or(0, |b| b.first + b.channels);
        let weights = packing.pack(weight);
        let mut padded = vec![0.0; out + SLACK];
        padded[..bias.len()].copy_from_slice(bias);
        Self {
            packing,
            weights,
            bias: padded,
        }
    }

    /// Computes a row of `pixels` outputs `(pixels, channels)`.
    pub(crate) fn row(
        &self,
        window: Window,
        x: &[f32],
        relu: bool,
        out: &mut [f32],
        pixels: usize,
    ) {
        let (isa, channels) = (self.packing.isa, out.len() / pixels);
        for block in &self.packing.blocks {
            let layer = Layer {
                window,
                width: block.width,
                weights: &self.weights[block.start..],
                bias: &self.bias[block.first..],
                relu,
            };
            let target = &mut out[block.first..];
            if block.width == block.channels {
                forward(isa, &layer, x, target, channels, pixels);
                continue;
            }
            with_scratch(pixels * block.width, |padded| {
                forward(isa, &layer, x, padded, block.width, pixels);
                for (t, p) in target.chunks_mut(channels).zip(padded.chunks(block.width)) {
                    t[..block.channels].copy_from_slice(&p[..block.channels]);
                }
            });
        }
    }
}

/// Values summed up by one task.
const SLICE: usize = 1 << 12;

/// Adds all parts of length `len` to the first one, in order.
pub(crate) fn sum_parts(partial: &mut [f32], len: usize) {
    if len == 0 {
        return;
    }
    let (total, rest) = partial.split_at_mut(len);
    let slices = total.par_chunks_mut(SLICE).enumerate();
    slices.for_each(|(k, total)| {
        for part in rest.chunks_exact(len) {
            for (t, p) in total.iter_mut().zip(&part[k * SLICE..]) {
                *t += p;
            }
        }
    });
}
