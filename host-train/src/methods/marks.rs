//! Pixels that detectors mark, and what these are worth.

use derefnet_core::metric::Detection;
use derefnet_core::physics::FRAME_LEN;

use super::net::scored_frames;
use super::trained::Ready;
use crate::backend::Backend;
use crate::eval::masks::{Mask, MaskTally, centroid, components, mask_of};
use crate::eval::metric::FrameResult;
use crate::eval::network::{batch, centres};
use crate::scene::Trajectory;
use crate::{Error, Result};

/// What a detector makes of a frame.
#[derive(Clone, Debug)]
pub struct Detected {
    /// The pixels that it marks.
    pub mask: Mask,
    /// What it judged them by: counts above their surroundings, or probabilities.
    pub saliency: [f64; FRAME_LEN],
}

impl Detected {
    /// Each component of the mask as one target, at its weighted centroid.
    pub fn targets(&self) -> Vec<Detection> {
        let target = |pixels: &Vec<usize>| {
            let [x, y] = centroid(pixels, |at| self.saliency[at]);
            let score = pixels.iter().map(|&at| self.saliency[at]).sum();
            Detection { x, y, score }
        };
        components(&self.mask).iter().map(target).collect()
    }
}

/// Something that answers trajectories with marked pixels.
pub trait Marks: Sync {
    /// What it marks in the scored frames of one trajectory.
    ///
    /// # Errors
    /// If frames cannot be answered.
    fn marks(&self, trajectory: &Trajectory) -> Result<Vec<Detected>>;
}

/// A detector without parameters, frame by frame.
pub struct Filter(pub fn(frame: &[f64]) -> Detected);

impl Marks for Filter {
    fn marks(&self, trajectory: &Trajectory) -> Result<Vec<Detected>> {
        let counts = batch([trajectory]).counts;
        let frames: Vec<&[f32]> = counts.chunks_exact(FRAME_LEN).collect();
        let marked = |at: usize| {
            let frame: Vec<f64> = frames[at].iter().map(|&c| f64::from(c)).collect();
            (self.0)(&frame)
        };
        let scored = scored_frames(frames.len(), frames.len()).into_iter();
        Ok(scored.map(marked).collect())
    }
}

impl<B: Backend> Marks for Ready<'_, B> {
    fn marks(&self, trajectory: &Trajectory) -> Result<Vec<Detected>> {
        let frames = batch([trajectory]);
        let logits = self.maps(&frames);
        let logits: Vec<&[f32]> = logits.chunks_exact(FRAME_LEN).collect();
        let scored = scored_frames(frames.length, frames.length).into_iter();
        scored.map(|at| marked(logits[at])).collect()
    }
}

/// Pixels with positive `logits (121)`, and the probabilities of all.
fn marked(logits: &[f32]) -> Result<Detected> {
    let (mut mask, mut saliency) = ([false; FRAME_LEN], [0.0; FRAME_LEN]);
    for (at, &logit) in logits.iter().enumerate() {
        if !logit.is_finite() {
            let message = format!("network output: pixel {at} is {logit}");
            return Err(Error::CheckFailed(message));
        }
        mask[at] = logit > 0.0;
        saliency[at] = 1.0 / (1.0 + (-f64::from(logit)).exp());
    }
    Ok(Detected { mask, saliency })
}

/// Components as targets beside the truth for every scored frame of `trajectories`, and the masks beside
/// those of the truth.
///
/// # Errors
/// If frames cannot be answered.
pub fn judged(
    detector: &dyn Marks,
    trajectories: &[Trajectory],
) -> Result<(Vec<FrameResult>, MaskTally)> {
    let (mut results, mut tally) = (Vec::new(), MaskTally::default());
    for trajectory in trajectories {
        let found = detector.marks(trajectory)?;
        for (found, truth) in found.iter().zip(centres(trajectory)) {
            tally.add(&found.mask, &mask_of(truth));
            results.push(FrameResult {
                detections: found.targets(),
                truth: truth.clone(),
            });
        }
    }
    Ok((results, tally))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: two components, the first of two pixels with probabilities of 3/4 and 9/10.
    #[test]
    fn positive_logits_are_marked() {
        let mut logits = [-2.0; FRAME_LEN];
        (logits[0], logits[1], logits[60]) = (3f32.ln(), 9f32.ln(), 1e-3);
        let found = marked(&logits).unwrap();
        let targets = found.targets();
        assert_eq!(targets.len(), 2);
        assert!((targets[0].score - 1.65).abs() < 1e-6);
        assert_eq!(targets[0].x, 0.0);
        assert!((targets[0].y - 0.9 / 1.65).abs() < 1e-6);
        assert_eq!((targets[1].x, targets[1].y), (5.0, 5.0));
        logits[7] = f32::NAN;
        let message = marked(&logits).unwrap_err().to_string();
        assert!(message.contains("pixel 7"), "{message}");
    }
}
