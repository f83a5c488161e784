//! CSO-mAP over lists of frames: [`derefnet_core::metric`] with its memory owned here.
//!
//! The protocol, the definitions and the tie order are written there; this side only turns shares
//! into per cent and names the figures.

use derefnet_core::metric::{
    Accumulator, CurvePoint, Detection, Evaluation, Record, Scores, THRESHOLDS, Truth,
};

use crate::scene::Target;
use crate::{Error, Result};

/// What a method answered for one frame, and what was there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameResult {
    /// Answers, pixels and score; their order breaks ties between equal scores.
    pub detections: Vec<Detection>,
    /// Targets; intensities do not enter the metric.
    pub truth: Vec<Target>,
}

/// The figures of one evaluation under the keys that scripts rely on.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Report {
    /// Mean of the five APs, per cent.
    pub cso_map: f64,
    /// AP at 0.05 px, per cent.
    pub ap05: f64,
    /// AP at 0.10 px, per cent.
    pub ap10: f64,
    /// AP at 0.15 px, per cent.
    pub ap15: f64,
    /// AP at 0.20 px, per cent.
    pub ap20: f64,
    /// AP at 0.25 px, per cent.
    pub ap25: f64,
    /// TP / (TP + FP + FN) at 0.25 px, per cent.
    pub jaccard: f64,
    /// Frames with exactly as many detections as targets, per cent.
    pub count_accuracy: f64,
    /// Root mean square distance of the pairs matched at 0.25 px, pixels; null if there are none.
    pub rmse_px: Option<f64>,
    /// Frames evaluated.
    pub frames: usize,
    /// Detections of all frames.
    pub detections: usize,
    /// Targets of all frames.
    pub targets: usize,
}

impl Report {
    /// The five APs, ascending in δ, per cent.
    pub fn average_precisions(&self) -> [f64; 5] {
        [self.ap05, self.ap10, self.ap15, self.ap20, self.ap25]
    }
}

impl From<Scores> for Report {
    fn from(scores: Scores) -> Self {
        let [ap05, ap10, ap15, ap20, ap25] = scores.average_precision.map(|ap| 100.0 * ap);
        Self {
            cso_map: 100.0 * scores.cso_map(),
            ap05,
            ap10,
            ap15,
            ap20,
            ap25,
            jaccard: 100.0 * scores.jaccard,
            count_accuracy: 100.0 * scores.count_accuracy,
            rmse_px: scores.rmse,
            frames: scores.frames,
            detections: scores.detections,
            targets: scores.targets,
        }
    }
}

/// Precision over recall at one matching distance, in rank order.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Matching distance δ, pixels.
    pub delta: f64,
    /// One point per detection; shares 0..=1.
    pub points: Vec<CurvePoint>,
}

/// Evaluates `frames`: CSO-mAP, APs, Jaccard, RMSE and count accuracy.
///
/// # Errors
/// [`Error::Usage`] naming frame and element if a coordinate or score is not finite, or if there
/// are no frames.
pub fn evaluate(frames: &[FrameResult]) -> Result<Report> {
    with_evaluation(frames, |evaluation| Ok(evaluation.scores().into()))
}

/// The precision-recall curve at each of the five distances, ascending.
///
/// # Errors
/// As [`evaluate`].
pub fn precision_recall(frames: &[FrameResult]) -> Result<Vec<Curve>> {
    with_evaluation(frames, |evaluation| {
        let curve = |(index, delta): (usize, &f64)| {
            let mut points = vec![CurvePoint::default(); evaluation.detections()];
            evaluation
                .fill_curve(index, &mut points)
                .map_err(|error| Error::usage(error.to_string()))?;
            Ok(Curve {
                delta: *delta,
                points,
            })
        };
        THRESHOLDS.iter().enumerate().map(curve).collect()
    })
}

/// Runs the accumulator of core over all frames with enough memory for them.
fn with_evaluation<T>(
    frames: &[FrameResult],
    use_it: impl FnOnce(&Evaluation) -> Result<T>,
) -> Result<T> {
    let detections = frames.iter().map(|frame| frame.detections.len()).sum();
    let crowd = frames.iter().map(|frame| frame.truth.len()).max();
    let mut records = vec![Record::EMPTY; detections];
    let mut taken = vec![0; crowd.unwrap_or(0)];
    let mut accumulator = Accumulator::new(&mut records, &mut taken);
    let mut truth = Vec::new();
    for (index, frame) in frames.iter().enumerate() {
        truth.clear();
        truth.extend(
            frame
                .truth
                .iter()
                .map(|&Target { x, y, .. }| Truth { x, y }),
        );
        accumulator
            .push_frame(&frame.detections, &truth)
            .map_err(|error| Error::usage(format!("frame {index}: {error}")))?;
    }
    let evaluation = accumulator.finish();
    use_it(&evaluation.map_err(|error| Error::usage(error.to_string()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(detections: &[(f64, f64, f64)], truth: &[(f64, f64)]) -> FrameResult {
        let target = |&(x, y): &(f64, f64)| Target {
            x,
            y,
            intensity: 230.0,
        };
        FrameResult {
            detections: detections
                .iter()
                .map(|&(x, y, score)| Detection { x, y, score })
                .collect(),
            truth: truth.iter().map(target).collect(),
        }
    }

    fn two_frames() -> Vec<FrameResult> {
        vec![
            frame(&[(1.0, 1.0, 9.0), (8.0, 8.0, 8.0)], &[(1.0, 1.12)]),
            frame(&[(2.0, 2.0, 7.0)], &[(2.0, 2.0)]),
        ]
    }

    /// At 0.05 and 0.10 px only the last of three detections hits: 1/3 · 1/2. From 0.15 px on the
    /// first hits too: (1 + 2/3) / 2.
    #[test]
    fn report_is_in_per_cent() {
        let report = evaluate(&two_frames()).unwrap();
        let close = |got: f64, expected: f64| assert!((got - expected).abs() < 1e-12, "{got}");
        close(report.ap05, 100.0 / 6.0);
        close(report.ap10, 100.0 / 6.0);
        close(report.ap15, 250.0 / 3.0);
        close(report.ap20, 250.0 / 3.0);
        close(report.ap25, 250.0 / 3.0);
        close(report.cso_map, (2.0 * 100.0 / 6.0 + 250.0) / 5.0);
        close(report.jaccard, 200.0 / 3.0);
        close(report.count_accuracy, 50.0);
        close(report.rmse_px.unwrap(), 0.12 / 2.0_f64.sqrt());
        assert_eq!(
            (report.frames, report.detections, report.targets),
            (2, 3, 2)
        );
    }

    #[test]
    fn keys_are_those_that_scripts_rely_on() {
        let nothing = evaluate(&[frame(&[], &[(1.0, 1.0)])]).unwrap();
        let expected = concat!(
            r#"{"cso_map":0.0,"ap05":0.0,"ap10":0.0,"ap15":0.0,"ap20":0.0,"ap25":0.0,"#,
            r#""jaccard":0.0,"count_accuracy":0.0,"rmse_px":null,"#,
            r#""frames":1,"detections":0,"targets":1}"#
        );
        assert_eq!(serde_json::to_string(&nothing).unwrap(), expected);
    }

    #[test]
    fn five_curves_whose_area_is_the_ap() {
        let frames = two_frames();
        let report = evaluate(&frames).unwrap();
        let aps = report.average_precisions();
        let curves = precision_recall(&frames).unwrap();
        assert_eq!(curves.len(), 5);
        for (curve, ap) in curves.iter().zip(aps) {
            let (mut area, mut recall) = (0.0, 0.0);
            for point in &curve.points {
                area += (point.recall - recall) * point.envelope;
                recall = point.recall;
            }
            assert!((100.0 * area - ap).abs() < 1e-12, "{}: {area}", curve.delta);
        }
    }

    #[test]
    fn errors_name_the_frame() {
        let mut frames = two_frames();
        frames[1].detections[0].score = f64::NAN;
        let message = evaluate(&frames).unwrap_err().to_string();
        assert_eq!(
            message,
            "frame 1: detection score, element 0: expected a finite number"
        );
        assert!(matches!(evaluate(&[]), Err(Error::Usage(_))));
    }
}
