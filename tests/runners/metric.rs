//! CSO-mAP against a naive twin, by its properties, at its published ceilings, and from files.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use std::path::PathBuf;

use derefnet::cli::Common;
use derefnet::cli::metric::{MetricArgs, read_frames, run, table};
use derefnet::eval::metric::{FrameResult, Report, evaluate, precision_recall};
use derefnet::scene::Target;
use derefnet_core::metric::{
    Accumulator, Detection, GRID_THRESHOLD, MapShape, Record, Truth, grid_detections,
};
use derefnet_core::physics::{MAP_LEN, MAP_SIDE, RATIO, cell_of};
use derefnet_tests::oracle::metric::{Frame, figures};
use derefnet_tests::properties;
use derefnet_tests::strategies::{float, metric_frames, mix, shuffle, spread_frames};
use derefnet_tests::tolerance::{
    AP_SUMMATION, COORDINATE, RANDOM_RANKING, RECALL_CEILING, RMSE_SUMMATION,
};
use proptest::prelude::*;

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

fn aps(report: &Report) -> [f64; 5] {
    [
        report.ap05,
        report.ap10,
        report.ap15,
        report.ap20,
        report.ap25,
    ]
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

/// Points per axis and cell of the lattice of sub-cell positions.
const LATTICE: usize = 200;

/// 40,000 targets that fill a cell evenly, four a frame in far corners, answered by the cell that
/// holds each: its count is `value(error in pixels, number of the target)`, read out at 70.
fn perfect_cells(value: impl Fn(f64, usize) -> f64) -> Vec<FrameResult> {
    let numbers: Vec<usize> = (0..LATTICE * LATTICE).collect();
    numbers
        .chunks(4)
        .map(|group| perfect_cells_frame(group, &value))
        .collect()
}

fn perfect_cells_frame(group: &[usize], value: &impl Fn(f64, usize) -> f64) -> FrameResult {
    let mut map = vec![0.0; MAP_LEN];
    let mut truth = Vec::new();
    for (&number, (row, column)) in group.iter().zip([(2, 2), (2, 8), (8, 2), (8, 8)]) {
        // Centre of a pixel is centre of a cell, so offsets within ±1/6 px stay in that cell.
        let offset = |step: usize| ((step as f64 + 0.5) / LATTICE as f64 - 0.5) / RATIO as f64;
        let (dx, dy) = (offset(number / LATTICE), offset(number % LATTICE));
        let (x, y) = (f64::from(row) + dx, f64::from(column) + dy);
        let cell = cell_of(x, RATIO) as usize * MAP_SIDE + cell_of(y, RATIO) as usize;
        map[cell] = value(dx.hypot(dy), number);
        truth.push(Target {
            x,
            y,
            intensity: 235.0,
        });
    }
    let mut detections = vec![
        Detection {
            x: 0.0,
            y: 0.0,
            score: 0.0
        };
        group.len()
    ];
    let shape = MapShape::SEQ_CSIST;
    let found = grid_detections(&map, shape, GRID_THRESHOLD, &mut detections).unwrap();
    assert_eq!(found, group.len());
    FrameResult { detections, truth }
}

fn assert_near(got: &Report, expected: [f64; 6], tolerance: f64) {
    let all = aps(got).into_iter().chain([got.cso_map]);
    for (got, expected) in all.zip(expected) {
        assert!(
            (got - expected).abs() < tolerance,
            "{got} against {expected}"
        );
    }
}

/// Error uniform over a cell of side ⅓ px: recall at δ ≤ ⅙ px is 9πδ² (7.07, 28.27, 63.62 %), at
/// 0.20 px the circle loses four caps (95.09 %), at 0.25 px it covers the cell. Ranked by error,
/// AP is that recall.
#[test]
fn ceiling_of_cells_ranked_by_error() {
    let got = evaluate(&perfect_cells(|error, _| 250.0 - 100.0 * error)).unwrap();
    assert_near(
        &got,
        [7.07, 28.27, 63.62, 95.09, 100.0, 58.81],
        RECALL_CEILING,
    );
    assert_eq!((got.jaccard, got.count_accuracy), (100.0, 100.0));
    // Variance of a uniform error of width ⅓ px, two axes: 2/(12·9).
    assert!((got.rmse_px.unwrap() - (1.0_f64 / 54.0).sqrt()).abs() < 1e-4);
}

/// Scores that know nothing of the error: precision is the recall's ceiling at every rank, so AP is
/// its square.
#[test]
fn ceiling_of_cells_ranked_at_random() {
    let random = |_, number: usize| 220.0 + 30.0 * (mix(number as u64) as f64 / u64::MAX as f64);
    let got = evaluate(&perfect_cells(random)).unwrap();
    assert_near(
        &got,
        [0.50, 7.99, 40.47, 90.42, 100.0, 47.88],
        RANDOM_RANKING,
    );
}

/// A file with `text` in this test's own folder.
fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn args(name: &str, detections: &str, truth: &str) -> MetricArgs {
    MetricArgs {
        detections: file(&format!("{name}-detections.json"), detections),
        truth: file(&format!("{name}-truth.json"), truth),
        plot: None,
    }
}

#[test]
fn files_are_paired_frame_by_frame() {
    let args = args(
        "paired",
        "[[[1, 2, 230]], [], [[4.0, 4, 80], [7, 7, 90]]]",
        "[[[1, 2.12, 240]], [[3, 3, 225]], [[4, 4, 231]]]",
    );
    let got = evaluate(&read_frames(&args).unwrap()).unwrap();
    // Ranked hit, miss, hit over three targets: 5/9; at 0.05 and 0.10 px only the last: 1/9.
    assert_near(
        &got,
        [
            100.0 / 9.0,
            100.0 / 9.0,
            500.0 / 9.0,
            500.0 / 9.0,
            500.0 / 9.0,
            340.0 / 9.0,
        ],
        AP_SUMMATION,
    );
    let text = table(&got);
    for line in [
        "CSO-mAP            37.78 %",
        "AP 0.05 px         11.11 %",
        "RMSE              0.0849 px",
        "targets                3",
    ] {
        assert!(text.lines().any(|printed| printed == line), "{text}");
    }
    for json in [false, true] {
        let common = Common {
            json,
            seed: Some(1),
            threads: 0,
        };
        run(&args, &common).unwrap();
    }
}

#[test]
fn bad_files_are_named_with_their_place() {
    let good = "[[[1, 2, 3]], []]";
    for (name, detections, truth, parts) in [
        (
            "nan",
            "[[], [[1, 2, NaN]]]",
            good,
            ["nan-detections.json", "frame 1, entry 0, field score"],
        ),
        (
            "null",
            good,
            "[[[1, 2, null]], []]",
            ["null-truth.json", "field intensity"],
        ),
        (
            "huge",
            "[[[1, 1e999, 2]], []]",
            good,
            ["huge-detections.json", "field y: expected a finite"],
        ),
        (
            "short",
            good,
            "[[[1, 2]], []]",
            ["short-truth.json", "frame 0, entry 0, field intensity"],
        ),
        (
            "counts",
            "[[]]",
            good,
            ["counts-detections.json", "expected 2 as in"],
        ),
        (
            "none",
            "[]",
            "[]",
            ["none-detections.json", "expected at least 1, got 0"],
        ),
    ] {
        let error = read_frames(&args(name, detections, truth)).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let message = error.to_string();
        for part in parts {
            assert!(message.contains(part), "{name}: {message}");
        }
    }
    let missing = MetricArgs {
        detections: PathBuf::from("no-such-file.json"),
        truth: file("lonely-truth.json", good),
        plot: None,
    };
    let message = read_frames(&missing).unwrap_err().to_string();
    assert!(message.contains("no-such-file.json"), "{message}");
}

/// Decimal text is read to the nearest `f64`: one unit off could move a distance across δ.
#[test]
fn numbers_are_read_to_the_last_bit() {
    let text = |value: f64| serde_json::to_string(&[[[value, 0.0, 1.0]]]).unwrap();
    for step in 0..2000_u64 {
        let value = (mix(step) >> 11) as f64 / 9.007_199_254_740_992e15;
        let read = derefnet::eval::frames_json::parse(text(value).as_bytes(), "score").unwrap();
        assert_eq!(read[0][0][0].to_bits(), value.to_bits());
    }
}
