//! Rows of pixels cut into tiles: one run of one or two pixels with all outputs.
//!
//! The routines add to sums that start at 0, run by run, two outputs at a time. Weights lie as
//! `(segment, …)`, and within a segment as the routines like.

use super::super::{Product, ProductShape};

/// What a set brings: its layout of weights and its inner loops.
#[derive(Clone, Copy)]
pub(super) struct Routines {
    /// Lays the weights of two outputs, `i8` rows of at most `run` bytes, out over
    /// `2 · padded_run` zeros.
    pub(super) pack: fn(rows: [&[u8]; 2], slots: &mut [i16]),
    /// Where the weight of input `k` of the first (0) or second (1) output lies among those of
    /// the two; the third argument is `padded_run`.
    pub(super) place: fn(output: usize, k: usize, run: usize) -> usize,
    /// Adds the products of a tile.
    pub(super) add: fn(&mut Tile),
}

/// One run of one or two pixels with all outputs, as the inner loops read it: their offsets are in
/// the assembly.
#[repr(C)]
pub(super) struct Tile {
    /// Inputs of both pixels, `run` numbers each; the same twice if there is one pixel.
    inputs: [*const i16; 2],
    /// Weights of the segment.
    weights: *const i16,
    /// Sums of both pixels, `outputs` each; the same twice if there is one pixel.
    sums: [*mut i32; 2],
    /// `padded_run`, even and above 0.
    run: usize,
    /// Padded outputs, a multiple of 8, at least 8.
    outputs: usize,
    /// 1 or 2; not read by the inner loops.
    pixels: usize,
}

impl Tile {
    /// A tile of the sums in `rows`, `(pixel, output)`; none unless every slice holds all that the
    /// inner loops touch.
    fn new(
        shape: ProductShape,
        (inputs, stride): (&[i16], usize),
        weights: &[i16],
        rows: &mut [i32],
    ) -> Option<Self> {
        let (run, outputs) = (shape.padded_run(), shape.padded_outputs());
        let pixels = rows.len().checked_div(outputs)?;
        let second = if pixels == 2 { stride } else { 0 };
        let fits = matches!(pixels, 1 | 2)
            && outputs % 8 == 0
            && run > 0
            && weights.len() >= outputs * run
            && second
                .checked_add(run)
                .is_some_and(|end| inputs.len() >= end);
        let first = rows.as_mut_ptr();
        fits.then(|| Self {
            inputs: [inputs.as_ptr(), inputs.as_ptr().wrapping_add(second)],
            weights: weights.as_ptr(),
            sums: [first, first.wrapping_add((pixels - 1) * outputs)],
            run,
            outputs,
            pixels,
        })
    }

    pub(super) const fn is_single(&self) -> bool {
        self.pixels == 1
    }

    /// Whether all that is read lies on words.
    pub(super) fn is_aligned(&self) -> bool {
        let [a, b] = self.inputs;
        [a, b, self.weights].iter().all(|p| p.addr() % 4 == 0)
    }
}

pub(super) fn pack(routines: Routines, shape: ProductShape, weights: &[u8], packed: &mut [i16]) {
    let Some(packed) = packed.get_mut(..shape.packed_len()) else {
        return;
    };
    if weights.len() != shape.weights_len() {
        return;
    }
    packed.fill(0);
    let per_output = shape.segments * shape.run;
    let mut pairs = packed.chunks_exact_mut((2 * shape.padded_run()).max(1));
    for segment in 0..shape.segments {
        for (output, slots) in (0..shape.padded_outputs()).step_by(2).zip(&mut pairs) {
            let rows = [output, output + 1].map(|output| {
                let row = weights.get(output * per_output + segment * shape.run..);
                row.and_then(|row| row.get(..shape.run)).unwrap_or_default()
            });
            (routines.pack)(rows, slots);
        }
    }
}

pub(super) fn accumulate(routines: Routines, product: &Product, sums: &mut [i32]) {
    let shape = product.shape;
    let (run, outputs) = (shape.padded_run(), shape.padded_outputs());
    let Some(sums) = sums.get_mut(..product.sums_len()) else {
        return;
    };
    sums.fill(0);
    for (segment, inputs) in product.runs.iter().take(shape.segments).enumerate() {
        let weights = product.packed.get(segment * outputs * run..);
        let (Some(mut inputs), Some(weights)) = (*inputs, weights) else {
            continue;
        };
        for rows in sums.chunks_mut((2 * outputs).max(1)) {
            add(routines, product, inputs, weights, rows);
            inputs = inputs
                .get(product.stride.saturating_mul(2)..)
                .unwrap_or_default();
        }
    }
}

/// Adds the products of one run to the sums of one or two pixels.
fn add(routines: Routines, product: &Product, inputs: &[i16], weights: &[i16], rows: &mut [i32]) {
    if let Some(mut tile) = Tile::new(product.shape, (inputs, product.stride), weights, rows) {
        return (routines.add)(&mut tile);
    }
    let run = product.shape.padded_run();
    for (pixel, sums) in rows
        .chunks_mut(product.shape.padded_outputs().max(1))
        .enumerate()
    {
        let first = pixel.saturating_mul(product.stride);
        let inputs = inputs.get(first..).unwrap_or_default();
        for (output, sum) in sums.iter_mut().enumerate() {
            let pair = output / 2 * 2 * run;
            for (k, &x) in inputs.iter().take(run).enumerate() {
                let weight = weights.get(pair + (routines.place)(output % 2, k, run));
                let weight = weight.copied().unwrap_or_default();
                *sum = sum.wrapping_add(i32::from(x) * i32::from(weight));
            }
        }
    }
}
