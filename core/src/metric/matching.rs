//! Matching within one frame, and the accumulator over frames.

use core::cmp::Ordering;

use super::average_precision::{Evaluation, Totals};
use super::{Detection, THRESHOLDS, Truth, WIDEST};
use crate::error::{Error, Result, check_room};

/// What is kept of one detection until the evaluation is finished.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record {
    pub(super) score: f64,
    frame: u32,
    index: u32,
    /// Bit `k`: true positive at threshold `k`.
    pub(super) hits: u8,
}

impl Record {
    /// Fills memory that no detection occupies yet.
    pub const EMPTY: Self = Self {
        score: 0.0,
        frame: 0,
        index: 0,
        hits: 0,
    };

    /// Rank order: score descending, frame ascending, index ascending.
    ///
    /// Total, because scores are finite and hold no negative zero, and no two records share both
    /// frame and index.
    fn rank(&self, other: &Self) -> Ordering {
        let by_place = || (self.frame, self.index).cmp(&(other.frame, other.index));
        other.score.total_cmp(&self.score).then_with(by_place)
    }
}

/// Sorts into rank order; equal keys cannot occur, so an unstable sort has one possible result.
fn sort_by_rank(records: &mut [Record]) {
    records.sort_unstable_by(Record::rank);
}

/// Collects frames one after the other in the caller's memory.
#[derive(Debug)]
pub struct Accumulator<'a> {
    records: &'a mut [Record],
    taken: &'a mut [u8],
    used: usize,
    totals: Totals,
}

impl<'a> Accumulator<'a> {
    /// Starts an evaluation. `records` bounds the detections of all frames together, `taken` the
    /// targets of any one frame; the content of both is overwritten.
    pub fn new(records: &'a mut [Record], taken: &'a mut [u8]) -> Self {
        Self {
            records,
            taken,
            used: 0,
            totals: Totals::default(),
        }
    }

    /// Frames accepted so far: the index of the next one.
    pub fn frames(&self) -> usize {
        self.totals.frames
    }

    /// Matches one frame and keeps its outcome. Either list may be empty.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for a NaN or infinity in a coordinate or score, [`Error::Capacity`] if
    /// the memory given to [`Self::new`] is too small (or indices exceed 32 bits). The evaluation
    /// then stands as if the frame had not been offered.
    pub fn push_frame(&mut self, detections: &[Detection], truth: &[Truth]) -> Result<()> {
        check_finite(detections, truth)?;
        let needed = self.used.saturating_add(detections.len());
        check_room("records of detections", needed, self.records.len())?;
        check_room(
            "bytes for targets of one frame",
            truth.len(),
            self.taken.len(),
        )?;
        let frame = index_32("frames", self.totals.frames)?;
        index_32("detections of one frame", detections.len())?;

        let fresh = self.records.iter_mut().skip(self.used);
        for (index, (record, detection)) in fresh.zip(detections).enumerate() {
            *record = Record {
                // Adding zero turns −0 into +0, which the total order would tell apart.
                score: detection.score + 0.0,
                frame,
                index: index as u32,
                hits: 0,
            };
        }
        let fresh = self.records.get_mut(self.used..needed).unwrap_or_default();
        self.used = needed;
        sort_by_rank(fresh);
        self.taken.fill(0);
        for record in fresh {
            let detection = detections.get(record.index as usize);
            if let Some((target, distance)) = detection.and_then(|d| nearest(d, truth)) {
                record.hits = claim(self.taken, target, distance);
                self.totals.count_match(record.hits & WIDEST != 0, distance);
            }
        }
        self.totals.count_frame(detections.len(), truth.len());
        Ok(())
    }

    /// Ranks the detections of all frames.
    ///
    /// # Errors
    /// [`Error::NoFrames`] if no frame was pushed.
    pub fn finish(self) -> Result<Evaluation<'a>> {
        if self.totals.frames == 0 {
            return Err(Error::NoFrames);
        }
        let (records, _) = self
            .records
            .split_at_mut_checked(self.used)
            .unwrap_or_default();
        sort_by_rank(records);
        Ok(Evaluation::new(records, self.totals))
    }
}

/// Nearest target and its distance in pixels; the lowest index wins a tie.
fn nearest(detection: &Detection, truth: &[Truth]) -> Option<(usize, f64)> {
    let mut best = None;
    for (index, target) in truth.iter().enumerate() {
        let (dx, dy) = (detection.x - target.x, detection.y - target.y);
        let distance = libm::sqrt(dx * dx + dy * dy);
        if best.is_none_or(|(_, least)| distance < least) {
            best = Some((index, distance));
        }
    }
    best
}

/// Takes `target` at every threshold that reaches it and where it is free; returns those.
fn claim(taken: &mut [u8], target: usize, distance: f64) -> u8 {
    let Some(taken) = taken.get_mut(target) else {
        return 0;
    };
    let mut reached = 0;
    for (bit, threshold) in THRESHOLDS.iter().enumerate() {
        reached |= u8::from(distance <= *threshold) << bit;
    }
    let hits = reached & !*taken;
    *taken |= hits;
    hits
}

fn check_finite(detections: &[Detection], truth: &[Truth]) -> Result<()> {
    for (index, detection) in detections.iter().enumerate() {
        check_number("detection x", index, detection.x)?;
        check_number("detection y", index, detection.y)?;
        check_number("detection score", index, detection.score)?;
    }
    for (index, target) in truth.iter().enumerate() {
        check_number("target x", index, target.x)?;
        check_number("target y", index, target.y)?;
    }
    Ok(())
}

fn check_number(what: &'static str, index: usize, value: f64) -> Result<()> {
    if value.is_finite() {
        return Ok(());
    }
    Err(Error::NotFinite { what, index })
}

fn index_32(what: &'static str, got: usize) -> Result<u32> {
    u32::try_from(got).map_err(|_| Error::Capacity {
        what,
        needed: got,
        got: u32::MAX as usize,
    })
}
