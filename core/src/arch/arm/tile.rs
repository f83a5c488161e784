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
    pub(super) add_outputs: fn(&mut Tile),
    /// The same for a single output.
    pub(super) add_single: fn(&mut Tile),
}

/// Runs of inputs this long are put one behind the other: those of a single channel.
const SHORT: usize = 4;
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
    /// Whether there is but one pixel; not read by the inner loops.
    pub(super) is_lone: bool,
    /// Whether all that is read lies on words.
    pub(super) is_aligned: bool,
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
    /// The first tile of a row of pixels, for the sums `(pixel, output)`; none unless every slice
    /// holds all that the inner loops touch until the row ends.
    fn first(product: &Product, sums: &mut [i32]) -> Option<Self> {
        let shape = product.shape;
        let (run, outputs) = (shape.padded_run(), shape.padded_outputs());
        let last = product.pixels.checked_sub(1)?;
        let reach = product.stride.checked_mul(last)?.checked_add(run)?;
        let fits = run > 0
            && outputs > 0
            && sums.len() >= product.sums_len()
            && product.packed.len() >= shape.packed_len();
        let first = sums.as_mut_ptr();
        let mut tile = Self {
            weights: product.packed.as_ptr(),
            sums: [first, first.wrapping_add(outputs)],
            end: first.wrapping_add(shape.outputs.next_multiple_of(2)),
            run,
            row: 2 * shape.segments * run,
            runs: [Run::END; SEGMENTS + 1],
            is_lone: false,
            is_aligned: false,
        };
        let mut slots = tile.runs.iter_mut();
        let mut slot = slots.next()?;
        for inputs in product.runs.iter().take(shape.segments) {
            let Some(inputs) = inputs else {
                slot.skip += 2 * run;
                continue;
            };
            if inputs.len() < reach {
                return None;
            }
            let first = inputs.as_ptr();
            slot.inputs = [first, first.wrapping_add(product.stride)];
            slot = slots.next()?;
        }
        let inputs = tile.runs.iter().flat_map(|run| run.inputs);
        let bits = inputs.fold(tile.weights.addr(), |bits, p| bits | p.addr());
        tile.is_aligned = bits % 4 == 0;
        fits.then_some(tile)
    }

    /// Reads one run of both pixels from `inputs`, `run` numbers each, if they are as many.
    fn read(&mut self, inputs: &[i16], run: usize) {
        if inputs.len() >= PIXELS * run {
            let first = inputs.as_ptr();
            self.runs[0].inputs = [first, first.wrapping_add(run)];
        }
    }

    /// Leaves the second pixel out.
    fn leave_second(&mut self) {
        self.is_lone = true;
        self.sums[1] = self.sums[0];
        for run in &mut self.runs {
            run.inputs[1] = run.inputs[0];
        }
    }

    /// Goes on to the next pixels, whose inputs lie `step` numbers further.
    fn advance(&mut self, shape: ProductShape, step: usize) {
        // The inner loops have gone through the sums that have an output.
        let outputs = shape.padded_outputs();
        let gap = PIXELS * outputs - shape.outputs.next_multiple_of(2);
        self.sums = self.sums.map(|sums| sums.wrapping_add(gap));
        self.end = self.end.wrapping_add(PIXELS * outputs);
        for run in self.runs.iter_mut().take_while(|run| !run.is_end()) {
            run.inputs = run.inputs.map(|inputs| inputs.wrapping_add(step));
        }
    }
}

impl Run {
    const END: Self = Self {
        inputs: [core::ptr::null(); PIXELS],
        skip: 0,
    };

    const fn is_end(&self) -> bool {
        self.inputs[0].is_null()
    }
}

pub(super) fn pack(routines: Routines, shape: ProductShape, weights: &[u8], packed: &mut [i16]) {
    let Some(packed) = packed.get_mut(..shape.packed_len()) else {
        return;
    };
    if weights.len() != shape.weights_len() {
        return;
    }
    if shape.packed_len() != shape.weights_len() {
        packed.fill(0);
    }
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
    let Some(sums) = sums.get_mut(..product.sums_len()) else {
        return;
    };
    let Some(mut tile) = Tile::first(product, sums) else {
        return add_slowly(routines, product, sums);
    };
    if shape.segments > 1 && shape.padded_run() == SHORT {
        return accumulate_short(routines, product, sums);
    }
    for pixels in pairs(product.pixels) {
        if pixels == 1 {
            tile.leave_second();
        }
        routines.add(shape, &mut tile);
        tile.advance(shape, PIXELS * product.stride);
    }
    clear_padding(shape, sums);
}

/// Pixels of the tiles of a row.
fn pairs(pixels: usize) -> impl Iterator<Item = usize> {
    (0..pixels)
        .step_by(PIXELS)
        .map(move |first| PIXELS.min(pixels - first))
}

/// Puts the runs of a tile one behind the other, which spares an inner loop its turns.
fn accumulate_short(routines: Routines, product: &Product, sums: &mut [i32]) {
    let shape = ProductShape {
        segments: 1,
        run: product.shape.segments * SHORT,
        ..product.shape
    };
    let mut inputs = [[0; SHORT]; PIXELS * SEGMENTS];
    let short = Product {
        shape,
        runs: [Some(inputs.as_flattened()), None, None],
        stride: shape.run,
        pixels: product.pixels.min(PIXELS),
        ..*product
    };
    let Some(mut tile) = Tile::first(&short, sums) else {
        return;
    };
    let mut runs = product.runs;
    for pixels in pairs(product.pixels) {
        let mut slots = inputs.iter_mut();
        for first in [0, product.stride].into_iter().take(pixels) {
            for (run, slot) in runs.iter().zip(&mut slots).take(shape.run / SHORT) {
                let run = run.and_then(|run| run.get(first..)?.first_chunk());
                *slot = run.copied().unwrap_or_default();
            }
        }
        runs = runs.map(|run| run.and_then(|run| run.get(PIXELS * product.stride..)));
        tile.read(inputs.as_flattened(), shape.run);
        if pixels == 1 {
            tile.leave_second();
        }
        routines.add(shape, &mut tile);
        tile.advance(shape, 0);
    }
    clear_padding(shape, sums);
}

impl Routines {
    #[inline(always)]
    fn add(self, shape: ProductShape, tile: &mut Tile) {
        match shape.outputs {
            1 => (self.add_single)(tile),
            _ => (self.add_outputs)(tile),
        }
    }
}

/// Sums of outputs that are not there.
fn clear_padding(shape: ProductShape, sums: &mut [i32]) {
    let (outputs, computed) = (
        shape.padded_outputs(),
        shape.outputs.next_multiple_of(PIXELS),
    );
    if computed < outputs {
        for sums in sums.chunks_mut(outputs) {
            sums.iter_mut().skip(computed).for_each(|sum| *sum = 0);
        }
    }
}

/// The same where inputs or weights are missing.
#[inline(never)]
fn add_slowly(routines: Routines, product: &Product, sums: &mut [i32]) {
    let shape = product.shape;
    let (run, row) = (shape.padded_run(), shape.segments * shape.padded_run());
    let weight = |output: usize, k: usize| {
        let at = match shape.outputs {
            1 => k,
            _ => output / 2 * 2 * row + (routines.place)(output % 2, k, row),
        };
        product.packed.get(at).copied().unwrap_or_default()
    };
    for (pixel, sums) in sums.chunks_mut(shape.padded_outputs().max(1)).enumerate() {
        sums.fill(0);
        for (segment, inputs) in product.runs.iter().take(shape.segments).enumerate() {
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
