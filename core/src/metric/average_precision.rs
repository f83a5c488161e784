//! From ranked, matched detections to average precision and the other figures.

use super::{Record, THRESHOLDS};
use crate::error::{Error, Result, check_room};

/// Sums over frames that need no ranking.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) frames: usize,
    targets: usize,
    exact_counts: usize,
    matched: usize,
    /// Sum of squared distances of the matched pairs, px².
    squares: f64,
}

impl Totals {
    pub(super) fn count_match(&mut self, matched: bool, distance: f64) {
        if matched {
            self.matched += 1;
            self.squares += distance * distance;
        }
    }

    pub(super) fn count_frame(&mut self, detections: usize, targets: usize) {
        self.frames += 1;
        self.targets = self.targets.saturating_add(targets);
        self.exact_counts += usize::from(detections == targets);
    }
}

/// Summary of an evaluation; shares are 0..=1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// AP per threshold of [`THRESHOLDS`]; 0 where there is no detection or no target at all.
    pub average_precision: [f64; THRESHOLDS.len()],
    /// TP / (TP + FP + FN) at 0.25 px; 0 without any detection and target.
    pub jaccard: f64,
    /// Root mean square distance of matched pairs at 0.25 px, in pixels; none if nothing matched.
    pub rmse: Option<f64>,
    /// Share of frames with exactly as many detections as targets.
    pub count_accuracy: f64,
    /// Frames evaluated.
    pub frames: usize,
    /// Detections of all frames.
    pub detections: usize,
    /// Targets of all frames.
    pub targets: usize,
    /// True positives at 0.25 px.
    pub matched: usize,
}

impl Scores {
    /// CSO-mAP: the plain mean of the five APs, 0..=1.
    pub fn cso_map(&self) -> f64 {
        self.average_precision.iter().sum::<f64>() / THRESHOLDS.len() as f64
    }
}

/// One point of a precision-recall curve: the state after one more detection in rank order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CurvePoint {
    /// True positives so far / targets; 0 without targets.
    pub recall: f64,
    /// True positives so far / detections so far.
    pub precision: f64,
    /// Largest precision from here on: the envelope whose area is AP.
    pub envelope: f64,
    /// Score of the detection: the operating threshold that leads here.
    pub score: f64,
}

/// A finished evaluation: detections in rank order.
#[derive(Clone, Copy, Debug)]
pub struct Evaluation<'a> {
    records: &'a [Record],
    totals: Totals,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(records: &'a [Record], totals: Totals) -> Self {
        Self { records, totals }
    }

    /// Detections of all frames: the points of every curve.
    pub fn detections(&self) -> usize {
        self.records.len()
    }

    /// The figures of this evaluation.
    pub fn scores(&self) -> Scores {
        let Totals {
            frames,
            targets,
            exact_counts,
            matched,
            squares,
        } = self.totals;
        let detections = self.records.len();
        // TP + FP are the detections, TP + FN the targets.
        let union = (detections - matched).saturating_add(targets);
        let mut average_precision = [0.0; THRESHOLDS.len()];
        for (bit, ap) in average_precision.iter_mut().enumerate() {
            *ap = self.average_precision(1 << bit);
        }
        Scores {
            average_precision,
            jaccard: share(matched, union),
            rmse: (matched > 0).then(|| libm::sqrt(squares / matched as f64)),
            count_accuracy: share(exact_counts, frames),
            frames,
            detections,
            targets,
            matched,
        }
    }

    /// Fills the precision-recall curve of `THRESHOLDS[threshold]`, one point per detection in rank
    /// order, and returns their number.
    ///
    /// # Errors
    /// [`Error::Domain`] if there is no such threshold, [`Error::Capacity`] if `points` holds fewer
    /// than [`Self::detections`].
    pub fn fill_curve(&self, threshold: usize, points: &mut [CurvePoint]) -> Result<usize> {
        if threshold >= THRESHOLDS.len() {
            return Err(Error::Domain {
                what: "threshold index",
                expected: "0 to 4",
                got: threshold as f64,
            });
        }
        check_room("curve points", self.records.len(), points.len())?;
        let bit = 1 << threshold;
        let mut hits = 0;
        for (rank, (point, record)) in points.iter_mut().zip(self.records).enumerate() {
            hits += usize::from(record.hits & bit != 0);
            *point = CurvePoint {
                recall: share(hits, self.totals.targets),
                precision: share(hits, rank + 1),
                envelope: 0.0,
                score: record.score,
            };
        }
        let mut envelope = 0.0_f64;
        for (point, _) in points.iter_mut().zip(self.records).rev() {
            envelope = envelope.max(point.precision);
            point.envelope = envelope;
        }
        Ok(self.records.len())
    }

    /// Area under the precision envelope at the threshold of `bit`.
    ///
    /// Recall grows by 1/targets at each true positive and nowhere else, so the area is the mean
    /// over targets of the envelope at the true positives. One pass from the last rank needs no
    /// memory; summing shares of at most 1 cannot round above their number, hence AP ≤ 1 exactly.
    fn average_precision(&self, bit: u8) -> f64 {
        let is_hit = |record: &&Record| record.hits & bit != 0;
        let mut hits = self.records.iter().filter(is_hit).count();
        let (mut envelope, mut area) = (0.0_f64, 0.0);
        for (rank, record) in self.records.iter().enumerate().rev() {
            if is_hit(&record) {
                envelope = envelope.max(share(hits, rank + 1));
                area += envelope;
                hits -= 1;
            }
        }
        if self.totals.targets == 0 {
            return 0.0;
        }
        area / self.totals.targets as f64
    }
}

/// `part / whole`, 0 for an empty whole.
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}
