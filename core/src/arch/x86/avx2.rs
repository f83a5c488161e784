//! AVX2: products of pairs by VPMADDWD, 8 sums a register.

use core::arch::x86_64::*;
use core::array;

use super::super::{Finish, MAX_OUTPUTS, Product, Sampling, Scaling, scalar};
use super::corners::{Corners, LANES};
use super::rows::Rows;
use crate::fixed::{SHARE_BITS, WHOLE};

/// Sums of products, block by block.
///
/// # Safety
/// `super::holds` holds.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn accumulate(product: &Product, sums: &mut [i32]) {
    let padded = product.shape.padded_outputs();
    for first in (0..padded).step_by(16) {
        // SAFETY: the caller has checked the product.
        unsafe {
            match padded - first {
                16.. => block::<2>(product, first, sums),
                2.. => block::<1>(product, first, sums),
                _ => single(product, sums),
            }
        }
    }
}

/// The block of `8·V` outputs from `first` on, for all pixels.
///
/// # Safety
/// `super::holds` holds, and the block lies in the padded outputs.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn block<const V: usize>(product: &Product, first: usize, sums: &mut [i32]) {
    let mut pixel = 0;
    while pixel < product.pixels {
        // SAFETY: the caller has checked the product, and so many pixels are left.
        pixel += unsafe {
            match product.pixels - pixel {
                6.. => tile::<6, V>(product, pixel, first, sums),
                3.. => tile::<3, V>(product, pixel, first, sums),
                _ => tile::<1, V>(product, pixel, first, sums),
            }
        };
    }
}

/// `8·V` outputs of `P` pixels; returns `P`. Six pixels and two vectors of weights leave two
/// registers of 16, for the inputs and a product.
///
/// ```text
/// for every run that is there
///     for every pair of inputs
///         w[0..V] = weights of the pair
///         for every pixel p
///             t[p][0..V] += w[0..V] · (pair of p, in all lanes)
/// ```
///
/// # Safety
/// `super::holds` holds, and the product has the pixels and outputs of the tile.
#[target_feature(enable = "avx2")]
unsafe fn tile<const P: usize, const V: usize>(
    product: &Product,
    pixel: usize,
    first: usize,
    sums: &mut [i32],
) -> usize {
    let shape = product.shape;
    let run = shape.padded_run();
    let mut totals = [[_mm256_setzero_si256(); V]; P];
    for (segment, inputs) in product.runs.iter().take(shape.segments).enumerate() {
        let Some(inputs) = inputs else { continue };
        let start = first * shape.segments * run + segment * 8 * V * run;
        // SAFETY: the packed weights hold every block and segment, and the run every pixel.
        let (weights, inputs) = unsafe {
            let inputs = inputs.as_ptr().add(pixel * product.stride);
            (product.packed.as_ptr().add(start), inputs)
        };
        let pixels: [*const i16; P] = array::from_fn(|p| inputs.wrapping_add(p * product.stride));
        for pair in 0..run / 2 {
            let mut w = [_mm256_setzero_si256(); V];
            for (v, w) in w.iter_mut().enumerate() {
                // SAFETY: `run / 2` pairs of `8·V` outputs lie there.
                *w = unsafe { _mm256_loadu_si256(weights.add((pair * V + v) * 16).cast()) };
            }
            for (totals, inputs) in totals.iter_mut().zip(pixels) {
                // SAFETY: each pixel has `run` inputs, two for every pair.
                let inputs = unsafe { inputs.add(2 * pair).cast::<i32>().read_unaligned() };
                let inputs = _mm256_set1_epi32(inputs);
                for (total, w) in totals.iter_mut().zip(w) {
                    *total = _mm256_add_epi32(*total, _mm256_madd_epi16(w, inputs));
                }
            }
        }
    }
    for (p, totals) in totals.iter().enumerate() {
        let start = (pixel + p) * shape.padded_outputs() + first;
        for (v, total) in totals.iter().enumerate() {
            // SAFETY: the sums hold all padded outputs of all pixels.
            unsafe { _mm256_storeu_si256(sums.as_mut_ptr().add(start + 8 * v).cast(), *total) };
        }
    }
    P
}

/// The sums of a single output: for each pixel the dot product of contiguous runs.
///
/// # Safety
/// `super::holds` holds.
#[target_feature(enable = "avx2")]
unsafe fn single(product: &Product, sums: &mut [i32]) {
    let shape = product.shape;
    let run = shape.padded_run();
    for (pixel, sum) in sums.iter_mut().take(product.pixels).enumerate() {
        *sum = 0;
        let weights = product.packed.chunks_exact(run.max(1));
        for (inputs, weights) in product.runs.iter().take(shape.segments).zip(weights) {
            let start = pixel * product.stride;
            let inputs = inputs.and_then(|inputs| inputs.get(start..start + run));
            *sum = sum.wrapping_add(inputs.map_or(0, |inputs| dot(inputs, weights)));
        }
    }
}

/// `Σ a·b`.
#[target_feature(enable = "avx2")]
fn dot(a: &[i16], b: &[i16]) -> i32 {
    let mut total = _mm256_setzero_si256();
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks(), b.as_chunks());
    for (a, b) in a.iter().zip(b) {
        total = _mm256_add_epi32(total, _mm256_madd_epi16(load16(a), load16(b)));
    }
    let terms = a_rest.iter().zip(b_rest);
    terms.fold(total_of(total), |sum, (&a, &b)| {
        sum.wrapping_add(i32::from(a) * i32::from(b))
    })
}

/// The sum of all lanes.
#[target_feature(enable = "avx2")]
fn total_of(v: __m256i) -> i32 {
    let v = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    let v = _mm_add_epi32(v, _mm_shuffle_epi32(v, 0b00_00_11_10));
    _mm_cvtsi128_si32(_mm_add_epi32(v, _mm_shuffle_epi32(v, 1)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn load16(from: &[i16; 16]) -> __m256i {
    // SAFETY: 32 bytes of the array.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load8(from: &[i16; 8]) -> __m128i {
    // SAFETY: 16 bytes of the array.
    unsafe { _mm_loadu_si128(from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_sums(from: &[i32; 8]) -> __m256i {
    // SAFETY: 32 bytes of the array.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store8(to: &mut [i16; 8], values: __m128i) {
    // SAFETY: 16 bytes of the array.
    unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), values) };
}

/// The scalar kernel in wider registers.
#[target_feature(enable = "avx2")]
pub(super) fn multiply(rows: &[i16], table: &[i16], sums: &mut [i32]) {
    scalar::multiply(rows, table, sums);
}

/// Requantises all rows; returns how many values were saturated.
#[target_feature(enable = "avx2")]
pub(super) fn requantise(mut rows: Rows, finish: Finish) -> u32 {
    let mut saturated = _mm256_setzero_si256();
    for first in (0..rows.outputs).step_by(8) {
        let factors = Factors::new(rows.scaling, first);
        for (sums, out) in rows.block::<8>(first) {
            let Some(sums) = sums.first_chunk() else {
                continue;
            };
            let value = factors.apply(load_sums(sums));
            saturated = match out.first_chunk_mut() {
                Some(out) => {
                    let (value, clipped) = finished(finish, value, load8(out));
                    store8(out, value);
                    _mm256_sub_epi32(saturated, clipped)
                }
                None => _mm256_sub_epi32(saturated, partial(finish, value, out)),
            };
        }
    }
    total_of(saturated) as u32
}

/// Finishes fewer than 8 values; lanes of those that were saturated are -1.
#[target_feature(enable = "avx2")]
fn partial(finish: Finish, value: __m256i, out: &mut [i16]) -> __m256i {
    let mut there = [0; 8];
    let mut inside = [0; 8];
    for ((there, inside), out) in there.iter_mut().zip(&mut inside).zip(&*out) {
        (*there, *inside) = (*out, -1);
    }
    let (value, clipped) = finished(finish, value, load8(&there));
    store8(&mut there, value);
    out.iter_mut()
        .zip(there)
        .for_each(|(out, value)| *out = value);
    _mm256_and_si256(clipped, load_sums(&inside))
}

/// Biases and factors of 8 outputs. A product of even and one of odd lanes fill 64 bits.
struct Factors {
    bias: __m256i,
    multiplier: __m256i,
    /// Multipliers of the odd lanes, in even places.
    odd: __m256i,
    /// Half a unit of the even and of the odd lanes.
    half: [__m256i; 2],
    /// How far the upper words of products are shifted.
    shift: __m256i,
}

impl Factors {
    #[target_feature(enable = "avx2")]
    fn new(scaling: &Scaling, first: usize) -> Self {
        let lanes = |from: &[i32; MAX_OUTPUTS]| {
            let lanes = from.get(first..).and_then(|from| from.first_chunk::<8>());
            load_sums(lanes.unwrap_or(&[0; 8]))
        };
        let (multiplier, shift) = (lanes(&scaling.multiplier), lanes(&scaling.shift));
        let low = _mm256_set1_epi64x(0xFFFF_FFFF);
        let one = _mm256_set1_epi64x(1);
        let places = [_mm256_and_si256(shift, low), _mm256_srli_epi64(shift, 32)];
        let [even, odd] = places;
        Self {
            bias: lanes(&scaling.bias),
            multiplier,
            odd: _mm256_srli_epi64(multiplier, 32),
            half: [
                _mm256_sllv_epi64(one, _mm256_sub_epi64(even, one)),
                _mm256_sllv_epi64(one, _mm256_sub_epi64(odd, one)),
            ],
            shift: _mm256_sub_epi32(shift, _mm256_set1_epi32(32)),
        }
    }

    /// The requantised sums.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn apply(&self, sums: __m256i) -> __m256i {
        let sums = _mm256_add_epi32(sums, self.bias);
        let even = _mm256_mul_epi32(sums, self.multiplier);
        let odd = _mm256_mul_epi32(_mm256_srli_epi64(sums, 32), self.odd);
        let even = _mm256_srli_epi64(_mm256_add_epi64(even, self.half[0]), 32);
        let odd = _mm256_add_epi64(odd, self.half[1]);
        // The arithmetic shift of the upper word is what is left of the whole product's.
        _mm256_srav_epi32(_mm256_blend_epi32(even, odd, 0b1010_1010), self.shift)
    }
}

/// `finish` of 8 values; lanes of those that were saturated are -1.
#[inline]
#[target_feature(enable = "avx2")]
fn finished(finish: Finish, value: __m256i, there: __m128i) -> (__m128i, __m256i) {
    let zero = _mm256_setzero_si256();
    match finish {
        Finish::Plain => saturate(value),
        Finish::Relu => saturate(_mm256_max_epi32(value, zero)),
        Finish::Add => saturate(_mm256_add_epi32(value, _mm256_cvtepi16_epi32(there))),
        Finish::Shrink(theta) => {
            let (value, clipped) = saturate(value);
            let value = _mm256_cvtepi16_epi32(value);
            let length = _mm256_sub_epi32(_mm256_abs_epi32(value), _mm256_set1_epi32(theta));
            let length = _mm256_max_epi32(length, zero);
            let (value, again) = saturate(_mm256_sign_epi32(length, value));
            (value, _mm256_or_si256(clipped, again))
        }
    }
}

/// The nearest 16-bit numbers; lanes of those that differ are -1.
#[inline]
#[target_feature(enable = "avx2")]
fn saturate(value: __m256i) -> (__m128i, __m256i) {
    let (low, high) = (
        _mm256_castsi256_si128(value),
        _mm256_extracti128_si256(value, 1),
    );
    let near = _mm_packs_epi32(low, high);
    let same = _mm256_cmpeq_epi32(_mm256_cvtepi16_epi32(near), value);
    (near, _mm256_xor_si256(same, _mm256_set1_epi32(-1)))
}

/// Samples the map.
///
/// # Safety
/// `super::covers` holds.
#[target_feature(enable = "avx2")]
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
#[target_feature(enable = "avx2")]
unsafe fn blend(map: &[i16], starts: [usize; 4], weights: [i32; 2], patch: &mut [i16]) {
    let [a, b, c, d] = starts.map(|start| map.as_ptr().wrapping_add(start));
    let [above, below] = weights;
    let (above, below) = (_mm256_set1_epi32(above), _mm256_set1_epi32(below));
    let (wide, rest) = patch.as_chunks_mut();
    let after = 16 * wide.len();
    for (index, out) in wide.iter_mut().enumerate() {
        let at = 16 * index;
        // SAFETY: `patch`, and so each corner, has 16 numbers there.
        let (a, b, c, d) = unsafe { (load(a, at), load(b, at), load(c, at), load(d, at)) };
        store16(out, mean([a, b], [c, d], above, below));
    }
    if let Some(out) = rest.first_chunk_mut() {
        // SAFETY: `patch`, and so each corner, has 8 numbers there.
        let (a, b, c, d) = unsafe {
            (
                half(a, after),
                half(b, after),
                half(c, after),
                half(d, after),
            )
        };
        store8(
            out,
            _mm256_castsi256_si128(mean([a, b], [c, d], above, below)),
        );
    }
}

/// 16 numbers.
///
/// # Safety
/// They lie `at` numbers after `from`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load(from: *const i16, at: usize) -> __m256i {
    // SAFETY: the caller knows of them.
    unsafe { _mm256_loadu_si256(from.add(at).cast()) }
}

/// 8 numbers, in the lower half.
///
/// # Safety
/// They lie `at` numbers after `from`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn half(from: *const i16, at: usize) -> __m256i {
    // SAFETY: the caller knows of them.
    _mm256_castsi128_si256(unsafe { _mm_loadu_si128(from.add(at).cast()) })
}

/// `round(Σ corner · weight)` of 16 numbers; weights are 0 or more and add up to 1, so it fits.
#[inline]
#[target_feature(enable = "avx2")]
fn mean([a, b]: [__m256i; 2], [c, d]: [__m256i; 2], above: __m256i, below: __m256i) -> __m256i {
    let half = _mm256_set1_epi32(WHOLE / 2);
    let round = |ab: __m256i, cd: __m256i| {
        let above = _mm256_add_epi32(_mm256_madd_epi16(ab, above), half);
        let sum = _mm256_add_epi32(above, _mm256_madd_epi16(cd, below));
        _mm256_srai_epi32(sum, SHARE_BITS as i32)
    };
    let low = round(_mm256_unpacklo_epi16(a, b), _mm256_unpacklo_epi16(c, d));
    let high = round(_mm256_unpackhi_epi16(a, b), _mm256_unpackhi_epi16(c, d));
    _mm256_packs_epi32(low, high)
}

#[inline]
#[target_feature(enable = "avx2")]
fn store16(to: &mut [i16; 16], values: __m256i) {
    // SAFETY: 32 bytes of the array.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), values) };
}
