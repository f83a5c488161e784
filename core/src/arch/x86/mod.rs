//! Kernels for x86-64: AVX2, and AVX-512 with its integer dot products.
//!
//! Lengths are checked here, in safe code, once per call; what does not fit goes to the scalar
//! kernels, which define what then happens.
#![allow(unsafe_code)]

mod avx2;
mod avx512;
mod corners;
mod detect;
mod peak;
mod rows;

use super::{
    Finish, MAX_OUTPUTS, MAX_PIXELS, Product, ProductShape, SEGMENTS, Sampling, Scaling, scalar,
};

/// Longest run and stride that the kernels take, so that no index overflows.
const LONGEST: usize = 1 << 20;
/// Most channels of a map that is sampled.
const MOST_CHANNELS: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// AVX2.
    Avx2,
    /// AVX-512 F, BW, VL and VNNI.
    Avx512,
}

/// Kernels that this processor can run: values come from [`Set::available`] alone, after detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Set(Level);

impl Set {
    /// What the processor can run, the fastest last.
    pub(super) fn available() -> impl Iterator<Item = Self> {
        let levels = [Level::Avx2, Level::Avx512].into_iter();
        levels.filter(|&level| detect::offers(level)).map(Self)
    }

    pub(super) const fn name(self) -> &'static str {
        match self.0 {
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512-vnni",
        }
    }

    pub(super) fn peak(self, turns: u32) -> u64 {
        // SAFETY: detection has found the instructions.
        unsafe {
            match self.0 {
                Level::Avx2 => peak::avx2(turns),
                Level::Avx512 => peak::avx512(turns),
            }
        }
    }

    pub(super) fn pack(self, shape: ProductShape, weights: &[u8], packed: &mut [i16]) {
        match self.0 {
            Level::Avx2 => scalar::pack(shape, weights, packed),
            Level::Avx512 => {
                scalar::pack_blocks(shape, weights, packed, |weights, block, lanes| {
                    // SAFETY: detection has found the instructions.
                    unsafe { avx512::pack_block(shape, weights, block, lanes) }
                })
            }
        }
    }

    pub(super) fn accumulate(self, product: &Product, sums: &mut [i32]) {
        if !holds(product, sums) {
            return scalar::accumulate(product, sums);
        }
        // SAFETY: detection has found the instructions, and `holds` every number.
        unsafe {
            match self.0 {
                Level::Avx2 => avx2::accumulate(product, sums),
                Level::Avx512 => avx512::accumulate(product, sums),
            }
        }
    }

    /// [`super::Kernels::row`], where this set has more than both parts of it to offer.
    pub(super) fn row(
        self,
        product: &Product,
        scaling: &Scaling,
        finish: Finish,
        (out, stride): (&mut [i16], usize),
    ) -> Option<u32> {
        let outputs = product.shape.outputs;
        let fits = self.0 == Level::Avx512
            && outputs.is_multiple_of(16)
            && covers_runs(product)
            && rows::has_usual_shifts(scaling, outputs)
            && (outputs..=LONGEST).contains(&stride)
            && out.len() >= (product.pixels - 1) * stride + outputs;
        // SAFETY: detection has found the instructions, and everything that is read and written is
        // there.
        fits.then(|| unsafe { avx512::row(product, scaling, finish, (out.as_mut_ptr(), stride)) })
    }

    pub(super) fn multiply(self, rows: &[i16], table: &[i16], sums: &mut [i32]) {
        // SAFETY: detection has found the instructions.
        unsafe {
            match self.0 {
                Level::Avx2 => avx2::multiply(rows, table, sums),
                Level::Avx512 => avx512::multiply(rows, table, sums),
            }
        }
    }

    pub(super) fn requantise(
        self,
        sums: &[i32],
        outputs: usize,
        scaling: &Scaling,
        finish: Finish,
        (out, stride): (&mut [i16], usize),
    ) -> u32 {
        let Some(rows) = rows::Rows::new(sums, outputs, scaling, (&mut *out, stride)) else {
            return scalar::requantise(sums, outputs, scaling, finish, (out, stride));
        };
        // SAFETY: detection has found the instructions.
        unsafe {
            match self.0 {
                Level::Avx2 => avx2::requantise(rows, finish),
                Level::Avx512 => avx512::requantise(rows, finish),
            }
        }
    }

    pub(super) fn sample(self, sampling: &Sampling, patches: &mut [i16]) {
        if !covers(sampling) {
            return scalar::sample(sampling, patches);
        }
        // SAFETY: detection has found the instructions, and `covers` the whole map.
        unsafe {
            match self.0 {
                Level::Avx2 => avx2::sample(sampling, patches),
                Level::Avx512 => avx512::sample(sampling, patches),
            }
        }
    }
}

/// Whether everything that the sums read and write is there.
fn holds(product: &Product, sums: &[i32]) -> bool {
    covers_runs(product) && sums.len() >= product.sums_len()
}

/// Whether everything that the sums read is there.
fn covers_runs(product: &Product) -> bool {
    let shape = product.shape;
    let usual = (1..=MAX_OUTPUTS).contains(&shape.outputs)
        && (1..=SEGMENTS).contains(&shape.segments)
        && (1..=MAX_PIXELS).contains(&product.pixels)
        && shape.run <= LONGEST
        && product.stride <= LONGEST;
    if !usual || product.packed.len() < shape.packed_len() {
        return false;
    }
    let reach = (product.pixels - 1) * product.stride + shape.padded_run();
    let mut runs = product.runs.iter().take(shape.segments).flatten();
    runs.all(|run| run.len() >= reach)
}

/// Whether the map holds every pixel of which a corner may be, and every index fits 32 bits.
fn covers(sampling: &Sampling) -> bool {
    let (side, channels) = (sampling.side, sampling.channels);
    (1..=MAX_PIXELS).contains(&side)
        && channels.is_multiple_of(8)
        && (8..=MOST_CHANNELS).contains(&channels)
        && sampling.offsets.len() <= MAX_PIXELS * 18
        && sampling.map.len() >= side * (side + 1) * channels
}
