//! AVX-512: sums of pairs of products by VPDPWSSD, 16 sums a register.

use core::arch::asm;
use core::arch::x86_64::*;
use core::array;

use super::super::{Finish, MAX_OUTPUTS, Product, ProductShape, Sampling, Scaling, scalar};
use super::LONGEST;
use super::avx2;
use super::corners::{Corners, LANES};
use super::rows::{Block, Rows};
use crate::fixed::{SHARE_BITS, WHOLE};

/// Packs the weights of the outputs of one block.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn pack_block(shape: ProductShape, weights: &[u8], block: &mut [i16], lanes: usize) {
    let per_output = (shape.segments * shape.run).max(1);
    let is_full = lanes == 16 && weights.len() == 16 * per_output;
    if is_full && shape.run.is_multiple_of(4) && per_output < LONGEST {
        let rows = block.as_chunks_mut::<64>().0.iter_mut();
        let firsts = (0..per_output).step_by(4);
        for (k, pairs) in firsts.zip(rows) {
            // SAFETY: the four weights from `k` on are there for all 16 outputs.
            unsafe { pack_four(weights, per_output, k, pairs) };
        }
        return;
    }
    for (lane, weights) in weights.chunks_exact(per_output).enumerate() {
        scalar::pack_lane(shape, weights, block, (lane, lanes));
    }
}

/// Two pairs of 16 outputs, from input `k` on.
///
/// # Safety
/// `weights` holds `per_output` weights of 16 outputs, at least four of each from `k` on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn pack_four(weights: &[u8], per_output: usize, k: usize, pairs: &mut [i16; 64]) {
    let places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let places = _mm512_mullo_epi32(places, _mm512_set1_epi32(per_output as i32));
    // SAFETY: four bytes of every output from `k` on.
    let four = unsafe { _mm512_i32gather_epi32::<1>(places, weights.as_ptr().add(k).cast()) };
    // The first and the second byte, or the third and the fourth, as the upper ones of words.
    let words = |first: i8| {
        let byte = |of: i32| ((first as i32 + of) << 8) | 0x80;
        let [a, b] = [byte(0) | byte(1) << 16, byte(4) | byte(5) << 16];
        let [c, d] = [byte(8) | byte(9) << 16, byte(12) | byte(13) << 16];
        let choice = _mm512_broadcast_i32x4(_mm_setr_epi32(a, b, c, d));
        _mm512_srai_epi16(_mm512_shuffle_epi8(four, choice), 8)
    };
    let (low, high) = pairs.split_at_mut(32);
    // SAFETY: 32 numbers each.
    unsafe {
        _mm512_storeu_si512(low.as_mut_ptr().cast(), words(0));
        _mm512_storeu_si512(high.as_mut_ptr().cast(), words(2));
    }
}

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

/// The sums of a single output: for each pixel the dot product of contiguous runs.
///
/// # Safety
/// `super::holds` holds.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn single(product: &Product, sums: &mut [i32]) {
    let shape = product.shape;
    let run = shape.padded_run();
    let weights = product.packed.as_ptr();
    for (pixel, sum) in sums.iter_mut().take(product.pixels).enumerate() {
        let mut total = _mm512_setzero_si512();
        for (segment, inputs) in product.runs.iter().take(shape.segments).enumerate() {
            let Some(inputs) = inputs else { continue };
            let mut k = 0;
            while k < run {
                // SAFETY: the run has `run` inputs for each pixel, the segment as many weights, and
                // the mask keeps to them.
                unsafe {
                    let there = mask(run - k);
                    let inputs = inputs.as_ptr().add(pixel * product.stride + k);
                    let weights = weights.add(segment * run + k);
                    let inputs = _mm512_maskz_loadu_epi16(there, inputs);
                    let weights = _mm512_maskz_loadu_epi16(there, weights);
                    total = add_products(total, inputs, weights);
                }
                k += 32;
            }
        }
        *sum = _mm512_reduce_add_epi32(total);
    }
}

/// The `B` blocks from `first` on, for all pixels.
///
/// # Safety
/// `super::holds` holds, and the blocks lie in the padded outputs.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn blocks<const B: usize>(product: &Product, first: usize, sums: &mut [i32]) {
    let mut pixel = 0;
    while pixel < product.pixels {
        // SAFETY: the caller has checked the product, and so many pixels are left.
        pixel += unsafe {
            match product.pixels - pixel {
                11.. => tile::<11, B>(product, pixel, first, sums),
                4.. => tile::<4, B>(product, pixel, first, sums),
                _ => tile::<1, B>(product, pixel, first, sums),
            }
        };
    }
}

/// `16·B` outputs of `P` pixels; returns `P`. Eleven pixels, a third of a row, and two blocks leave
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
    sums: &mut [i32],
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
    for (p, totals) in totals.iter().enumerate() {
        let start = (pixel + p) * shape.padded_outputs() + first;
        for (b, total) in totals.iter().enumerate() {
            // SAFETY: the sums hold all padded outputs of all pixels.
            unsafe { _mm512_storeu_si512(sums.as_mut_ptr().add(start + 16 * b).cast(), *total) };
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

/// Requantises all rows; returns how many values were saturated.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn requantise(mut rows: Rows, finish: Finish) -> u32 {
    match finish {
        Finish::Plain => requantise_rows(&mut rows, |value, _| saturate(value)),
        Finish::Relu => requantise_rows(&mut rows, |value, _| {
            saturate(_mm512_max_epi32(value, _mm512_setzero_si512()))
        }),
        Finish::Add => requantise_rows(&mut rows, |value, there| {
            saturate(_mm512_add_epi32(value, _mm512_cvtepi16_epi32(there)))
        }),
        Finish::Shrink(theta) => requantise_rows(&mut rows, |value, _| shrink(value, theta)),
    }
}

/// [`requantise`] with one way to finish.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn requantise_rows(
    rows: &mut Rows,
    finish: impl Fn(__m512i, __m256i) -> (__m256i, __mmask16),
) -> u32 {
    let mut saturated = 0;
    for first in (0..rows.outputs).step_by(16) {
        let factors = Factors::new(rows.scaling, first);
        if let Some(block) = rows.full_block(first) {
            // SAFETY: `full_block` gives places of numbers that are there.
            saturated += unsafe { requantise_block(&block, &factors, &finish) };
            continue;
        }
        for (sums, out) in rows.block::<16>(first) {
            let (value, clipped) = finish(factors.apply(load_sums(sums)), load(out));
            saturated += (clipped & mask(out.len()) as __mmask16).count_ones();
            store(out, value);
        }
    }
    saturated
}

/// [`requantise_rows`] of 16 outputs.
///
/// # Safety
/// The block's numbers are there, all rows of them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn requantise_block(
    block: &Block,
    factors: &Factors,
    finish: &impl Fn(__m512i, __m256i) -> (__m256i, __mmask16),
) -> u32 {
    let mut saturated = 0;
    let (mut sums, mut out) = (block.sums, block.out);
    for _ in 0..block.rows {
        // SAFETY: this row's 16 sums and 16 results are there.
        let clipped = unsafe {
            let value = factors.apply(_mm512_loadu_si512(sums.cast()));
            let (value, clipped) = finish(value, _mm256_loadu_si256(out.cast()));
            _mm256_storeu_si256(out.cast(), value);
            clipped
        };
        // Saturation is rare: a branch costs less than a sum.
        if clipped != 0 {
            saturated += clipped.count_ones();
        }
        sums = sums.wrapping_add(block.padded);
        out = out.wrapping_add(block.stride);
    }
    saturated
}

/// The first `len` lanes.
#[inline]
fn mask(len: usize) -> __mmask32 {
    if len >= 32 { !0 } else { (1 << len) - 1 }
}

/// Up to 16 sums, and zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn load_sums(from: &[i32]) -> __m512i {
    // SAFETY: the mask is as long as the slice or shorter.
    unsafe { _mm512_maskz_loadu_epi32(mask(from.len()) as __mmask16, from.as_ptr()) }
}

/// Up to 16 numbers, and zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn load(from: &[i16]) -> __m256i {
    // SAFETY: the mask is as long as the slice or shorter.
    unsafe { _mm256_maskz_loadu_epi16(mask(from.len()) as __mmask16, from.as_ptr()) }
}

/// As many of 16 numbers as there is room for.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn store(to: &mut [i16], values: __m256i) {
    // SAFETY: the mask is as long as the slice or shorter.
    unsafe { _mm256_mask_storeu_epi16(to.as_mut_ptr(), mask(to.len()) as __mmask16, values) };
}

/// Biases and factors of 16 outputs. A product of even and one of odd lanes fill 64 bits.
struct Factors {
    bias: __m512i,
    multiplier: __m512i,
    /// Multipliers of the odd lanes, in even places.
    odd: __m512i,
    /// Half a unit of the even and of the odd lanes.
    half: [__m512i; 2],
    /// How far the upper words of products are shifted.
    shift: __m512i,
}

impl Factors {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn new(scaling: &Scaling, first: usize) -> Self {
        let lanes = |from: &[i32; MAX_OUTPUTS]| {
            let from = from.get(first..).unwrap_or(&[]);
            load_sums(from.get(..16).unwrap_or(from))
        };
        let (multiplier, shift) = (lanes(&scaling.multiplier), lanes(&scaling.shift));
        let one = _mm512_set1_epi64(1);
        let even = _mm512_and_si512(shift, _mm512_set1_epi64(0xFFFF_FFFF));
        let odd = _mm512_srli_epi64(shift, 32);
        Self {
            bias: lanes(&scaling.bias),
            multiplier,
            odd: _mm512_srli_epi64(multiplier, 32),
            half: [
                _mm512_sllv_epi64(one, _mm512_sub_epi64(even, one)),
                _mm512_sllv_epi64(one, _mm512_sub_epi64(odd, one)),
            ],
            shift: _mm512_sub_epi32(shift, _mm512_set1_epi32(32)),
        }
    }

    /// The requantised sums.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn apply(&self, sums: __m512i) -> __m512i {
        let sums = _mm512_add_epi32(sums, self.bias);
        let even = _mm512_mul_epi32(sums, self.multiplier);
        let odd = _mm512_mul_epi32(_mm512_srli_epi64(sums, 32), self.odd);
        let even = _mm512_add_epi64(even, self.half[0]);
        let odd = _mm512_add_epi64(odd, self.half[1]);
        let upper = _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_CDAB);
        // The arithmetic shift of the upper word is what is left of the whole product's.
        _mm512_srav_epi32(upper, self.shift)
    }
}

/// The soft threshold of 16 values, and which of them were saturated.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn shrink(value: __m512i, theta: i32) -> (__m256i, __mmask16) {
    let zero = _mm512_setzero_si512();
    let (value, clipped) = saturate(value);
    let value = _mm512_cvtepi16_epi32(value);
    let length = _mm512_sub_epi32(_mm512_abs_epi32(value), _mm512_set1_epi32(theta));
    let length = _mm512_max_epi32(length, zero);
    let length = _mm512_maskz_mov_epi32(_mm512_test_epi32_mask(value, value), length);
    let negative = _mm512_cmplt_epi32_mask(value, zero);
    let (value, again) = saturate(_mm512_mask_sub_epi32(length, negative, zero, length));
    (value, clipped | again)
}

/// The nearest 16-bit numbers, and which of them differ.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn saturate(value: __m512i) -> (__m256i, __mmask16) {
    let near = _mm512_cvtsepi32_epi16(value);
    let differ = _mm512_cmpneq_epi32_mask(_mm512_cvtepi16_epi32(near), value);
    (near, differ)
}

/// Samples the map.
///
/// # Safety
/// `super::covers` holds.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn sample(sampling: &Sampling, patches: &mut [i16]) {
    let offsets = sampling.offsets.as_chunks().0.chunks(LANES);
    let mut patches = patches.chunks_exact_mut(sampling.channels);
    for (group, offsets) in offsets.enumerate() {
        let corners = Corners::new(sampling, LANES * group, offsets);
        let taps = corners.taps().take(offsets.len());
        for ((starts, weights), patch) in taps.zip(&mut patches) {
            // SAFETY: every corner starts at a pixel of the map, which the caller has found whole.
            unsafe { blend(sampling.map, starts, weights, patch) };
        }
    }
}

/// The weighted mean of four pixels.
///
/// # Safety
/// From each corner on the map holds as many numbers as `patch`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn blend(map: &[i16], starts: [usize; 4], weights: [i32; 2], patch: &mut [i16]) {
    let starts = starts.map(|start| map.as_ptr().wrapping_add(start));
    let [above, below] = weights;
    let (above, below) = (_mm512_set1_epi32(above), _mm512_set1_epi32(below));
    for (index, out) in patch.chunks_mut(32).enumerate() {
        let there = mask(out.len());
        let [a, b, c, d] = starts.map(|start| start.wrapping_add(32 * index));
        // SAFETY: `patch`, and so each corner, has the numbers of the mask there.
        unsafe {
            let (a, b) = (
                _mm512_maskz_loadu_epi16(there, a),
                _mm512_maskz_loadu_epi16(there, b),
            );
            let (c, d) = (
                _mm512_maskz_loadu_epi16(there, c),
                _mm512_maskz_loadu_epi16(there, d),
            );
            _mm512_mask_storeu_epi16(out.as_mut_ptr(), there, mean([a, b], [c, d], above, below));
        }
    }
}

/// `round(Σ corner · weight)` of 32 numbers; weights are 0 or more and add up to 1, so it fits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn mean([a, b]: [__m512i; 2], [c, d]: [__m512i; 2], above: __m512i, below: __m512i) -> __m512i {
    let half = _mm512_set1_epi32(WHOLE / 2);
    let round = |ab: __m512i, cd: __m512i| {
        let sum = _mm512_dpwssd_epi32(_mm512_dpwssd_epi32(half, ab, above), cd, below);
        _mm512_srai_epi32(sum, SHARE_BITS)
    };
    let low = round(_mm512_unpacklo_epi16(a, b), _mm512_unpacklo_epi16(c, d));
    let high = round(_mm512_unpackhi_epi16(a, b), _mm512_unpackhi_epi16(c, d));
    _mm512_packs_epi32(low, high)
}
