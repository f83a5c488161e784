//! CSO-mAP: mean average precision of closely-spaced objects, with its companions.
//!
//! Source: SeqCSIST, section on evaluation, and its released evaluator. Per frame and per distance
//! δ of [`THRESHOLDS`], each detection looks only at its nearest target (ties: lowest index).
//! Detections are visited in rank order; one is a true positive if that distance is at most δ and
//! the target is not yet taken, else a false positive: a detection whose nearest target is taken
//! never turns to another. All frames' detections are then pooled in rank order, and AP is the area
//! under the right-to-left maximum of precision over recall. CSO-mAP is the mean of the five APs.
//!
//! Our deviation: the released evaluator sorts with an unstable sort, so equal scores may land
//! anywhere. Here **rank order** is total: score descending, then frame index, then detection
//! index, so that the result has the same bits on every platform.
//!
//! Beside it, all at δ = 0.25 px (the last threshold):
//! - **Jaccard**: TP / (TP + FP + FN) over all frames;
//! - **RMSE**: √(mean of squared distances) over the true positives, in pixels, both axes together;
//! - **count accuracy** (no δ): share of the frames with exactly as many detections as targets.
//!
//! Shares are 0..=1; positions are low-resolution pixels; all arithmetic is `f64`. The caller gives
//! the memory: one [`Record`] per detection of the whole evaluation, one byte per target of the
//! largest frame.
//!
//! # Examples
//! ```
//! use derefnet_core::metric::{Accumulator, Detection, Record, Truth};
//!
//! let (mut records, mut taken) = ([Record::EMPTY; 8], [0; 4]);
//! let mut accumulator = Accumulator::new(&mut records, &mut taken);
//! let found = [Detection { x: 4.33, y: 5.0, score: 231.0 }];
//! let truth = [Truth { x: 4.31, y: 5.02 }, Truth { x: 4.9, y: 5.0 }];
//! accumulator.push_frame(&found, &truth)?;
//! let scores = accumulator.finish()?.scores();
//! assert_eq!(scores.average_precision, [0.5; 5]);
//! # Ok::<(), derefnet_core::Error>(())
//! ```

mod average_precision;
mod grid;
mod matching;

pub use average_precision::{CurvePoint, Evaluation, Scores};
pub use grid::{GRID_THRESHOLD, MapShape, grid_detections};
pub use matching::{Accumulator, Record};

/// Matching distances δ, low-resolution pixels, ascending.
pub const THRESHOLDS: [f64; 5] = [0.05, 0.10, 0.15, 0.20, 0.25];

/// Bit of a hit mask that belongs to the widest threshold, at which Jaccard and RMSE are taken.
const WIDEST: u8 = 1 << (THRESHOLDS.len() - 1);

/// One answer of a method.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Row coordinate, pixels.
    pub x: f64,
    /// Column coordinate, pixels.
    pub y: f64,
    /// Confidence in any unit; only its order matters.
    pub score: f64,
}

/// Position of one real target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truth {
    /// Row coordinate, pixels.
    pub x: f64,
    /// Column coordinate, pixels.
    pub y: f64,
}

#[cfg(test)]
mod tests;
