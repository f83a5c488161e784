//! Corners and weights of eight taps at once; for lone taps they would cost more than the samples.

use core::arch::x86_64::*;

use super::super::Sampling;
use crate::fixed::{SHARE_BITS, WHOLE};

/// Taps at once.
pub(super) const LANES: usize = 8;

/// What `scalar::Corners` are of one tap, of eight.
pub(super) struct Corners {
    starts: [[i32; LANES]; 4],
    /// Weights of the upper and of the lower corners, the left one in the lower half.
    pairs: [[i32; LANES]; 2],
}

impl Corners {
    /// Corners of the taps from `first` on, displaced by `offsets`, at most eight.
    ///
    /// Everything fits 32 bits if `super::covers` holds.
    #[target_feature(enable = "avx2")]
    pub(super) fn new(sampling: &Sampling, first: usize, offsets: &[[i16; 2]]) -> Self {
        let mut lanes = [0; LANES];
        for (lane, &[row, column]) in lanes.iter_mut().zip(offsets) {
            *lane = i32::from(row) & 0xFFFF | i32::from(column) << 16;
        }
        let offsets = load(&lanes);
        let [rows, columns] = places(sampling, first);
        let row_offsets = _mm256_srai_epi32(_mm256_slli_epi32(offsets, 16), 16);
        let (row, down) = split(sampling, rows, row_offsets);
        let (column, right) = split(sampling, columns, _mm256_srai_epi32(offsets, 16));
        Self {
            starts: starts(sampling, row, column),
            pairs: weights(down, right),
        }
    }

    /// Starts and weights tap by tap.
    #[inline]
    pub(super) fn taps(&self) -> impl Iterator<Item = ([usize; 4], [i32; 2])> {
        let [a, b, c, d] = &self.starts;
        let [above, below] = &self.pairs;
        let starts = a.iter().zip(b).zip(c.iter().zip(d));
        let starts = starts.map(|((&a, &b), (&c, &d))| [a, b, c, d].map(|start| start as usize));
        starts.zip(
            above
                .iter()
                .zip(below)
                .map(|(&above, &below)| [above, below]),
        )
    }
}

/// Rows and columns of the taps from `first` on, without their displacements.
#[inline]
#[target_feature(enable = "avx2")]
fn places(sampling: &Sampling, first: usize) -> [__m256i; 2] {
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    let index = _mm256_add_epi32(lanes, _mm256_set1_epi32(first as i32));
    // Below 32768 · 7282 / 65536 is a ninth rounded down, below 9 · 11 / 32 a third.
    let pixel = _mm256_srli_epi32(_mm256_mullo_epi32(index, _mm256_set1_epi32(7282)), 16);
    let tap = _mm256_sub_epi32(index, _mm256_mullo_epi32(pixel, _mm256_set1_epi32(9)));
    let row = _mm256_srli_epi32(_mm256_mullo_epi32(tap, _mm256_set1_epi32(11)), 5);
    let column = _mm256_sub_epi32(tap, _mm256_mullo_epi32(row, _mm256_set1_epi32(3)));
    let column = _mm256_add_epi32(column, pixel);
    [
        _mm256_add_epi32(row, _mm256_set1_epi32(sampling.row as i32)),
        _mm256_add_epi32(column, _mm256_set1_epi32(sampling.column as i32)),
    ]
}

/// Integer coordinates at or before `places - 1 + offsets`, and the shares of the next ones.
#[inline]
#[target_feature(enable = "avx2")]
fn split(sampling: &Sampling, places: __m256i, offsets: __m256i) -> (__m256i, __m256i) {
    let bits = sampling.bits.min(SHARE_BITS) as i32;
    let shift = _mm_cvtsi32_si128(bits);
    let places = _mm256_sub_epi32(places, _mm256_set1_epi32(1));
    let position = _mm256_add_epi32(_mm256_sll_epi32(places, shift), offsets);
    let rest = _mm256_and_si256(position, _mm256_set1_epi32((1 << bits) - 1));
    let share = _mm256_sll_epi32(rest, _mm_cvtsi32_si128(SHARE_BITS as i32 - bits));
    (_mm256_sra_epi32(position, shift), share)
}

/// Where corners start; 0 outside the map.
#[inline]
#[target_feature(enable = "avx2")]
fn starts(sampling: &Sampling, row: __m256i, column: __m256i) -> [[i32; LANES]; 4] {
    let one = _mm256_set1_epi32(1);
    let (side, channels) = (sampling.side as i32, sampling.channels as i32);
    let pixel = _mm256_mullo_epi32(row, _mm256_set1_epi32(side + 1));
    let pixel = _mm256_add_epi32(_mm256_add_epi32(pixel, column), one);
    let start = _mm256_mullo_epi32(pixel, _mm256_set1_epi32(channels));
    let right = _mm256_set1_epi32(channels);
    let down = _mm256_set1_epi32((side + 1) * channels);
    let below = _mm256_add_epi32(start, down);
    let inside = |place: __m256i| {
        let before = _mm256_cmpgt_epi32(_mm256_set1_epi32(side), place);
        _mm256_andnot_si256(_mm256_srai_epi32(place, 31), before)
    };
    let (row, next_row) = (inside(row), inside(_mm256_add_epi32(row, one)));
    let (column, next_column) = (inside(column), inside(_mm256_add_epi32(column, one)));
    let kept = |start, row, column| store(_mm256_and_si256(start, _mm256_and_si256(row, column)));
    [
        kept(start, row, column),
        kept(_mm256_add_epi32(start, right), row, next_column),
        kept(below, next_row, column),
        kept(_mm256_add_epi32(below, right), next_row, next_column),
    ]
}

/// Pairs of weights, upper and lower ones.
#[inline]
#[target_feature(enable = "avx2")]
fn weights(down: __m256i, right: __m256i) -> [[i32; LANES]; 2] {
    let both = _mm256_add_epi32(
        _mm256_mullo_epi32(down, right),
        _mm256_set1_epi32(WHOLE / 2),
    );
    let both = _mm256_srai_epi32(both, SHARE_BITS as i32);
    let right_above = _mm256_sub_epi32(right, both);
    let left_below = _mm256_sub_epi32(down, both);
    let left_above = _mm256_sub_epi32(
        _mm256_set1_epi32(WHOLE),
        _mm256_add_epi32(down, right_above),
    );
    let pair = |left, right| store(_mm256_or_si256(left, _mm256_slli_epi32(right, 16)));
    [pair(left_above, right_above), pair(left_below, both)]
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(from: &[i32; LANES]) -> __m256i {
    // SAFETY: 32 bytes of the array.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(values: __m256i) -> [i32; LANES] {
    let mut to = [0; LANES];
    // SAFETY: 32 bytes of the array.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), values) };
    to
}
