//! Properties of CSO-mAP.

use derefnet::eval::metric::{FrameResult, Report, evaluate, precision_recall};
use derefnet::scene::Target;
use derefnet_core::metric::{
    Accumulator, Detection, GRID_THRESHOLD, MapShape, Record, Truth, grid_detections,
};
use derefnet_core::physics::{MAP_LEN, MAP_SIDE};
use derefnet_tests::oracle::metric::{Frame, figures};
use derefnet_tests::properties;
use derefnet_tests::strategies::{float, metric_frames, shuffle, spread_frames};
use derefnet_tests::tolerance::{AP_SUMMATION, COORDINATE, RMSE_SUMMATION};
use proptest::prelude::*;

use super::aps;

fn results(frames: &[Frame]) -> Vec<FrameResult> {
    let detection = |&(x, y, score): &(f64, f64, f64)| Detection { x, y, score };
    let target = |&(x, y): &(f64, f64)| Target {
        x,
        y,
        intensity: 235.0,
    };
    frames
        .iter()
        .map(|(detections, truth)| FrameResult {
            detections: detections.iter().map(detection).collect(),
            truth: truth.iter().map(target).collect(),
        })
        .collect()
}

fn report(frames: &[Frame]) -> Report {
    evaluate(&results(frames)).unwrap()
}

/// Values of a cell, the threshold among them.
fn count() -> impl Strategy<Value = f64> {
    prop_oneof![4 => 0.0..300.0, 1 => Just(GRID_THRESHOLD)]
}

/// Replaces all scores by distinct ones in random order.
fn distinct_scores(frames: &mut [Frame], seed: u64) {
    let total: usize = frames.iter().map(|(detections, _)| detections.len()).sum();
    let mut ranks: Vec<usize> = (0..total).collect();
    shuffle(&mut ranks, seed);
    let detections = frames.iter_mut().flat_map(|(detections, _)| detections);
    for (detection, rank) in detections.zip(ranks) {
        detection.2 = rank as f64;
    }
}

properties! {
    fn agrees_with_the_naive_twin(frames in metric_frames()) {
        let (got, expected) = (report(&frames), figures(&frames));
        for (ap, twin) in aps(&got).iter().zip(&expected.ap) {
            prop_assert!((ap - twin).abs() < AP_SUMMATION, "{ap} against {twin}");
        }
        prop_assert!((got.cso_map - expected.cso_map).abs() < AP_SUMMATION);
        prop_assert!((got.jaccard - expected.jaccard).abs() < AP_SUMMATION);
        prop_assert!((got.count_accuracy - expected.count_accuracy).abs() < AP_SUMMATION);
        prop_assert_eq!(got.rmse_px.is_some(), expected.rmse_px.is_some());
        let rmse = got.rmse_px.unwrap_or(0.0) - expected.rmse_px.unwrap_or(0.0);
        prop_assert!(rmse.abs() < RMSE_SUMMATION);
    }

    fn is_bounded_and_grows_with_the_distance(frames in metric_frames()) {
        let got = report(&frames);
        let aps = aps(&got);
        for figure in aps.iter().chain([&got.cso_map, &got.jaccard, &got.count_accuracy]) {
            prop_assert!((0.0..=100.0).contains(figure), "{figure}");
        }
        for pair in aps.windows(2) {
            prop_assert!(pair[1] - pair[0] > -AP_SUMMATION, "{aps:?}");
        }
        prop_assert!(got.rmse_px.is_none_or(|rmse| (0.0..=0.25).contains(&rmse)));
    }

    /// With distinct scores nothing is left for the list's order to decide, to the last bit.
    fn order_within_a_frame_is_irrelevant(mut frames in metric_frames(), seed in any::<u64>()) {
        distinct_scores(&mut frames, seed);
        let before = report(&frames);
        for (detections, _) in &mut frames {
            shuffle(detections, seed);
        }
        prop_assert_eq!(report(&frames), before);
    }

    /// With distinct scores and no two targets alike, neither do frames or targets have an order.
    fn order_of_frames_and_targets_is_irrelevant(mut frames in spread_frames(), seed in any::<u64>()) {
        distinct_scores(&mut frames, seed);
        let before = report(&frames);
        shuffle(&mut frames, seed);
        for (_, targets) in &mut frames {
            shuffle(targets, seed);
        }
        let after = report(&frames);
        for (late, early) in aps(&after).iter().zip(aps(&before)) {
            prop_assert!((late - early).abs() < AP_SUMMATION, "{late} against {early}");
        }
        prop_assert_eq!(after.jaccard, before.jaccard);
        prop_assert_eq!(after.count_accuracy, before.count_accuracy);
    }

    /// A map moved by a pixel, three cells, away from borders has its detections moved by a pixel.
    fn detections_move_with_the_map(
        cells in prop::collection::vec((3..30_usize, 3..30_usize, count()), 0..9),
        down in 0..3_usize, right in 0..3_usize,
    ) {
        let read = |(down, right): (usize, usize)| {
            let mut map = vec![0.0; MAP_LEN];
            for &(row, column, value) in &cells {
                map[MAP_SIDE * (row + 3 * down - 3) + column + 3 * right - 3] = value;
            }
            let mut found = vec![Detection { x: 0.0, y: 0.0, score: 0.0 }; 9];
            let count = grid_detections(&map, MapShape::SEQ_CSIST, GRID_THRESHOLD, &mut found);
            found.truncate(count.unwrap());
            found
        };
        let (still, moved) = (read((1, 1)), read((down, right)));
        let bright: std::collections::BTreeMap<_, _> =
            cells.iter().map(|&(row, column, value)| ((row, column), value)).collect();
        let bright = bright.values().filter(|&&value| value >= GRID_THRESHOLD);
        prop_assert_eq!((still.len(), moved.len()), (bright.clone().count(), bright.count()));
        for (a, b) in still.iter().zip(&moved) {
            prop_assert!(a.score == b.score && a.score >= GRID_THRESHOLD);
            prop_assert!((b.x - a.x - (down as f64 - 1.0)).abs() < COORDINATE);
            prop_assert!((b.y - a.y - (right as f64 - 1.0)).abs() < COORDINATE);
        }
    }

    /// Ranks matter, not scores: a strictly increasing map, exact in floating point, changes no bit.
    fn only_the_order_of_scores_counts(mut frames in metric_frames()) {
        let before = report(&frames);
        for (_, _, score) in frames.iter_mut().flat_map(|(detections, _)| detections) {
            *score *= 4.0;
        }
        prop_assert_eq!(report(&frames), before);
    }

    fn a_weaker_duplicate_never_helps(mut frames in metric_frames(), pick in any::<prop::sample::Index>()) {
        let crowded: Vec<usize> = (0..frames.len()).filter(|&f| !frames[f].0.is_empty()).collect();
        prop_assume!(!crowded.is_empty());
        let before = report(&frames);
        let detections = &mut frames[crowded[pick.index(crowded.len())]].0;
        let (x, y, score) = detections[pick.index(detections.len())];
        detections.push((x, y, score - 0.25));
        let after = report(&frames);
        for (late, early) in aps(&after).iter().zip(aps(&before)) {
            prop_assert!(*late < early + AP_SUMMATION, "{late} against {early}");
        }
        prop_assert!(after.jaccard <= before.jaccard);
        prop_assert_eq!(after.rmse_px, before.rmse_px);
    }

    fn exact_answers_score_a_hundred(frames in metric_frames(), seed in any::<u64>()) {
        let mut perfect: Vec<Frame> = frames
            .into_iter()
            .map(|(_, mut targets)| {
                // Two targets on one spot cannot both be nearest to anything.
                targets.sort_by(|a, b| a.partial_cmp(b).unwrap());
                targets.dedup();
                (targets.iter().map(|&(x, y)| (x, y, 0.0)).collect(), targets)
            })
            .collect();
        prop_assume!(perfect.iter().any(|(_, targets)| !targets.is_empty()));
        distinct_scores(&mut perfect, seed);
        let got = report(&perfect);
        prop_assert_eq!((got.cso_map, aps(&got)), (100.0, [100.0; 5]));
        prop_assert_eq!((got.jaccard, got.count_accuracy, got.rmse_px), (100.0, 100.0, Some(0.0)));
    }

    fn curves_end_at_the_final_recall_and_never_rise_in_envelope(frames in metric_frames()) {
        let frames = results(&frames);
        let summary = evaluate(&frames).unwrap();
        let curves = precision_recall(&frames).unwrap();
        prop_assert_eq!(curves.len(), 5);
        for curve in curves {
            prop_assert_eq!(curve.points.len(), summary.detections);
            for pair in curve.points.windows(2) {
                prop_assert!(pair[0].recall <= pair[1].recall);
                prop_assert!(pair[0].envelope >= pair[1].envelope);
                prop_assert!(pair[0].score >= pair[1].score);
            }
            prop_assert!(curve.points.iter().all(|p| p.envelope >= p.precision));
        }
    }

    /// Arbitrary bits in, arbitrary memory: an answer or an error, never a panic.
    fn core_never_panics(
        detections in prop::collection::vec((float(), float(), float()), 0..6),
        truth in prop::collection::vec((float(), float()), 0..6),
        room in 0..16_usize,
        targets in 0..6_usize,
    ) {
        let detections: Vec<_> =
            detections.iter().map(|&(x, y, score)| Detection { x, y, score }).collect();
        let truth: Vec<_> = truth.iter().map(|&(x, y)| Truth { x, y }).collect();
        let (mut records, mut taken) = (vec![Record::EMPTY; room], vec![0; targets]);
        let mut accumulator = Accumulator::new(&mut records, &mut taken);
        let accepted = (0..3)
            .filter(|_| accumulator.push_frame(&detections, &truth).is_ok())
            .count();
        prop_assert_eq!(accumulator.frames(), accepted);
        match accumulator.finish() {
            Ok(evaluation) => {
                prop_assert_eq!(evaluation.detections(), accepted * detections.len());
                let ap = evaluation.scores().cso_map();
                prop_assert!((0.0..=1.0).contains(&ap));
            }
            Err(_) => prop_assert_eq!(accepted, 0),
        }
    }
}
