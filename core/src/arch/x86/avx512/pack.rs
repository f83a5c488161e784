//! Weights of 16 outputs, gathered four inputs at a time.

use core::arch::x86_64::*;

use super::super::super::{ProductShape, scalar};
use super::super::LONGEST;

/// Packs the weights of the outputs of one block.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in super::super) fn pack_block(
    shape: ProductShape,
    weights: &[u8],
    block: &mut [i16],
    lanes: usize,
) {
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
