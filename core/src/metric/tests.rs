use super::*;
use crate::error::Error;
use std::vec;
use std::vec::Vec;

/// Frames as `(detections (x, y, score), targets (x, y))`.
type Scene<'a> = &'a [(&'a [(f64, f64, f64)], &'a [(f64, f64)])];

fn detection(&(x, y, score): &(f64, f64, f64)) -> Detection {
    Detection { x, y, score }
}

fn truth(&(x, y): &(f64, f64)) -> Truth {
    Truth { x, y }
}

fn with_evaluation<T>(scene: Scene, use_it: impl FnOnce(Evaluation) -> T) -> T {
    let (mut records, mut taken) = ([Record::EMPTY; 32], [0xFF; 8]);
    let mut accumulator = Accumulator::new(&mut records, &mut taken);
    for (detections, targets) in scene {
        let detections: Vec<_> = detections.iter().map(detection).collect();
        let targets: Vec<_> = targets.iter().map(truth).collect();
        accumulator.push_frame(&detections, &targets).unwrap();
    }
    use_it(accumulator.finish().unwrap())
}

fn scores(scene: Scene) -> Scores {
    with_evaluation(scene, |evaluation| {
        let scores = evaluation.scores();
        assert_eq!(evaluation.detections(), scores.detections);
        scores
    })
}

#[test]
fn exact_answers_score_one() {
    let got = scores(&[
        (
            &[(1.0, 2.0, 9.0), (3.0, 2.0, 5.0)],
            &[(1.0, 2.0), (3.0, 2.0)],
        ),
        (&[], &[]),
        (&[(4.0, 4.0, 7.0)], &[(4.0, 4.0)]),
    ]);
    assert_eq!(got.average_precision, [1.0; 5]);
    assert_eq!(got.cso_map(), 1.0);
    assert_eq!((got.jaccard, got.count_accuracy), (1.0, 1.0));
    assert_eq!(got.rmse, Some(0.0));
    assert_eq!(
        (got.frames, got.detections, got.targets, got.matched),
        (3, 3, 3, 3)
    );
}

/// Ranks: hit, miss, hit with three targets. Envelope 1, 2/3, 2/3, so AP = (1 + 2/3) / 3 = 5/9.
#[test]
fn average_precision_by_hand() {
    let scene: Scene = &[
        (
            &[(1.0, 1.0, 90.0), (9.0, 9.0, 80.0)],
            &[(1.0, 1.0), (5.0, 5.0)],
        ),
        (&[(2.0, 2.0, 70.0)], &[(2.0, 2.0)]),
    ];
    let got = scores(scene);
    for ap in got.average_precision {
        assert!((ap - 5.0 / 9.0).abs() < 1e-15, "{ap}");
    }
    assert_eq!(got.jaccard, 0.5, "2 of 3 + 3 - 2");
    assert_eq!(got.count_accuracy, 1.0);
}

/// Ranks: miss, hit, hit with two targets. Precision ½ at the first hit lies under the ⅔ that
/// follows, so AP = ⅔.
#[test]
fn the_envelope_lifts_earlier_precision() {
    let got = scores(&[(
        &[(9.0, 9.0, 9.0), (1.0, 1.0, 8.0), (3.0, 3.0, 7.0)],
        &[(1.0, 1.0), (3.0, 3.0)],
    )]);
    assert_eq!(got.average_precision, [2.0 / 3.0; 5]);
}

/// One detection per threshold step: 0.04, 0.08, 0.12, 0.18, 0.22 px off, one target a frame.
#[test]
fn each_threshold_admits_its_own_distances() {
    let offsets = [0.04, 0.08, 0.12, 0.18, 0.22];
    let lists = offsets.map(|offset| [(5.0 + offset, 5.0, 100.0 - offset)]);
    let scene: Vec<(&[_], &[_])> = lists.iter().map(|l| (&l[..], &[(5.0, 5.0)][..])).collect();
    let got = scores(&scene);
    for (ap, expected) in got.average_precision.iter().zip([0.2, 0.4, 0.6, 0.8, 1.0]) {
        assert!((ap - expected).abs() < 1e-15);
    }
    assert!((got.cso_map() - 0.6).abs() < 1e-15);
    let mean_square = offsets.iter().map(|d| d * d).sum::<f64>() / 5.0;
    assert!((got.rmse.unwrap() - mean_square.sqrt()).abs() < 1e-12);
}

/// Both detections are nearest to the first target; the second target, 0.2 px away from the second
/// detection, stays unfound although it is free.
#[test]
fn a_detection_never_turns_to_its_second_nearest() {
    let got = scores(&[(
        &[(1.0, 1.0, 9.0), (1.0, 1.15, 8.0)],
        &[(1.0, 1.0), (1.0, 1.35)],
    )]);
    assert_eq!(got.average_precision, [0.5; 5]);
    assert!((got.jaccard - 1.0 / 3.0).abs() < 1e-15);
    assert_eq!(got.matched, 1);
}

/// The higher score claims the target even if the lower one is closer; at 0.10 px the higher one
/// does not reach, so the closer one does.
#[test]
fn score_not_distance_decides_who_claims() {
    let got = scores(&[(&[(1.0, 1.2, 9.0), (1.0, 1.01, 8.0)], &[(1.0, 1.0)])]);
    assert_eq!(got.average_precision, [0.5, 0.5, 0.5, 1.0, 1.0]);
    assert!((got.rmse.unwrap() - 0.2).abs() < 1e-12);
}

/// Equal scores: frame 0's miss ranks before frame 1's hit, and within a frame the list's order.
#[test]
fn ties_fall_to_frame_then_index() {
    let miss_first = scores(&[
        (&[(9.0, 9.0, 5.0)], &[]),
        (&[(1.0, 1.0, 5.0)], &[(1.0, 1.0)]),
    ]);
    assert_eq!(miss_first.average_precision, [0.5; 5]);
    let hit_first = scores(&[
        (&[(1.0, 1.0, 5.0)], &[(1.0, 1.0)]),
        (&[(9.0, 9.0, 5.0)], &[]),
    ]);
    assert_eq!(hit_first.average_precision, [1.0; 5]);
    // By index first, frame 1 would come before the hit at index 1 of frame 0: AP ⅓.
    let frame = scores(&[
        (&[(9.0, 9.0, 8.0), (1.0, 1.0, 5.0)], &[(1.0, 1.0)]),
        (&[(9.0, 9.0, 5.0)], &[]),
    ]);
    assert_eq!(frame.average_precision, [0.5; 5]);
    let index = scores(&[(&[(9.0, 9.0, 5.0), (1.0, 1.0, 5.0)], &[(1.0, 1.0)])]);
    assert_eq!(index.average_precision, [0.5; 5]);
}

#[test]
fn the_two_zeros_are_one_score() {
    let got = scores(&[
        (&[(9.0, 9.0, -0.0)], &[]),
        (&[(1.0, 1.0, 0.0)], &[(1.0, 1.0)]),
    ]);
    assert_eq!(got.average_precision, [0.5; 5]);
}

/// A detection midway between two targets belongs to the first.
#[test]
fn nearest_ties_fall_to_the_lowest_target() {
    let halfway = (1.0, 1.125, 9.0);
    let got = scores(&[(&[halfway, (1.0, 1.0, 8.0)], &[(1.0, 1.0), (1.0, 1.25)])]);
    assert_eq!(got.average_precision[2], 0.5, "the second finds it taken");
    let other = scores(&[(&[halfway, (1.0, 1.0, 8.0)], &[(1.0, 1.25), (1.0, 1.0)])]);
    assert_eq!(other.average_precision[2], 1.0);
}

#[test]
fn distance_equal_to_the_threshold_counts() {
    for (k, delta) in THRESHOLDS.iter().enumerate() {
        let got = scores(&[(&[(*delta, 0.0, 1.0)], &[(0.0, 0.0)])]);
        let expected: Vec<f64> = (0..5).map(|j| f64::from(u8::from(j >= k))).collect();
        assert_eq!(got.average_precision.to_vec(), expected);
    }
}

#[test]
fn nothing_found_is_zero() {
    let got = scores(&[(&[], &[(1.0, 1.0)]), (&[], &[])]);
    assert_eq!(got.average_precision, [0.0; 5]);
    assert_eq!(
        (got.jaccard, got.rmse, got.count_accuracy),
        (0.0, None, 0.5)
    );
    let no_targets = scores(&[(&[(1.0, 1.0, 3.0)], &[])]);
    assert_eq!(no_targets.average_precision, [0.0; 5]);
    assert_eq!((no_targets.jaccard, no_targets.count_accuracy), (0.0, 0.0));
    assert_eq!(scores(&[(&[], &[])]).jaccard, 0.0);
}

#[test]
fn no_frames_is_an_error() {
    let finished = Accumulator::new(&mut [], &mut []).finish();
    assert_eq!(finished.unwrap_err(), Error::NoFrames);
}

#[test]
fn curve_by_hand() {
    let scene: Scene = &[
        (
            &[(9.0, 9.0, 90.0), (1.0, 1.0, 80.0)],
            &[(1.0, 1.0), (5.0, 5.0)],
        ),
        (&[(2.0, 2.0, 70.0), (7.0, 7.0, 60.0)], &[(2.0, 2.0)]),
    ];
    let mut points = [CurvePoint::default(); 6];
    let used = with_evaluation(scene, |e| e.fill_curve(4, &mut points)).unwrap();
    assert_eq!(used, 4);
    let columns = |field: fn(&CurvePoint) -> f64| points[..4].iter().map(field).collect::<Vec<_>>();
    let third = 1.0 / 3.0;
    assert_eq!(
        columns(|p| p.recall),
        [0.0, third, 2.0 * third, 2.0 * third]
    );
    assert_eq!(columns(|p| p.precision), [0.0, 0.5, 2.0 * third, 0.5]);
    assert_eq!(
        columns(|p| p.envelope),
        [2.0 * third, 2.0 * third, 2.0 * third, 0.5]
    );
    assert_eq!(columns(|p| p.score), [90.0, 80.0, 70.0, 60.0]);
    assert_eq!(
        points[4],
        CurvePoint::default(),
        "nothing beyond the points"
    );
}

#[test]
fn curve_refuses_what_does_not_fit() {
    let scene: Scene = &[(&[(1.0, 1.0, 1.0)], &[(1.0, 1.0)])];
    with_evaluation(scene, |evaluation| {
        let none = evaluation.fill_curve(0, &mut []);
        assert!(matches!(none, Err(Error::Capacity { needed: 1, .. })));
        let beyond = evaluation.fill_curve(5, &mut [CurvePoint::default()]);
        assert!(matches!(beyond, Err(Error::Domain { .. })));
    });
}

#[test]
fn a_refused_frame_changes_nothing() {
    let (mut records, mut taken) = ([Record::EMPTY; 2], [0; 1]);
    let mut accumulator = Accumulator::new(&mut records, &mut taken);
    let good = Detection {
        x: 1.0,
        y: 1.0,
        score: 2.0,
    };
    let target = Truth { x: 1.0, y: 1.0 };
    accumulator.push_frame(&[good], &[target]).unwrap();
    for (value, what) in [
        (
            Detection {
                x: f64::NAN,
                ..good
            },
            "detection x",
        ),
        (
            Detection {
                y: f64::INFINITY,
                ..good
            },
            "detection y",
        ),
        (
            Detection {
                score: f64::NAN,
                ..good
            },
            "detection score",
        ),
    ] {
        let refused = accumulator.push_frame(&[value], &[target]);
        assert_eq!(refused, Err(Error::NotFinite { what, index: 0 }));
    }
    let nan = Truth {
        x: 1.0,
        y: f64::NAN,
    };
    let refused = accumulator.push_frame(&[good], &[nan]);
    assert!(matches!(
        refused,
        Err(Error::NotFinite {
            what: "target y",
            ..
        })
    ));
    let crowd = accumulator.push_frame(&[good, good], &[target]);
    assert!(matches!(
        crowd,
        Err(Error::Capacity {
            needed: 3,
            got: 2,
            ..
        })
    ));
    let crowd = accumulator.push_frame(&[good], &[target, target]);
    assert!(matches!(
        crowd,
        Err(Error::Capacity {
            needed: 2,
            got: 1,
            ..
        })
    ));
    assert_eq!(accumulator.frames(), 1);
    let got = accumulator.finish().unwrap().scores();
    assert_eq!((got.frames, got.detections, got.cso_map()), (1, 1, 1.0));
}

#[test]
fn grid_cells_from_seventy_counts() {
    let mut map = vec![0.0_f32; 33 * 33];
    (map[0], map[33 + 4], map[32 * 33 + 31], map[40]) = (70.0, 241.5, 100.0, 69.99);
    let mut out = [Detection {
        x: 0.0,
        y: 0.0,
        score: 0.0,
    }; 4];
    let found = grid_detections(&map, MapShape::SEQ_CSIST, GRID_THRESHOLD, &mut out).unwrap();
    let third = 1.0 / 3.0;
    let expected = [
        (-third, -third, 70.0),
        (0.0, 1.0, 241.5),
        (31.0 * third, 10.0, 100.0),
    ];
    assert_eq!(found, 3);
    for (got, (x, y, score)) in out.iter().zip(expected) {
        assert!((got.x - x).abs() < 1e-13 && (got.y - y).abs() < 1e-13);
        assert_eq!(got.score, score);
    }
}

#[test]
fn grid_knows_rows_from_columns() {
    let shape = MapShape {
        rows: 2,
        columns: 5,
        ratio: 1,
    };
    let map = [0_i16, 0, 0, 0, 0, 0, 0, 0, 90, 0];
    let mut out = [Detection {
        x: 0.0,
        y: 0.0,
        score: 0.0,
    }];
    assert_eq!(grid_detections(&map, shape, 70.0, &mut out), Ok(1));
    assert_eq!((out[0].x, out[0].y, out[0].score), (1.0, 3.0, 90.0));
}

#[test]
fn grid_refuses_bad_input_and_writes_nothing() {
    let shape = MapShape {
        rows: 1,
        columns: 2,
        ratio: 3,
    };
    let untouched = Detection {
        x: -1.0,
        y: -1.0,
        score: -1.0,
    };
    let mut out = [untouched];
    let mut read = |map: &[f64], shape, threshold| grid_detections(map, shape, threshold, &mut out);
    let crowded = read(&[80.0, 90.0], shape, 70.0);
    assert!(matches!(
        crowded,
        Err(Error::Capacity {
            needed: 2,
            got: 1,
            ..
        })
    ));
    let nan = read(&[80.0, f64::NAN], shape, 70.0);
    assert_eq!(
        nan,
        Err(Error::NotFinite {
            what: "map",
            index: 1
        })
    );
    assert!(read(&[80.0], shape, 70.0).is_err());
    for threshold in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(read(&[0.0, 0.0], shape, threshold).is_err());
    }
    for ratio in [0, 2] {
        assert!(read(&[0.0, 0.0], MapShape { ratio, ..shape }, 70.0).is_err());
    }
    let overflow = MapShape {
        rows: usize::MAX,
        ..shape
    };
    assert!(read(&[0.0, 0.0], overflow, 70.0).is_err());
    let empty = MapShape {
        columns: 0,
        ..shape
    };
    assert_eq!(read(&[], empty, 70.0), Ok(0));
    assert_eq!(out, [untouched]);
}
