//! The kernels in safe code: the definition of every other set.

use super::{Finish, MAX_OUTPUTS, Product, ProductShape, Sampling, Scaling, TABLE_SIDE};
use crate::fixed::{SHARE_BITS, WHOLE, rounded_shift, saturate};

/// Taps of a 3×3 kernel.
pub(super) const TAPS: usize = 9;

pub(super) fn pack(shape: ProductShape, weights: &[u8], packed: &mut [i16]) {
    pack_blocks(shape, weights, packed, |weights, block, lanes| {
        let per_output = (shape.segments * shape.run).max(1);
        for (lane, weights) in weights.chunks_exact(per_output).enumerate() {
            pack_lane(shape, weights, block, (lane, lanes));
        }
    });
}

/// Calls `pack_block(weights, block, lanes)` with the weights of each block's outputs and the place of
/// the block, which holds zeros where outputs are missing.
pub(super) fn pack_blocks(
    shape: ProductShape,
    weights: &[u8],
    packed: &mut [i16],
    mut pack_block: impl FnMut(&[u8], &mut [i16], usize),
) {
    if weights.len() != shape.weights_len() || packed.len() < shape.packed_len() {
        return;
    }
    let per_output = (shape.segments * shape.run).max(1);
    let block_len = shape.segments * shape.padded_run();
    if shape.outputs == 1 {
        return pack_block(weights, packed, 1);
    }
    let mut rest = packed;
    for (first, lanes) in shape.blocks() {
        let (block, tail) = rest.split_at_mut((lanes * block_len).min(rest.len()));
        rest = tail;
        if shape.outputs < first + lanes {
            block.fill(0);
        }
        let weights = weights.get(first * per_output..).unwrap_or(&[]);
        let weights = weights.get(..lanes * per_output).unwrap_or(weights);
        pack_block(weights, block, lanes);
    }
}

/// Puts the weights of one output in their places in a block.
pub(super) fn pack_lane(
    shape: ProductShape,
    weights: &[u8],
    block: &mut [i16],
    (lane, lanes): (usize, usize),
) {
    let pairs_of_run = shape.padded_run() / 2;
    let segments = block.chunks_exact_mut((2 * lanes * pairs_of_run).max(1));
    for (weights, places) in weights.chunks_exact(shape.run.max(1)).zip(segments) {
        let (pairs, odd) = weights.as_chunks::<2>();
        let widen = |byte: u8| i16::from(byte as i8);
        let last = odd.first().map(|&byte| [widen(byte), 0]);
        let pairs = pairs.iter().map(|pair| pair.map(widen)).chain(last);
        for (pair, places) in pairs.zip(
            places
                .as_chunks_mut::<2>()
                .0
                .iter_mut()
                .skip(lane)
                .step_by(lanes.max(1)),
        ) {
            *places = pair;
        }
    }
}

pub(super) fn accumulate(product: &Product, sums: &mut [i32]) {
    let shape = product.shape;
    let padded = shape.padded_outputs();
    if sums.len() < product.sums_len() {
        return;
    }
    let rows = sums.chunks_exact_mut(padded.max(1)).take(product.pixels);
    for (pixel, sums) in rows.enumerate() {
        sums.fill(0);
        for (segment, run) in product.runs.iter().take(shape.segments).enumerate() {
            let first = pixel.saturating_mul(product.stride);
            let inputs = run.and_then(|run| run.get(first..));
            let inputs = inputs.unwrap_or(&[]);
            let inputs = inputs.get(..shape.padded_run()).unwrap_or(inputs);
            add_run(product, segment, inputs, sums);
        }
    }
}

/// Adds the products of one run to the sums of one pixel.
fn add_run(product: &Product, segment: usize, inputs: &[i16], sums: &mut [i32]) {
    let shape = product.shape;
    let run = shape.padded_run();
    if shape.outputs == 1 {
        let weights = product.packed.get(segment * run..).unwrap_or(&[]);
        let terms = inputs.iter().zip(weights);
        let terms = terms.map(|(&x, &w)| i32::from(x) * i32::from(w));
        let sum = terms.fold(0, i32::wrapping_add);
        sums.iter_mut().for_each(|s| *s = s.wrapping_add(sum));
        return;
    }
    for (block, sums) in sums.chunks_mut(16).enumerate() {
        let lanes = sums.len();
        let first = block * 16 * shape.segments * run + segment * lanes * run;
        let weights = product.packed.get(first..).unwrap_or(&[]);
        // Eight sums at a time: so many that registers hold them.
        for (part, sums) in sums.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let weights = weights.get(part * 16..).unwrap_or(&[]);
            add_eight(inputs, weights, 2 * lanes, sums);
        }
    }
}

/// Adds the products of one run to eight sums; weights of a pair of inputs lie `step` numbers apart.
fn add_eight(inputs: &[i16], weights: &[i16], step: usize, sums: &mut [i32; 8]) {
    let mut kept = *sums;
    let rows = weights.chunks(step.max(1));
    let mut rows = rows.map_while(|row| row.first_chunk::<16>());
    let mut add = |a: i16, b: i16, row: &[i16; 16]| {
        for (sum, &[u, v]) in kept.iter_mut().zip(row.as_chunks::<2>().0) {
            let [a, b, u, v] = [a, b, u, v].map(i32::from);
            *sum = sum.wrapping_add((a * u).wrapping_add(b * v));
        }
    };
    let (pairs, odd) = inputs.as_chunks::<2>();
    for (&[a, b], row) in pairs.iter().zip(&mut rows) {
        add(a, b, row);
    }
    if let (&[a], Some(row)) = (odd, rows.next()) {
        add(a, 0, row);
    }
    *sums = kept;
}

#[inline(always)]
pub(super) fn multiply(rows: &[i16], table: &[i16], sums: &mut [i32]) {
    for (row, sums) in rows
        .chunks_exact(TABLE_SIDE)
        .zip(sums.as_chunks_mut::<TABLE_SIDE>().0)
    {
        *sums = [0; TABLE_SIDE];
        for (&factor, line) in row.iter().zip(table.as_chunks::<TABLE_SIDE>().0) {
            // Tables are narrow bands, and maps mostly dark.
            if factor != 0 {
                for (sum, &x) in sums.iter_mut().zip(line) {
                    *sum = sum.wrapping_add(i32::from(factor) * i32::from(x));
                }
            }
        }
    }
}

pub(super) fn requantise(
    sums: &[i32],
    outputs: usize,
    scaling: &Scaling,
    finish: Finish,
    (out, stride): (&mut [i16], usize),
) -> u32 {
    let padded = ProductShape {
        outputs,
        segments: 1,
        run: 1,
    }
    .padded_outputs();
    let mut saturated = 0;
    for (sums, out) in sums
        .chunks_exact(padded.max(1))
        .zip(out.chunks_mut(stride.max(1)))
    {
        for (output, (sum, out)) in sums.iter().zip(out).enumerate().take(outputs) {
            let (value, clipped) = finish.apply(scaling.apply(output, *sum), *out);
            *out = value;
            saturated += u32::from(clipped);
        }
    }
    saturated
}

impl Scaling {
    /// The requantised sum of `output`.
    #[inline(always)]
    pub(super) fn apply(&self, output: usize, sum: i32) -> i32 {
        let at = output % MAX_OUTPUTS;
        let product = i64::from(sum.wrapping_add(self.bias[at])) * i64::from(self.multiplier[at]);
        rounded_shift(product, self.shift[at] as u8) as i32
    }
}

impl Finish {
    /// The value to store over `there`, and whether it was saturated.
    #[inline(always)]
    pub(super) fn apply(self, value: i32, there: i16) -> (i16, bool) {
        match self {
            Self::Plain => saturate(value),
            Self::Relu => saturate(value.max(0)),
            Self::Add => saturate(value.wrapping_add(there.into())),
            Self::Shrink(theta) => {
                let (value, clipped) = saturate(value);
                let value = i32::from(value);
                let (value, again) = saturate(
                    value
                        .abs()
                        .wrapping_sub(theta)
                        .max(0)
                        .wrapping_mul(value.signum()),
                );
                (value, clipped | again)
            }
        }
    }
}

/// One tap of one pixel: where its four corners start in the map, and their weights, which add up to
/// 1. A corner outside the map starts at 0, where the border's zeros are.
pub(super) struct Corners {
    pub(super) starts: [usize; 4],
    pub(super) weights: [i16; 4],
}

impl Corners {
    /// Corners of `tap` of the pixel in column `column`, displaced by `offset`.
    #[inline(always)]
    pub(super) fn of(sampling: &Sampling, column: usize, tap: usize, offset: [i16; 2]) -> Self {
        let [(row, down), (column, right)] = [
            (sampling.row + tap / 3, offset[0]),
            (column + tap % 3, offset[1]),
        ]
        .map(|(place, offset)| sampling.split(place, offset));
        let start = |r: i32, c: i32| {
            let side = 0..sampling.side as i32;
            let inside = side.contains(&r) && side.contains(&c);
            if !inside {
                return 0;
            }
            (r as usize * (sampling.side + 1) + c as usize + 1) * sampling.channels
        };
        let both = (down * right + WHOLE / 2) >> SHARE_BITS;
        Self {
            starts: [
                start(row, column),
                start(row, column + 1),
                start(row + 1, column),
                start(row + 1, column + 1),
            ],
            weights: [WHOLE - down - right + both, right - both, down - both, both]
                .map(|weight| weight as i16),
        }
    }
}

impl Sampling<'_> {
    /// Integer coordinate at or before `place - 1 + offset`, and the share of the next one.
    #[inline(always)]
    fn split(&self, place: usize, offset: i16) -> (i32, i32) {
        let bits = self.bits.min(SHARE_BITS);
        let position = ((place as i32 - 1) << bits) + i32::from(offset);
        let rest = position & ((1 << bits) - 1);
        (position >> bits, rest << (SHARE_BITS - bits))
    }
}

pub(super) fn sample(sampling: &Sampling, patches: &mut [i16]) {
    let channels = sampling.channels.max(1);
    let offsets = sampling.offsets.as_chunks::<2>().0;
    let taps = offsets.iter().zip(patches.chunks_exact_mut(channels));
    for (index, (&offset, patch)) in taps.enumerate() {
        let column = sampling.column + index / TAPS;
        let corners = Corners::of(sampling, column, index % TAPS, offset);
        blend(sampling.map, &corners, patch);
    }
}

/// The weighted mean of four pixels.
fn blend(map: &[i16], corners: &Corners, patch: &mut [i16]) {
    let corner = |index: usize| {
        let start = map.get(corners.starts[index & 3]..).unwrap_or(&[]);
        (start, i32::from(corners.weights[index & 3]))
    };
    let [(a, wa), (b, wb), (c, wc), (d, wd)] = [0, 1, 2, 3].map(corner);
    let pixels = a.iter().zip(b).zip(c.iter().zip(d));
    for (out, ((&a, &b), (&c, &d))) in patch.iter_mut().zip(pixels) {
        let [a, b, c, d] = [a, b, c, d].map(i32::from);
        let sum = a * wa + b * wb + c * wc + d * wd;
        *out = ((sum + WHOLE / 2) >> SHARE_BITS) as i16;
    }
}
