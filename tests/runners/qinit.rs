//! `Q_init` against its definition.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use derefnet::dataset::{QinitFrom, Split, qinit};
use derefnet::scene::{SceneConfig, Target, Trajectory, generate, label_map};
use derefnet_core::physics::{FRAME_LEN, MAP_LEN, MAP_SIDE, cell_centre};
use derefnet_tests::datasets::refused;
use derefnet_tests::oracle;
use derefnet_tests::tolerance::QINIT_IDENTITY;
use ndarray::{Array2, Axis};

/// Φ by numeric integration, (121, 1089).
fn phi() -> Array2<f64> {
    Array2::from_shape_fn((FRAME_LEN, MAP_LEN), |(pixel, cell)| {
        let centre = |index| cell_centre(index, 3);
        let target = Target {
            x: centre(cell / MAP_SIDE),
            y: centre(cell % MAP_SIDE),
            intensity: 1.0,
        };
        oracle::render::expected_count(&[target], pixel / 11, pixel % 11)
    })
}

fn training(count: u64) -> Vec<Trajectory> {
    let one = |index| generate(&SceneConfig::default(), 4, Split::Train, index);
    (0..count).map(one).collect()
}

#[test]
fn qinit_through_the_physics_inverts_the_physics() {
    let q = qinit(training(1_500), QinitFrom::Physics).unwrap();
    assert_eq!(q.dim(), (MAP_LEN, FRAME_LEN));
    let worst = (phi().dot(&q) - Array2::<f64>::eye(FRAME_LEN))
        .iter()
        .fold(0.0, |worst: f64, difference| worst.max(difference.abs()));
    assert!(worst < QINIT_IDENTITY, "{worst:e}");
}

/// Both modes against the definition: the residual `S - Q Z` is orthogonal to `Z`.
#[test]
fn qinit_solves_the_normal_equations() {
    let trajectories = training(400);
    let frames: Vec<(Vec<Target>, Vec<f64>)> = trajectories
        .iter()
        .flat_map(|t| t.truth.iter().zip(t.frames.axis_iter(Axis(0))))
        .map(|(targets, frame)| {
            (
                targets.clone(),
                frame.iter().map(|&c| f64::from(c)).collect(),
            )
        })
        .collect();
    let n = frames.len();
    let labels: Vec<_> = frames
        .iter()
        .map(|(targets, _)| label_map(targets))
        .collect();
    let s = Array2::from_shape_fn((MAP_LEN, n), |(cell, k)| f64::from(labels[k][cell]));
    let rendered = Array2::from_shape_fn((FRAME_LEN, n), |(pixel, k)| frames[k].1[pixel]);
    for (from, z) in [
        (QinitFrom::Physics, phi().dot(&s)),
        (QinitFrom::Rendered, rendered),
    ] {
        let q = qinit(&trajectories, from).unwrap();
        let cross = s.dot(&z.t());
        let left = (&s - q.dot(&z)).dot(&z.t());
        let norm = |m: &Array2<f64>| m.iter().map(|v| v * v).sum::<f64>().sqrt();
        let relative = norm(&left) / norm(&cross);
        assert!(relative < QINIT_IDENTITY, "{from:?}: {relative:e}");
    }
}

#[test]
fn qinit_of_few_trajectories_stays_finite_and_of_none_is_refused() {
    for from in [QinitFrom::Physics, QinitFrom::Rendered] {
        let few = training(1);
        let q = qinit(&few, from).unwrap();
        assert!(q.iter().all(|value| value.is_finite() && value.abs() < 1e6));
        refused(
            qinit(Vec::<Trajectory>::new(), from),
            &["at least one training frame"],
        );
    }
}
