//! CSO-mAP against a naive twin, by its properties, at its published ceilings, and from files.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

mod laws;

use std::path::PathBuf;

use derefnet::cli::Common;
use derefnet::cli::metric::{MetricArgs, read_frames, run, table};
use derefnet::eval::metric::{FrameResult, Report, evaluate};
use derefnet::scene::Target;
use derefnet_core::metric::{Detection, GRID_THRESHOLD, MapShape, grid_detections};
use derefnet_core::physics::{MAP_LEN, MAP_SIDE, RATIO, cell_of};
use derefnet_tests::strategies::mix;
use derefnet_tests::tolerance::{AP_SUMMATION, RANDOM_RANKING, RECALL_CEILING};

fn aps(report: &Report) -> [f64; 5] {
    [
        report.ap05,
        report.ap10,
        report.ap15,
        report.ap20,
        report.ap25,
    ]
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
