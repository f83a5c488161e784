//! Masks of pixels, as detectors of small targets answer, and how that field judges them.
//!
//! A mask says where something is, not how many: all targets of one blurred spot are one component of
//! it. Overlap, probability of detection and false alarms are computed as by DNANet's program (Li et
//! al., TIP 2023), but for one slip there: it takes a false component for a found one where both have
//! as many pixels.

use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE};
use serde::{Deserialize, Serialize};

use crate::scene::{Target, add_targets};

/// Pixels `(11, 11)`, row-major.
pub type Mask = [bool; FRAME_LEN];

/// Share of its brightest pixel that targets alone give a pixel of their mask. SeqCSIST does not say
/// how its masks were drawn.
const SHARE: f64 = 0.1;
/// A component is found if the centroid of another mask's lies within so many pixels of its own.
const REACH: f64 = 3.0;

/// The pixels in which `targets` alone are to be seen.
pub fn mask_of(targets: &[Target]) -> Mask {
    let mut counts = [0.0; FRAME_LEN];
    add_targets(targets, &mut counts);
    let brightest = counts.iter().copied().fold(0.0, f64::max);
    counts.map(|count| count > 0.0 && count >= SHARE * brightest)
}

/// Pixels of the 8-connected components of `mask`, each ascending, in the order of their first ones.
pub fn components(mask: &Mask) -> Vec<Vec<usize>> {
    let mut open = *mask;
    let mut found = Vec::new();
    for start in 0..FRAME_LEN {
        if !std::mem::take(&mut open[start]) {
            continue;
        }
        let mut component = vec![start];
        let mut next = 0;
        while let Some(&at) = component.get(next) {
            next += 1;
            for neighbour in neighbours(at) {
                if std::mem::take(&mut open[neighbour]) {
                    component.push(neighbour);
                }
            }
        }
        component.sort_unstable();
        found.push(component);
    }
    found
}

/// The pixel itself and the up to eight around it.
fn neighbours(at: usize) -> impl Iterator<Item = usize> {
    let around = |k: usize| k.saturating_sub(1)..(k + 2).min(FRAME_SIDE);
    let (row, column) = (at / FRAME_SIDE, at % FRAME_SIDE);
    around(row).flat_map(move |r| around(column).map(move |c| r * FRAME_SIDE + c))
}

/// Mean row and column of `pixels`, each weighed by its value of `weights`.
pub fn centroid(pixels: &[usize], weights: impl Fn(usize) -> f64) -> [f64; 2] {
    let (mut sum, mut whole) = ([0.0; 2], 0.0);
    for &at in pixels {
        let weight = weights(at);
        sum[0] += weight * (at / FRAME_SIDE) as f64;
        sum[1] += weight * (at % FRAME_SIDE) as f64;
        whole += weight;
    }
    sum.map(|s| s / whole)
}

/// Masks beside those of the truth, counted over frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaskTally {
    /// Pixels that are in both masks, and in at least one.
    shared: [usize; 2],
    /// Components of the truth, and those that were found.
    components: [usize; 2],
    /// Pixels of components that are none of the truth's, and all pixels.
    false_pixels: [usize; 2],
}

/// What masks are worth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskScores {
    /// Pixels in both masks over those in at least one, per cent.
    pub iou: f64,
    /// Components of the truth that were found, per cent.
    pub pd: f64,
    /// Pixels of components that are none of the truth's, share of all pixels.
    pub fa: f64,
}

impl MaskTally {
    /// Adds a frame.
    pub fn add(&mut self, found: &Mask, truth: &Mask) {
        let pairs = || found.iter().zip(truth);
        self.shared[0] += pairs().filter(|(a, b)| **a && **b).count();
        self.shared[1] += pairs().filter(|(a, b)| **a || **b).count();
        let mut left = components(found);
        let place = |component: &Vec<usize>| centroid(component, |_| 1.0);
        for wanted in components(truth) {
            let [row, column] = place(&wanted);
            let near = |other: &Vec<usize>| {
                let [r, c] = place(other);
                libm::hypot(r - row, c - column) < REACH
            };
            self.components[0] += 1;
            if let Some(at) = left.iter().position(near) {
                self.components[1] += 1;
                left.remove(at);
            }
        }
        self.false_pixels[0] += left.iter().map(Vec::len).sum::<usize>();
        self.false_pixels[1] += FRAME_LEN;
    }

    /// The scores; nothing before the first frame.
    pub fn scores(&self) -> Option<MaskScores> {
        let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
        (self.false_pixels[1] > 0).then(|| MaskScores {
            iou: 100.0 * share(self.shared[0], self.shared[1]),
            pd: 100.0 * share(self.components[1], self.components[0]),
            fa: share(self.false_pixels[0], self.false_pixels[1]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(pixels: &[(usize, usize)]) -> Mask {
        let mut mask = [false; FRAME_LEN];
        for (row, column) in pixels {
            mask[row * FRAME_SIDE + column] = true;
        }
        mask
    }

    #[test]
    fn components_meet_at_corners_and_not_over_borders() {
        let drawn = mask(&[(0, 0), (1, 1), (1, 2), (0, 10), (5, 0), (10, 10)]);
        let sizes: Vec<usize> = components(&drawn).iter().map(Vec::len).collect();
        // (0, 10) and (1, 0) are neighbours in memory alone.
        assert_eq!(sizes, [3, 1, 1, 1]);
        assert_eq!(
            components(&[true; FRAME_LEN]),
            [(0..FRAME_LEN).collect::<Vec<_>>()]
        );
        assert!(components(&[false; FRAME_LEN]).is_empty());
    }

    /// By hand: two of six pixels shared; the spot found, the one of two pixels five away from all.
    #[test]
    fn counts_are_those_by_hand() {
        let truth = mask(&[(5, 5), (5, 6), (6, 5)]);
        let found = mask(&[(5, 6), (6, 5), (6, 6), (0, 0), (0, 1)]);
        let mut tally = MaskTally::default();
        assert_eq!(tally.scores(), None);
        tally.add(&found, &truth);
        let scores = tally.scores().unwrap();
        assert!((scores.iou - 100.0 / 3.0).abs() < 1e-9, "{}", scores.iou);
        assert_eq!((scores.pd, scores.fa), (100.0, 2.0 / 121.0));
        tally.add(&[false; FRAME_LEN], &truth);
        assert_eq!(tally.scores().unwrap().pd, 50.0);
    }

    /// Targets closer than the optics resolve are one component: a mask cannot count them.
    #[test]
    fn close_targets_are_one_component() {
        let target = |x, y| Target {
            x,
            y,
            intensity: 230.0,
        };
        let close = mask_of(&[target(5.0, 5.0), target(5.6, 5.0), target(5.0, 5.6)]);
        assert_eq!(components(&close).len(), 1);
        let far = mask_of(&[target(2.0, 2.0), target(8.0, 8.0)]);
        assert_eq!(components(&far).len(), 2);
        assert_eq!(mask_of(&[]), [false; FRAME_LEN]);
        let [row, column] = centroid(&components(&far)[0], |_| 1.0);
        assert!((row - 2.0).abs() < 1e-9 && (column - 2.0).abs() < 1e-9);
    }
}
