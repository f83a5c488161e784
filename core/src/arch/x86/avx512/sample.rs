//! Bilinear samples, 32 channels at a time.

use core::arch::x86_64::*;

use super::super::super::Sampling;
use super::super::corners::{Corners, LANES};
use super::finish::mask;
use crate::fixed::{SHARE_BITS, WHOLE};

/// Samples the map.
///
/// # Safety
/// `super::covers` holds.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in super::super) unsafe fn sample(sampling: &Sampling, patches: &mut [i16]) {
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
