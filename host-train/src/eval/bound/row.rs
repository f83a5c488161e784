//! The metric that an efficient, unbiased estimator would reach.
//!
//! Errors are drawn from the bound's covariance around the true positions, the score is the
//! predicted precision `1/σ`, and every target is found. Near the bound's own validity, at errors as
//! large as the distance of neighbours, this is a yardstick rather than a limit: an estimator that
//! knows where targets can lie may do better.

use rayon::prelude::*;

use derefnet_core::metric::Detection;
use derefnet_core::physics::WINDOW;

use super::{Bound, BoundOptions, Information};
use crate::Result;
use crate::dataset::Split;
use crate::eval::metric::{FrameResult, Report, evaluate};
use crate::rng::Rng;
use crate::scene::{SceneConfig, Target, generate, targets};

/// One window of a split.
#[derive(Clone, Debug)]
pub struct Window {
    /// Trajectory that it belongs to.
    pub trajectory: u64,
    /// Random stream of its errors.
    stream: u64,
    /// Targets of the middle frame.
    pub truth: Vec<Target>,
    /// Fisher information of all five frames.
    pub information: Information,
}

/// All windows of the first `trajectories` of `split`.
///
/// # Errors
/// As [`SceneConfig::validate`] and [`Information::new`].
pub fn windows(
    scene: &SceneConfig,
    options: &BoundOptions,
    seed: u64,
    split: Split,
    trajectories: u64,
) -> Result<Vec<Window>> {
    scene.validate()?;
    let of_one = |index: u64| -> Result<Vec<Window>> {
        let truth = generate(scene, seed, split, index).truth;
        let window = |(first, truth): (usize, &[Vec<Target>])| {
            Ok(Window {
                trajectory: index,
                stream: split.stream(u64::from(targets::MAX_FRAMES) * index + first as u64),
                truth: truth[WINDOW / 2].clone(),
                information: Information::new(truth, options)?,
            })
        };
        truth.windows(WINDOW).enumerate().map(window).collect()
    };
    let all: Result<Vec<_>> = (0..trajectories).into_par_iter().map(of_one).collect();
    Ok(all?.into_iter().flatten().collect())
}

/// Bound and metric over a set of windows.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Row {
    /// Targets per window; null for all windows together.
    pub targets: Option<usize>,
    /// Root mean square of the bound's standard deviation per axis, pixels.
    pub sigma_px: f64,
    /// Metric of drawn answers.
    pub report: Report,
}

/// Rows at one noise level: all windows first, then each number of targets that occurs.
///
/// # Errors
/// As [`Information::bound`] and [`evaluate`].
pub fn rows(windows: &[Window], noise: f64, seed: u64) -> Result<Vec<Row>> {
    let drawn: Result<Vec<_>> = windows.par_iter().map(|w| answer(w, noise, seed)).collect();
    let drawn = drawn?;
    let mut counts: Vec<usize> = windows.iter().map(|w| w.truth.len()).collect();
    counts.sort_unstable();
    counts.dedup();
    let counts = counts.into_iter().map(Some);
    let counts = std::iter::once(None).chain(counts);
    counts.map(|targets| row(&drawn, targets)).collect()
}

/// What an efficient estimator might answer, and the sum of squared distances that it expects, px².
fn answer(window: &Window, noise: f64, seed: u64) -> Result<(FrameResult, f64)> {
    let bound = window.information.bound(noise)?;
    let mut rng = Rng::new(seed, *b"bnd-draw", window.stream);
    let frame = FrameResult {
        detections: detections(&window.truth, &bound, &mut rng),
        truth: window.truth.clone(),
    };
    let squares = bound.covariances().iter().map(|c| c.trace()).sum();
    Ok((frame, squares))
}

/// Drawn positions with their precision as score.
fn detections(truth: &[Target], bound: &Bound, rng: &mut Rng) -> Vec<Detection> {
    let errors = bound.draw(rng).into_iter().zip(bound.covariances());
    let detection = |(target, ((dx, dy), covariance)): (&Target, _)| Detection {
        x: target.x + dx,
        y: target.y + dy,
        score: 1.0 / libm::sqrt(super::Covariance2::trace(covariance) / 2.0),
    };
    truth.iter().zip(errors).map(detection).collect()
}

fn row(drawn: &[(FrameResult, f64)], targets: Option<usize>) -> Result<Row> {
    let wanted = |frame: &FrameResult| targets.is_none_or(|count| frame.truth.len() == count);
    let chosen = drawn.iter().filter(|(frame, _)| wanted(frame));
    let (frames, squares): (Vec<_>, Vec<f64>) = chosen.cloned().unzip();
    let report = evaluate(&frames)?;
    let coordinates = 2.0 * report.targets as f64;
    Ok(Row {
        targets,
        sigma_px: libm::sqrt(squares.iter().sum::<f64>() / coordinates),
        report,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn few(scene: &SceneConfig) -> Vec<Window> {
        windows(scene, &BoundOptions::default(), 1, Split::Test, 12).unwrap()
    }

    #[test]
    fn rows_by_number_of_targets() {
        let windows = few(&SceneConfig::default());
        assert_eq!(windows.len(), 12 * 16);
        let rows = rows(&windows, 2.0, 1).unwrap();
        let counts: Vec<_> = rows.iter().map(|row| row.targets).collect();
        assert_eq!(counts, [None, Some(2), Some(3), Some(4)]);
        let frames = rows[1..].iter().map(|row| row.report.frames);
        assert_eq!(frames.sum::<usize>(), rows[0].report.frames);
        let sigmas: Vec<_> = rows[1..].iter().map(|row| row.sigma_px).collect();
        assert!(sigmas.is_sorted(), "{sigmas:?}");
        assert!(rows.iter().all(|row| row.report.count_accuracy == 100.0));
    }

    #[test]
    fn the_same_for_any_number_of_threads() {
        let windows = few(&SceneConfig::default());
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let once = alone.unwrap().install(|| rows(&windows, 5.0, 1)).unwrap();
        assert_eq!(once, rows(&windows, 5.0, 1).unwrap());
        assert_ne!(once, rows(&windows, 5.0, 2).unwrap());
    }

    /// Where hardly any answer is lost, errors as drawn have the size that the bound says.
    #[test]
    fn drawn_errors_have_the_bounds_size() {
        let scene = SceneConfig {
            targets: [2, 2],
            ..SceneConfig::default()
        };
        let all = rows(&few(&scene), 0.0, 1).unwrap();
        let rmse = all[0].report.rmse_px.unwrap();
        let expected = all[0].sigma_px * std::f64::consts::SQRT_2;
        // 384 answers: a standard error of 4 %.
        assert!((rmse / expected - 1.0).abs() < 0.12, "{rmse} {expected}");
    }
}
