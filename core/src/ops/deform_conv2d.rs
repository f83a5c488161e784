//! Deformable 3×3 convolution (Dai et al. 2017): bilinear samples of the map, then products.

use super::{Plane, Prepared, Sums};
use crate::arch::{Finish, Sampling};
use crate::weights::OFFSETS;

/// Pixels that are sampled at once.
pub(crate) const PIXELS: usize = 11;

/// One row of outputs: `map` sampled at `offsets (side, 9 taps, 2)` with `bits` fraction bits about
/// the pixels of `row`, times the kernel, to `out (side, outputs)`. `patches` holds the samples of
/// [`PIXELS`] pixels.
pub(crate) fn deform_conv2d(
    sums: &mut Sums,
    kernel: &Prepared,
    (map, row): (Plane, usize),
    (offsets, bits): (&[i16], u32),
    patches: &mut [i16],
    out: &mut [i16],
) {
    let outputs = kernel.shape.outputs;
    let patch = 9 * map.channels;
    for (index, offsets) in offsets.chunks(PIXELS * OFFSETS).enumerate() {
        let first = index * PIXELS;
        let sampling = Sampling {
            map: map.data,
            side: map.side,
            channels: map.channels,
            row,
            column: first,
            offsets,
            bits,
        };
        sums.kernels.sample(&sampling, patches);
        let runs = ([Some(&*patches), None, None], patch);
        let out = out.get_mut(first * outputs..).unwrap_or_default();
        let pixels = offsets.len() / OFFSETS;
        kernel.row(sums, runs, pixels, Finish::Plain, (out, outputs));
    }
}
