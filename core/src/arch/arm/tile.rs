//! Rows of pixels cut into tiles: one or two pixels with all outputs.
//!
//! The routines add up all runs of two outputs before they go on to the next two. Weights lie as
//! `(pair of outputs, …)`, within a pair as the routines like, so that runs one behind the other
//! can be read as one.

use super::super::{Product, ProductShape, SEGMENTS};

/// What a set brings: its layout of weights and its inner loops.
#[derive(Clone, Copy)]
pub(super) struct Routines {
    /// Lays the weights of one run of two outputs, `i8` rows of at most `padded_run` bytes, out over
    /// zeros; `slots` holds all runs of the two.
    pub(super) pack: fn(rows: [&[u8]; 2], segment: usize, run: usize, slots: &mut [i16]),
    /// Where weight `k`, counted through all runs, of the first (0) or second (1) output lies among
    /// those of the two; the third argument is the number of weights of one output.
    pub(super) place: fn(output: usize, k: usize, row: usize) -> usize,
    /// Stores the sums of a tile.
    pub(super) add: fn(&mut Tile),
    /// The sums of one or two pixels with a single output.
    pub(super) add_single: fn(&Tile) -> [i32; 2],
}

/// Runs of inputs at most this long are put one behind the other.
const SHORT: usize = 16;
/// Pixels of a tile.
const PIXELS: usize = 2;

/// One or two pixels with all outputs, as the inner loops read it: their offsets are in the
/// assembly.
#[repr(C)]
pub(super) struct Tile {
    /// Weights of all outputs.
    weights: *const i16,
    /// Sums of both pixels, `padded_outputs` each; the same twice if there is one pixel.
    sums: [*mut i32; PIXELS],
    /// End of the first pixel's sums: an even number of them, as many as there are outputs.
    end: *const i32,
    /// Numbers of a run, even and above 0.
    run: usize,
    /// Bytes of one output's weights.
    row: usize,
    /// The runs that are there, and an end without inputs.
    runs: [Run; SEGMENTS + 1],
    /// 1 or 2; not read by the inner loops.
    pixels: usize,
}

/// One run of both pixels.
#[derive(Clone, Copy)]
#[repr(C)]
struct Run {
    /// Inputs of both pixels; the same twice if there is one pixel.
    inputs: [*const i16; PIXELS],
    /// Bytes of one output's weights for the runs before that are not there.
    skip: usize,
}

impl Tile {
    /// A tile of the sums in `rows`, `(pixel, output)`; none unless every slice holds all that the
    /// inner loops touch.
    #[inline(always)]
    fn new(
        shape: ProductShape,
        (runs, stride): ([Option<&[i16]>; SEGMENTS], usize),
        weights: &[i16],
        rows: &mut [i32],
    ) -> Option<Self> {
        let (run, outputs) = (shape.padded_run(), shape.padded_outputs());
        let pixels = rows.len().checked_div(outputs)?;
        let second = if pixels == 2 { stride } else { 0 };
        let reach = second.checked_add(run)?;
        let fits = matches!(pixels, 1 | 2) && run > 0 && weights.len() >= shape.packed_len();
        let first = rows.as_mut_ptr();
        let mut tile = Self {
            weights: weights.as_ptr(),
            sums: [first, first.wrapping_add((pixels - 1) * outputs)],
            end: first.wrapping_add(shape.outputs.next_multiple_of(2)),
            run,
            row: 2 * shape.segments * run,
            runs: [Run::END; SEGMENTS + 1],
            pixels,
        };
        let mut slots = tile.runs.iter_mut();
        let mut slot = slots.next()?;
        for inputs in runs.iter().take(shape.segments) {
            let Some(inputs) = inputs else {
                slot.skip += 2 * run;
                continue;
            };
            if inputs.len() < reach {
                return None;
            }
            let first = inputs.as_ptr();
            slot.inputs = [first, first.wrapping_add(second)];
            slot = slots.next()?;
        }
        fits.then_some(tile)
    }

    pub(super) const fn is_lone(&self) -> bool {
        self.pixels == 1
    }

    /// Whether all that is read lies on words.
    pub(super) fn is_aligned(&self) -> bool {
        let inputs = self.runs.iter().flat_map(|run| run.inputs);
        let low = inputs.fold(self.weights.addr(), |low, p| low | p.addr());
        low % 4 == 0
    }
}

impl Run {
    const END: Self = Self {
        inputs: [core::ptr::null(); PIXELS],
        skip: 0,
    };
}

pub(super) fn pack(routines: Routines, shape: ProductShape, weights: &[u8], packed: &mut [i16]) {
    let Some(packed) = packed.get_mut(..shape.packed_len()) else {
        return;
    };
    if weights.len() != shape.weights_len() {
        return;
    }
    packed.fill(0);
    let per_output = (shape.segments * shape.run).max(1);
    let per_pair = (2 * shape.segments * shape.padded_run()).max(1);
    let pairs = weights.chunks(2 * per_output);
    for (weights, slots) in pairs.zip(packed.chunks_exact_mut(per_pair)) {
        let (first, second) = weights.split_at(per_output.min(weights.len()));
        for segment in 0..shape.segments {
            let rows = [first, second].map(|row| {
                let row = row.get(segment * shape.run..);
                row.and_then(|row| row.get(..shape.run)).unwrap_or_default()
            });
            (routines.pack)(rows, segment, shape.padded_run(), slots);
        }
    }
}

pub(super) fn accumulate(routines: Routines, product: &Product, sums: &mut [i32]) {
    let shape = product.shape;
    let outputs = shape.padded_outputs();
    let Some(sums) = sums.get_mut(..product.sums_len()) else {
        return;
    };
    if shape.segments > 1 && shape.padded_run() <= SHORT {
        return accumulate_short(routines, product, sums);
    }
    let mut runs = product.runs;
    for rows in sums.chunks_mut((PIXELS * outputs).max(1)) {
        add(routines, product, runs, rows);
        let step = product.stride.saturating_mul(PIXELS);
        runs = runs.map(|run| run.map(|run| run.get(step..).unwrap_or_default()));
    }
}

/// Puts the runs of a tile one behind the other, which spares an inner loop its turns.
fn accumulate_short(routines: Routines, product: &Product, sums: &mut [i32]) {
    let run = product.shape.padded_run();
    let shape = ProductShape {
        segments: 1,
        run: product.shape.segments * run,
        ..product.shape
    };
    let mut inputs = [0; PIXELS * SEGMENTS * SHORT];
    for (tile, rows) in sums
        .chunks_mut((PIXELS * shape.padded_outputs()).max(1))
        .enumerate()
    {
        let pixels = rows.len().checked_div(shape.padded_outputs()).unwrap_or(0);
        let slots = inputs.chunks_exact_mut(run.max(1));
        let first = (tile * PIXELS).saturating_mul(product.stride);
        let places = (0..pixels).flat_map(|pixel| {
            let first = first.saturating_add(pixel.saturating_mul(product.stride));
            let runs = product.runs.iter().take(product.shape.segments);
            runs.map(move |run| run.and_then(|run| run.get(first..)).unwrap_or_default())
        });
        for (slots, run) in slots.zip(places) {
            copy(run, slots);
        }
        let short = Product {
            shape,
            runs: [Some(&inputs), None, None],
            stride: shape.run,
            ..*product
        };
        add(routines, &short, short.runs, rows);
    }
}

/// Inputs, and zeros where there are none: faster than a call for so few.
#[inline(always)]
fn copy(inputs: &[i16], slots: &mut [i16]) {
    if inputs.len() < slots.len() {
        slots.fill(0);
    }
    for (slot, &input) in slots.iter_mut().zip(inputs) {
        *slot = input;
    }
}

/// Sums of one or two pixels.
#[inline(always)]
fn add(routines: Routines, product: &Product, runs: [Option<&[i16]>; SEGMENTS], rows: &mut [i32]) {
    let shape = product.shape;
    let outputs = shape.padded_outputs();
    let tile = Tile::new(shape, (runs, product.stride), product.packed, rows);
    let Some(mut tile) = tile else {
        return add_slowly(routines, product, runs, rows);
    };
    if shape.outputs == 1 {
        let sums = (routines.add_single)(&tile);
        rows.iter_mut()
            .zip(sums)
            .for_each(|(slot, sum)| *slot = sum);
        return;
    }
    (routines.add)(&mut tile);
    let computed = shape.outputs.next_multiple_of(2);
    if computed < outputs {
        for sums in rows.chunks_mut(outputs) {
            sums.iter_mut().skip(computed).for_each(|sum| *sum = 0);
        }
    }
}

/// The same where inputs or weights are missing.
#[inline(never)]
fn add_slowly(
    routines: Routines,
    product: &Product,
    runs: [Option<&[i16]>; SEGMENTS],
    rows: &mut [i32],
) {
    let shape = product.shape;
    let (run, row) = (shape.padded_run(), shape.segments * shape.padded_run());
    let weight = |output: usize, k: usize| {
        let at = match shape.outputs {
            1 => k,
            _ => output / 2 * 2 * row + (routines.place)(output % 2, k, row),
        };
        product.packed.get(at).copied().unwrap_or_default()
    };
    for (pixel, sums) in rows.chunks_mut(shape.padded_outputs().max(1)).enumerate() {
        sums.fill(0);
        for (segment, inputs) in runs.iter().take(shape.segments).enumerate() {
            let first = pixel.saturating_mul(product.stride);
            let inputs = inputs.and_then(|inputs| inputs.get(first..));
            for (output, sum) in sums.iter_mut().enumerate() {
                for (k, &x) in inputs.unwrap_or_default().iter().take(run).enumerate() {
                    let weight = weight(output, segment * run + k);
                    *sum = sum.wrapping_add(i32::from(x) * i32::from(weight));
                }
            }
        }
    }
}
