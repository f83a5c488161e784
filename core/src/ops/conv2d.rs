//! Convolutions, stride 1, zeros outside: `y[i,j,o] = finish(Σ w[o,a,b,c] · x[i+a-1, j+b-1, c])`.

use super::{Places, Plane};
use crate::arch::{Finish, Kernels, Product, ProductShape, SEGMENTS, Scaling};
use crate::weights::Layer;

/// The kernels, room for the sums of some pixels, and how many values were saturated so far.
pub(crate) struct Sums<'a> {
    pub(crate) kernels: Kernels,
    pub(crate) sums: &'a mut [i32],
    pub(crate) saturated: u32,
}

/// A layer ready to run.
pub(crate) struct Prepared<'p> {
    pub(crate) shape: ProductShape,
    packed: &'p [i16],
    scaling: Scaling,
}

impl<'p> Prepared<'p> {
    /// Packs the layer's weights into `packed`.
    pub(crate) fn new(kernels: Kernels, layer: &Layer, packed: &'p mut [i16]) -> Self {
        let mut scaling = Scaling::ZERO;
        layer.fill_scaling(&mut scaling);
        kernels.pack(layer.shape, layer.weights, packed);
        Self {
            shape: layer.shape,
            packed,
            scaling,
        }
    }

    /// Outputs of `pixels` pixels in a row, as many at a time as the sums have room for: pixel `p`
    /// reads `runs[s]` from `p·stride` on and goes to `out[p·step..]`.
    pub(crate) fn row(
        &self,
        sums: &mut Sums,
        (runs, stride): ([Option<&[i16]>; SEGMENTS], usize),
        pixels: usize,
        finish: Finish,
        (out, step): (&mut [i16], usize),
    ) {
        let padded = self.shape.padded_outputs();
        let at_once = (sums.sums.len() / padded.max(1)).clamp(1, pixels.max(1));
        let mut first = 0;
        while first < pixels {
            let count = at_once.min(pixels - first);
            let product = Product {
                shape: self.shape,
                packed: self.packed,
                runs: runs.map(|run| run.and_then(|run| run.get(first * stride..))),
                stride,
                pixels: count,
            };
            let to = (out.get_mut(first * step..).unwrap_or_default(), step);
            let room = &mut *sums.sums;
            sums.saturated += sums.kernels.row(&product, room, &self.scaling, finish, to);
            first += count;
        }
    }
}

/// A 3×3 convolution of a whole map; `packed` holds the weights of some outputs at a time.
pub(crate) fn conv2d(
    sums: &mut Sums,
    packed: &mut [i16],
    layer: &Layer,
    input: Plane,
    finish: Finish,
    (out, places): (&mut [i16], Places),
) {
    let group = group_of(layer.shape, packed.len());
    let mut first = 0;
    while first < layer.shape.outputs {
        let layer = layer.outputs(first, group);
        let prepared = Prepared::new(sums.kernels, &layer, packed);
        let places = places.channel(first);
        for row in 0..input.side {
            let runs = (input.runs(row), input.channels);
            let out = (places.row_of(out, row), places.pixel);
            prepared.row(sums, runs, input.side, finish, out);
        }
        first += group;
    }
}

/// Outputs whose packed weights fit into `room` numbers: all, or a multiple of 8.
fn group_of(shape: ProductShape, room: usize) -> usize {
    if shape.packed_len() <= room {
        return shape.outputs.max(1);
    }
    let per_output = (shape.segments * shape.padded_run()).max(1);
    (room / per_output / 8 * 8).max(8)
}
