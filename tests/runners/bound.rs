//! The Cramér–Rao bound against finite differences of rendered frames, under symmetries, and
//! against the figures measured before.

#![allow(
    clippy::unwrap_used,
    reason = "a helper outside a test function fails the test all the same"
)]

use derefnet::cholesky;
use derefnet::dataset::Split;
use derefnet::eval::bound::row::{Window, rows, windows};
use derefnet::eval::bound::{BoundOptions, INTENSITY_SIGMA, ROUNDING, bound};
use derefnet::eval::covariance::Covariance2;
use derefnet::scene::render::add_targets;
use derefnet::scene::{Arrangement, SceneConfig, Target};
use derefnet_core::physics::{FRAME_LEN, WINDOW};
use derefnet_tests::properties;
use derefnet_tests::tolerance::{
    BOUND_DIFFERENCES, BOUND_ROWS, BOUND_SYMMETRY, RULES_KNOWN_CLEAN, RULES_KNOWN_NOISY,
};
use ndarray::Array2;
use proptest::prelude::*;

/// Parameters by hand: x, y and intensity of each target, then the common velocity.
fn frames(parameters: &[f64]) -> Vec<Vec<Target>> {
    let (targets, velocity) = parameters.split_at(parameters.len() - 2);
    let at = |frame: usize| {
        let time = frame as f64 - (WINDOW / 2) as f64;
        let target = |p: &[f64]| Target {
            x: p[0] + time * velocity[0],
            y: p[1] + time * velocity[1],
            intensity: p[2],
        };
        targets.chunks_exact(3).map(target).collect()
    };
    (0..WINDOW).map(at).collect()
}

/// Expected counts of all five frames, by the renderer of the scenes.
fn counts(parameters: &[f64]) -> Vec<f64> {
    let rendered = frames(parameters).into_iter().flat_map(|targets| {
        let mut counts = [0.0; FRAME_LEN];
        add_targets(&targets, &mut counts);
        counts
    });
    rendered.collect()
}

/// The bound from central differences of [`counts`], and a plain inverse.
fn by_differences(parameters: &[f64], noise: f64) -> Vec<Covariance2> {
    let size = parameters.len();
    let step = 2f64.powi(-13);
    let moved = |index: usize, by: f64| {
        let mut parameters = parameters.to_vec();
        parameters[index] += by;
        counts(&parameters)
    };
    let columns: Vec<Vec<f64>> = (0..size)
        .map(|index| {
            let (up, down) = (moved(index, step), moved(index, -step));
            up.iter()
                .zip(down)
                .map(|(a, b)| (a - b) / (2.0 * step))
                .collect()
        })
        .collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut fisher = Array2::from_shape_fn((size, size), |(a, b)| {
        dot(&columns[a], &columns[b]) / (noise * noise + ROUNDING)
    });
    for intensity in (2..size - 2).step_by(3) {
        fisher[(intensity, intensity)] += 1.0 / (INTENSITY_SIGMA * INTENSITY_SIGMA);
    }
    let inverse = cholesky::solve_rows(&cholesky::factor(fisher).unwrap(), Array2::eye(size));
    let block = |k: usize| Covariance2 {
        xx: inverse[(3 * k, 3 * k)],
        xy: inverse[(3 * k, 3 * k + 1)],
        yy: inverse[(3 * k + 1, 3 * k + 1)],
    };
    (0..(size - 2) / 3).map(block).collect()
}

/// One to four targets on a ring around the middle, at least 0.4 px apart, and a velocity.
fn scenes() -> impl Strategy<Value = Vec<f64>> {
    let target = (0.0..0.08, 0.0..0.08, 220.0..250.0);
    let targets = prop::collection::vec(target, 1..=4);
    let centre = (2.0..8.0, 2.0..8.0, 0.0..std::f64::consts::TAU);
    (targets, centre, (-0.1..0.1, -0.1..0.1)).prop_map(|(targets, (x, y, turn), (vx, vy))| {
        let place = |(k, (dx, dy, intensity)): (usize, (f64, f64, f64))| {
            let angle = turn + k as f64 * std::f64::consts::FRAC_PI_2;
            [
                x + 0.4 * angle.cos() + dx,
                y + 0.4 * angle.sin() + dy,
                intensity,
            ]
        };
        let places = targets.into_iter().enumerate().flat_map(place);
        places.chain([vx, vy]).collect()
    })
}

fn close(a: &[Covariance2], b: &[Covariance2], tolerance: f64) -> Result<(), TestCaseError> {
    prop_assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        let slack = tolerance * b.trace();
        prop_assert!((a.xx - b.xx).abs() < slack, "{:?} {:?}", a, b);
        prop_assert!((a.xy - b.xy).abs() < slack, "{:?} {:?}", a, b);
        prop_assert!((a.yy - b.yy).abs() < slack, "{:?} {:?}", a, b);
    }
    Ok(())
}

/// The same scene seen by other eyes.
fn mapped(truth: &[Vec<Target>], map: impl Fn(&Target) -> Target) -> Vec<Vec<Target>> {
    truth
        .iter()
        .map(|frame| frame.iter().map(&map).collect())
        .collect()
}

properties! {
    fn analytic_derivatives_match_differences(parameters in scenes(), noise in 0.0..5.0) {
        let found = bound(&frames(&parameters), noise, &BoundOptions::default()).unwrap();
        close(&found, &by_differences(&parameters, noise), BOUND_DIFFERENCES)?;
    }

    fn follows_the_frame_when_it_is_turned(parameters in scenes(), noise in 0.0..5.0) {
        let truth = frames(&parameters);
        let options = BoundOptions { background: true, ..BoundOptions::of(Arrangement::Free) };
        let plain = bound(&truth, noise, &options).unwrap();
        let transposed = mapped(&truth, |t| Target { x: t.y, y: t.x, ..*t });
        let found = bound(&transposed, noise, &options).unwrap();
        let expected: Vec<_> =
            plain.iter().map(|c| Covariance2 { xx: c.yy, xy: c.xy, yy: c.xx }).collect();
        close(&found, &expected, BOUND_SYMMETRY)?;
        let mirrored = mapped(&truth, |t| Target { x: 10.0 - t.x, ..*t });
        let found = bound(&mirrored, noise, &options).unwrap();
        let expected: Vec<_> = plain.iter().map(|c| Covariance2 { xy: -c.xy, ..*c }).collect();
        close(&found, &expected, BOUND_SYMMETRY)?;
        let mut backwards = truth;
        backwards.reverse();
        close(&bound(&backwards, noise, &options).unwrap(), &plain, BOUND_SYMMETRY)?;
    }

    fn more_noise_never_helps(parameters in scenes(), noise in 0.0..5.0, more in 0.0..5.0) {
        let (truth, options) = (frames(&parameters), BoundOptions::default());
        let less = bound(&truth, noise, &options).unwrap();
        let worse = bound(&truth, noise + more, &options).unwrap();
        for (a, b) in less.iter().zip(&worse) {
            prop_assert!(a.xx <= b.xx * (1.0 + BOUND_SYMMETRY));
            prop_assert!(a.yy <= b.yy * (1.0 + BOUND_SYMMETRY));
        }
    }
}

fn test_split(options: &BoundOptions) -> Vec<Window> {
    let (scene, count) = (SceneConfig::default(), Split::Test.trajectories());
    windows(&scene, options, 1, Split::Test, count).unwrap()
}

/// Figures measured with another generator and another program, 12,000 frames.
#[test]
fn rows_of_an_efficient_estimator_as_measured_before() {
    let windows = test_split(&BoundOptions::of(Arrangement::Rules));
    assert_eq!(windows.len(), 12_000);
    let measured = [
        (0.0, 99.2),
        (2.0, 76.5),
        (3.0, 65.9),
        (4.0, 57.4),
        (5.0, 50.8),
    ];
    for (noise, cso_map) in measured {
        let row = &rows(&windows, noise, 1).unwrap()[0];
        let found = row.report.cso_map;
        assert!((found - cso_map).abs() < BOUND_ROWS, "σ = {noise}: {found}");
    }
}

#[test]
fn knowing_the_rules_leaves_thousandths_of_a_pixel() {
    let windows = test_split(&BoundOptions::rules_known());
    for (noise, range) in [(0.0, RULES_KNOWN_CLEAN), (5.0, RULES_KNOWN_NOISY)] {
        let row = &rows(&windows, noise, 1).unwrap()[0];
        let distance = row.sigma_px * std::f64::consts::SQRT_2;
        assert!(range.contains(&distance), "σ = {noise}: {distance}");
        assert!(row.report.cso_map > 99.9);
    }
}
