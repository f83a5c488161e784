//! AVX-512: sums of pairs of products by VPDPWSSD, 16 sums a register.

mod finish;
mod pack;
mod sample;

use core::arch::asm;
use core::arch::x86_64::*;
use core::array;

use super::super::{Finish, Product, Scaling, scalar};
use super::avx2;
use finish::{Factors, add, mask, relu, saturate, shrink};

pub(super) use finish::requantise;
pub(super) use pack::pack_block;
pub(super) use sample::sample;

/// Sums of products, two blocks at once where there are two. What fills no register of 16 sums is
/// left to AVX2.
///
/// # Safety
/// `super::holds` holds.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn accumulate(product: &Product, sums: &mut [i32]) {
    let padded = product.shape.padded_outputs();
    let mut first = 0;
    while first < padded {
        // SAFETY: the caller has checked the product, and so many outputs are left.
        unsafe {
            match padded - first {
                32.. => blocks::<2>(product, first, sums),
                16.. => blocks::<1>(product, first, sums),
                8.. => avx2::block::<1>(product, first, sums),
                _ => single(product, sums),
            }
        }
        first += if padded - first >= 32 { 32 } else { 16 };
    }
}

/// Pixels whose dot products run side by side: as many as hide the time of one addition.
const ABREAST: usize = 6;

/// The sums of a single output: for each pixel the dot product of contiguous runs.
///
/// # Safety
/// `super::holds` holds.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn single(product: &Product, sums: &mut [i32]) {
    let sums = sums.get_mut(..product.pixels).unwrap_or_default();
    let (groups, rest) = sums.as_chunks_mut::<ABREAST>();
    let first = groups.len() * ABREAST;
    for (group, sums) in groups.iter_mut().enumerate() {
        // SAFETY: the caller has checked the product, and so many pixels are left.
        *sums = unsafe { dots(product, group * ABREAST) };
    }
    for (pixel, sum) in rest.iter_mut().enumerate() {
        // SAFETY: the same.
        [*sum] = unsafe { dots(product, first + pixel) };
    }
}

/// Dot products of `P` pixels from `pixel` on.
///
/// # Safety
/// `super::holds` holds, and the product has the pixels.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn dots<const P: usize>(product: &Product, pixel: usize) -> [i32; P] {
    let shape = product.shape;
    let run = shape.padded_run();
    let mut totals = [_mm512_setzero_si512(); P];
    for (segment, inputs) in product.runs.iter().take(shape.segments).enumerate() {
        let Some(inputs) = inputs else { continue };
        for k in (0..run).step_by(32) {
            let there = mask(run - k);
            // SAFETY: the run has `run` inputs for each pixel, the segment as many weights, and the
            // mask keeps to them.
            unsafe {
                let weights = product.packed.as_ptr().add(segment * run + k);
                let weights = _mm512_maskz_loadu_epi16(there, weights);
                for (p, total) in totals.iter_mut().enumerate() {
                    let inputs = inputs.as_ptr().add((pixel + p) * product.stride + k);
                    let inputs = _mm512_maskz_loadu_epi16(there, inputs);
                    *total = add_products(*total, inputs, weights);
                }
            }
        }
    }
    array::from_fn(|p| _mm512_reduce_add_epi32(totals[p]))
}

/// The `B` blocks from `first` on, for all pixels.
///
/// # Safety
/// `super::holds` holds, and the blocks lie in the padded outputs.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn blocks<const B: usize>(product: &Product, first: usize, sums: &mut [i32]) {
    let padded = product.shape.padded_outputs();
    let sums = sums.as_mut_ptr();
    let mut keep = |pixel: usize, block: usize, total: __m512i| {
        let start = pixel * padded + first + 16 * block;
        // SAFETY: the sums hold all padded outputs of all pixels.
        unsafe { _mm512_storeu_si512(sums.add(start).cast(), total) };
    };
    // SAFETY: as the caller's.
    unsafe { tiles::<B>(product, first, &mut keep) };
}

/// Requantised outputs of all pixels, without sums in between.
///
/// # Safety
/// `super::holds` holds but for the sums; outputs come in whole blocks, and `out` has room for those
/// of all pixels, `stride` apart.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn row(
    product: &Product,
    scaling: &Scaling,
    finish: Finish,
    (out, stride): (*mut i16, usize),
) -> u32 {
    let to = (out, stride);
    // SAFETY: as the caller's.
    unsafe {
        match finish {
            Finish::Plain => row_with(product, scaling, to, |value, _| saturate(value)),
            Finish::Relu => row_with(product, scaling, to, |value, _| relu(value)),
            Finish::Add => row_with(product, scaling, to, |value, there| add(value, there)),
            Finish::Shrink(theta) => {
                row_with(product, scaling, to, |value, _| shrink(value, theta))
            }
        }
    }
}

/// [`row`] with one way to finish.
///
/// # Safety
/// That of [`row`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn row_with(
    product: &Product,
    scaling: &Scaling,
    (out, stride): (*mut i16, usize),
    finish: impl Fn(__m512i, __m256i) -> (__m256i, __mmask16),
) -> u32 {
    let mut saturated = 0;
    let mut first = 0;
    while first < product.shape.outputs {
        let factors = [
            Factors::new(scaling, first),
            Factors::new(scaling, first + 16),
        ];
        let mut keep = |pixel: usize, block: usize, total: __m512i| {
            let out = out.wrapping_add(pixel * stride + first + 16 * block);
            // SAFETY: there is room for 16 outputs of this block and pixel.
            let clipped = unsafe {
                let value = factors[block & 1].apply(total);
                let (value, clipped) = finish(value, _mm256_loadu_si256(out.cast()));
                _mm256_storeu_si256(out.cast(), value);
                clipped
            };
            // Saturation is rare: a branch costs less than a sum.
            if clipped != 0 {
                saturated += clipped.count_ones();
            }
        };
        // SAFETY: the caller has checked the product, and so many outputs are left.
        first += unsafe {
            if product.shape.outputs - first >= 32 {
                tiles::<2>(product, first, &mut keep)
            } else {
                tiles::<1>(product, first, &mut keep)
            }
        };
    }
    saturated
}

/// All pixels of `B` blocks, tile by tile; returns the outputs of the blocks.
///
/// # Safety
/// `super::holds` holds but for the sums, and the blocks lie in the padded outputs.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn tiles<const B: usize>(
    product: &Product,
    first: usize,
    keep: &mut impl FnMut(usize, usize, __m512i),
) -> usize {
    let mut pixel = 0;
    while pixel < product.pixels {
        // SAFETY: the caller has checked the product, and so many pixels are left.
        pixel += unsafe {
            match product.pixels - pixel {
                11.. => tile::<11, B>(product, pixel, first, keep),
                4.. => tile::<4, B>(product, pixel, first, keep),
                _ => tile::<1, B>(product, pixel, first, keep),
            }
        };
    }
    16 * B
}

/// `16·B` sums of `P` pixels, each handed to `keep` with its pixel and block; returns `P`. Eleven pixels, a third of a row, and two blocks leave
/// 10 registers of 32, and 12 addresses for 15 general registers.
///
/// ```text
/// for every run that is there
///     for every pair of inputs
///         w[0..B] = weights of the pair
///         for every pixel p
///             t[p][0..B] += w[0..B] · (pair of p, in all lanes)
/// ```
///
/// # Safety
/// `super::holds` holds, and the product has the pixels and blocks of the tile.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn tile<const P: usize, const B: usize>(
    product: &Product,
    pixel: usize,
    first: usize,
    keep: &mut impl FnMut(usize, usize, __m512i),
) -> usize {
    let shape = product.shape;
    let run = shape.padded_run();
    let block = 16 * shape.segments * run;
    let mut totals = [[_mm512_setzero_si512(); B]; P];
    for (segment, inputs) in product.runs.iter().take(shape.segments).enumerate() {
        let Some(inputs) = inputs else { continue };
        let start = first * shape.segments * run + segment * 16 * run;
        // SAFETY: the packed weights hold every block and segment, and the run every pixel.
        let (weights, inputs) = unsafe {
            let inputs = inputs.as_ptr().add(pixel * product.stride);
            (product.packed.as_ptr().add(start), inputs)
        };
        let pixels: [*const i16; P] = array::from_fn(|p| inputs.wrapping_add(p * product.stride));
        for pair in 0..run / 2 {
            let mut w = [_mm512_setzero_si512(); B];
            for (b, w) in w.iter_mut().enumerate() {
                // SAFETY: `run / 2` pairs of 16 outputs lie there in each block.
                *w = unsafe { _mm512_loadu_si512(weights.add(b * block + 32 * pair).cast()) };
            }
            for (totals, inputs) in totals.iter_mut().zip(pixels) {
                // SAFETY: each pixel has `run` inputs, two for every pair.
                let inputs = unsafe { inputs.add(2 * pair).cast::<i32>().read_unaligned() };
                let inputs = _mm512_set1_epi32(inputs);
                for (total, w) in totals.iter_mut().zip(w) {
                    *total = add_products(*total, w, inputs);
                }
            }
        }
    }
    for (p, totals) in totals.into_iter().enumerate() {
        for (b, total) in totals.into_iter().enumerate() {
            keep(pixel + p, b, total);
        }
    }
    P
}

/// `total + a·b` of pairs. In place of the intrinsic, which the compiler splits into VPMADDWD and
/// VPADDD where it takes the sum for a long chain.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn add_products(mut total: __m512i, a: __m512i, b: __m512i) -> __m512i {
    // SAFETY: one instruction of the enabled features, on registers alone.
    unsafe {
        asm!(
            "vpdpwssd {0}, {1}, {2}",
            inout(zmm_reg) total,
            in(zmm_reg) a,
            in(zmm_reg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    total
}

/// The scalar kernel in wider registers.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn multiply(rows: &[i16], table: &[i16], sums: &mut [i32]) {
    scalar::multiply(rows, table, sums);
}
