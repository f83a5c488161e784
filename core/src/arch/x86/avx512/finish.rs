//! What follows the sums: requantisation of 16 at a time.

use core::arch::x86_64::*;

use super::super::super::{Finish, MAX_OUTPUTS, Scaling};
use super::super::rows::Rows;

/// Requantises all rows; returns how many values were saturated.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in super::super) fn requantise(mut rows: Rows, finish: Finish) -> u32 {
    match finish {
        Finish::Plain => requantise_rows(&mut rows, |value, _| saturate(value)),
        Finish::Relu => requantise_rows(&mut rows, |value, _| relu(value)),
        Finish::Add => requantise_rows(&mut rows, |value, there| add(value, there)),
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
        for (sums, out) in rows.block::<16>(first) {
            let (value, clipped) = finish(factors.apply(load_sums(sums)), load(out));
            saturated += (clipped & mask(out.len()) as __mmask16).count_ones();
            store(out, value);
        }
    }
    saturated
}

/// The first `len` lanes.
#[inline]
pub(super) fn mask(len: usize) -> __mmask32 {
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
pub(super) struct Factors {
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
    pub(super) fn new(scaling: &Scaling, first: usize) -> Self {
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
    pub(super) fn apply(&self, sums: __m512i) -> __m512i {
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

/// The positive parts of 16 values, and which of them were saturated.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn relu(value: __m512i) -> (__m256i, __mmask16) {
    saturate(_mm512_max_epi32(value, _mm512_setzero_si512()))
}

/// The sums with what is there, and which of them were saturated.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn add(value: __m512i, there: __m256i) -> (__m256i, __mmask16) {
    saturate(_mm512_add_epi32(value, _mm512_cvtepi16_epi32(there)))
}

/// The soft threshold of 16 values, and which of them were saturated.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn shrink(value: __m512i, theta: i32) -> (__m256i, __mmask16) {
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
pub(super) fn saturate(value: __m512i) -> (__m256i, __mmask16) {
    let near = _mm512_cvtsepi32_epi16(value);
    let differ = _mm512_cmpneq_epi32_mask(_mm512_cvtepi16_epi32(near), value);
    (near, differ)
}
