//! Pixels not to believe, for a network that knows no masks.

use crate::physics::{FRAME_LEN, FRAME_SIDE};

/// Pixels of a frame as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mask(u128);

impl Mask {
    pub(super) const EMPTY: Self = Self(0);

    pub(super) fn insert(&mut self, pixel: usize) {
        self.0 |= 1 << (pixel % FRAME_LEN);
    }

    pub(super) const fn contains(self, pixel: usize) -> bool {
        self.0 >> (pixel % FRAME_LEN) & 1 == 1
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Replaces every masked pixel by the mean of its valid neighbours above, below, left and right,
/// rounded half up. Pixels without a valid neighbour wait until their neighbours are filled; a frame
/// without any valid pixel becomes 0.
pub(super) fn fill(counts: &mut [i32; FRAME_LEN], mask: Mask) {
    let mut open = mask;
    while !open.is_empty() {
        let mut later = open;
        let before = *counts;
        for (pixel, count) in counts.iter_mut().enumerate() {
            if !open.contains(pixel) {
                continue;
            }
            if let Some(mean) = mean(&before, open, pixel) {
                *count = mean;
                later.0 &= !(1 << pixel);
            }
        }
        if later == open {
            let pixels = counts.iter_mut().enumerate();
            let masked = pixels.filter(|&(pixel, _)| open.contains(pixel));
            masked.for_each(|(_, count)| *count = 0);
            return;
        }
        open = later;
    }
}

/// Mean of the neighbours of `pixel` that are not `open`.
fn mean(counts: &[i32; FRAME_LEN], open: Mask, pixel: usize) -> Option<i32> {
    let (row, column) = (pixel / FRAME_SIDE, pixel % FRAME_SIDE);
    let neighbours = [
        (row > 0).then(|| pixel.wrapping_sub(FRAME_SIDE)),
        (column > 0).then(|| pixel.wrapping_sub(1)),
        (column + 1 < FRAME_SIDE).then(|| pixel + 1),
        (row + 1 < FRAME_SIDE).then(|| pixel + FRAME_SIDE),
    ];
    let valid = neighbours.into_iter().flatten();
    let valid = valid.filter(|&neighbour| !open.contains(neighbour));
    let (mut sum, mut n) = (0i64, 0i64);
    for count in valid.filter_map(|neighbour| counts.get(neighbour)) {
        sum += i64::from(*count);
        n += 1;
    }
    let rounded = (2 * sum + n).checked_div_euclid(2 * n)?;
    Some(rounded as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masked_pixels_become_their_neighbours_mean() {
        let mut counts = [0; FRAME_LEN];
        for (pixel, count) in counts.iter_mut().enumerate() {
            *count = (pixel % FRAME_SIDE) as i32 * 10;
        }
        let straight = counts;
        let mut mask = Mask::EMPTY;
        for pixel in [60, 61] {
            mask.insert(pixel);
            counts[pixel] = 9_999;
        }
        fill(&mut counts, mask);
        // Above, below and the one valid side: (50 + 50 + 40) / 3 and (60 + 60 + 70) / 3.
        assert_eq!((counts[60], counts[61]), (47, 63));
        counts[60..62].copy_from_slice(&straight[60..62]);
        assert_eq!(counts, straight);
    }

    #[test]
    fn a_frame_without_valid_pixels_is_dark_and_half_a_frame_spreads() {
        let mut mask = Mask::EMPTY;
        (0..FRAME_LEN).for_each(|pixel| mask.insert(pixel));
        let mut counts = [7; FRAME_LEN];
        fill(&mut counts, mask);
        assert_eq!(counts, [0; FRAME_LEN]);
        let mut mask = Mask::EMPTY;
        (0..66).for_each(|pixel| mask.insert(pixel));
        let mut counts = [7; FRAME_LEN];
        counts[..66].fill(-1);
        fill(&mut counts, mask);
        assert_eq!(counts, [7; FRAME_LEN]);
    }
}
