//! Excluded pixels for a network that knows no masks.

use std::borrow::Cow;

use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE};

/// `counts (frames, 11, 11)` with every excluded pixel replaced by the mean of its valid neighbours
/// above, below, left and right in the same frame. Pixels without a valid neighbour wait until their
/// neighbours are filled; a frame without any valid pixel becomes 0.
pub(super) fn fill<'c>(counts: &'c [f32], excluded: Option<&[bool]>) -> Cow<'c, [f32]> {
    let Some(flags) = excluded.filter(|flags| flags.contains(&true)) else {
        return Cow::Borrowed(counts);
    };
    let mut filled = counts.to_vec();
    let frames = filled.chunks_exact_mut(FRAME_LEN);
    for (frame, flags) in frames.zip(flags.chunks_exact(FRAME_LEN).cycle()) {
        fill_frame(frame, flags);
    }
    Cow::Owned(filled)
}

fn fill_frame(frame: &mut [f32], flags: &[bool]) {
    let mut open: Vec<usize> = (0..FRAME_LEN).filter(|&pixel| flags[pixel]).collect();
    while !open.is_empty() {
        let (now, later): (Vec<_>, Vec<_>) = open
            .iter()
            .map(|&pixel| (pixel, mean(frame, &open, pixel)))
            .partition(|(_, mean)| mean.is_some());
        if now.is_empty() {
            later.iter().for_each(|&(pixel, _)| frame[pixel] = 0.0);
            return;
        }
        for (pixel, mean) in now {
            frame[pixel] = mean.unwrap_or(0.0);
        }
        open = later.into_iter().map(|(pixel, _)| pixel).collect();
    }
}

/// Mean of the neighbours of `pixel` that are not `open`.
fn mean(frame: &[f32], open: &[usize], pixel: usize) -> Option<f32> {
    let (row, column) = (pixel / FRAME_SIDE, pixel % FRAME_SIDE);
    let neighbours = [
        (row > 0).then(|| pixel - FRAME_SIDE),
        (column > 0).then(|| pixel - 1),
        (column + 1 < FRAME_SIDE).then(|| pixel + 1),
        (row + 1 < FRAME_SIDE).then(|| pixel + FRAME_SIDE),
    ];
    let valid = neighbours.into_iter().flatten();
    let valid: Vec<f32> = valid
        .filter(|neighbour| !open.contains(neighbour))
        .map(|neighbour| frame[neighbour])
        .collect();
    (!valid.is_empty()).then(|| valid.iter().sum::<f32>() / valid.len() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts that grow along rows and columns: the mean of four neighbours is the pixel itself.
    fn ramp() -> Vec<f32> {
        let count = |i: usize| (3 * (i / FRAME_SIDE) + 5 * (i % FRAME_SIDE)) as f32;
        (0..2 * FRAME_LEN).map(|i| count(i % FRAME_LEN)).collect()
    }

    fn flags(pixels: &[usize], frames: usize) -> Vec<bool> {
        let all = 0..frames * FRAME_LEN;
        all.map(|i| pixels.contains(&i)).collect()
    }

    #[test]
    fn nothing_excluded_is_nothing_changed() {
        let counts = ramp();
        assert!(matches!(fill(&counts, None), Cow::Borrowed(_)));
        let none = [false; FRAME_LEN];
        assert!(matches!(fill(&counts, Some(&none)), Cow::Borrowed(_)));
    }

    #[test]
    fn neighbours_of_the_same_frame_fill_a_pixel() {
        let (pixel, counts) = (5 * FRAME_SIDE + 4, ramp());
        for spoilt in [f32::NAN, 1e4] {
            let mut broken = counts.clone();
            broken[pixel] = spoilt;
            broken[FRAME_LEN + pixel] = spoilt;
            let filled = fill(&broken, Some(&flags(&[pixel], 1)));
            assert_eq!(filled, counts);
        }
        // In the second frame alone, and there in a corner: the mean of 5 and 3.
        let filled = fill(&counts, Some(&flags(&[FRAME_LEN], 2)));
        let changed: Vec<_> = (0..counts.len())
            .filter(|&i| filled[i] != counts[i])
            .collect();
        assert_eq!((changed, filled[FRAME_LEN]), (vec![FRAME_LEN], 4.0));
    }

    /// Of a patch of three by three the border is filled first, then the middle from it.
    #[test]
    fn patches_fill_from_outside() {
        let patch: Vec<usize> = (0..9)
            .map(|k| (4 + k / 3) * FRAME_SIDE + 4 + k % 3)
            .collect();
        let mut counts = vec![7.0; FRAME_LEN];
        patch.iter().for_each(|&i| counts[i] = f32::NAN);
        let filled = fill(&counts, Some(&flags(&patch, 1)));
        assert_eq!(*filled, [7.0; FRAME_LEN]);
    }

    #[test]
    fn a_frame_without_valid_pixels_is_dark() {
        let counts = [f32::NAN; FRAME_LEN];
        assert_eq!(*fill(&counts, Some(&[true; FRAME_LEN])), [0.0; FRAME_LEN]);
    }
}
