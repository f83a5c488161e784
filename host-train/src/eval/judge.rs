//! Answers between the cells against the truth: the metric, the uncertainties, the bound.

use derefnet_core::physics::WINDOW;
use rayon::prelude::*;

use super::bound::{BoundOptions, bound};
use super::calibration::{Calibration, CalibrationReport, Origin};
use super::covariance::Covariance2;
use super::efficiency::{Efficiency, EfficiencyReport};
use super::matching::Estimate;
use super::metric::{Report, evaluate};
use super::network::centres;
use super::offgrid::{Answer, frame_results};
use crate::scene::Trajectory;
use crate::{Error, Result};

/// What one method reaches on a set of trajectories.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// CSO-mAP and the rest.
    pub report: Report,
    /// How many truths lie inside the predicted ellipses.
    pub calibration: CalibrationReport,
    /// Errors in units of the bound; nothing without bounds.
    pub efficiency: Option<EfficiencyReport>,
    /// Windows left out of the calibration, because an answer has no covariance.
    pub unjudged: usize,
    /// Most evaluations of the model in the fit of one window.
    pub most_evaluations: u32,
    /// Numbers among the answers that are not finite.
    pub not_finite: usize,
}

impl Verdict {
    /// Per cent of the truths inside the ellipse of 95 %, and its standard error; nothing without
    /// matched answers.
    pub fn inside_95(&self) -> Option<(f64, Option<f64>)> {
        let all = self.calibration.rows.iter().find(|r| r.targets.is_none())?;
        let share = all.shares.iter().find(|share| share.nominal == 95.0)?;
        Some((share.observed?, share.standard_error))
    }
}

/// Bounds of every target of the windows of every trajectory: `[trajectory][window][target]`.
pub type Bounds = Vec<Vec<Vec<Covariance2>>>;

/// The Cramér–Rao bound of every window of `trajectories` at `noise` counts.
///
/// # Errors
/// As [`bound`](fn@bound).
pub fn window_bounds(
    trajectories: &[Trajectory],
    noise: f64,
    options: &BoundOptions,
) -> Result<Bounds> {
    let of_one = |trajectory: &Trajectory| -> Result<Vec<_>> {
        let windows = trajectory.truth.windows(WINDOW);
        windows.map(|truth| bound(truth, noise, options)).collect()
    };
    trajectories.par_iter().map(of_one).collect()
}

/// Compares `answers[trajectory][window]` with the truth of `trajectories`, whose noise is `noise`
/// counts.
///
/// # Errors
/// As [`evaluate`], and [`Error::Usage`] unless there are as many answers and bounds as windows.
pub fn judge(
    noise: f64,
    trajectories: &[Trajectory],
    answers: &[Vec<Answer>],
    bounds: Option<&Bounds>,
) -> Result<Verdict> {
    check(trajectories, answers, bounds)?;
    let mut calibration = Calibration::default();
    let mut efficiency = bounds.map(|_| Efficiency::default());
    let mut unjudged = 0;
    for (index, (trajectory, answers)) in trajectories.iter().zip(answers).enumerate() {
        let origin = Origin {
            noise,
            trajectory: index as u64,
        };
        for (window, (answer, truth)) in answers.iter().zip(centres(trajectory)).enumerate() {
            let estimates = answer.estimates();
            if estimates.iter().all(has_covariance) {
                calibration.push_frame(origin, &estimates, truth)?;
            } else {
                unjudged += 1;
            }
            if let (Some(efficiency), Some(bounds)) = (&mut efficiency, bounds) {
                efficiency.push_frame(origin, &estimates, truth, &bounds[index][window])?;
            }
        }
    }
    let all = || answers.iter().flatten();
    Ok(Verdict {
        report: evaluate(&frame_results(trajectories, answers))?,
        calibration: calibration.report(),
        efficiency: efficiency.map(|efficiency| efficiency.report()),
        unjudged,
        most_evaluations: all().map(|a| a.evaluations).max().unwrap_or(0),
        not_finite: all().map(Answer::not_finite).sum(),
    })
}

fn has_covariance(estimate: &Estimate) -> bool {
    estimate.covariance.normalised_square((0.0, 0.0)).is_some()
}

fn check(
    trajectories: &[Trajectory],
    answers: &[Vec<Answer>],
    bounds: Option<&Bounds>,
) -> Result<()> {
    let expected: Vec<usize> = trajectories.iter().map(|t| centres(t).len()).collect();
    let lengths = |what: &str, got: Vec<usize>| {
        let differ = || Error::usage(format!("{what}: {got:?} windows, expected {expected:?}"));
        (got == expected).then_some(()).ok_or_else(differ)
    };
    lengths("answers", answers.iter().map(Vec::len).collect())?;
    bounds.map_or(Ok(()), |bounds| {
        lengths("bounds", bounds.iter().map(Vec::len).collect())
    })
}

#[cfg(test)]
mod tests {
    use derefnet_core::locate::Target;

    use super::*;
    use crate::dataset::Split;
    use crate::scene::{Arrangement, SceneConfig, generate};

    const SIGMA: f64 = 0.01;

    fn scenes() -> Vec<Trajectory> {
        let config = SceneConfig {
            frames: 7,
            arrangement: Arrangement::Free,
            ..SceneConfig::default()
        };
        let one = |index| generate(&config, 1, Split::Test, index);
        (0..3).map(one).collect()
    }

    /// The truth, moved by `miss` pixels along the rows.
    fn answers(scenes: &[Trajectory], miss: f64) -> Vec<Vec<Answer>> {
        let target = |t: &crate::scene::Target| Target {
            x: t.x + miss,
            y: t.y,
            intensity: t.intensity,
            sigma_x: SIGMA,
            sigma_y: SIGMA,
            correlation: 0.0,
            sigma_intensity: 1.0,
            score: 1.0,
        };
        let answer = |truth: &Vec<crate::scene::Target>| Answer {
            targets: truth.iter().map(target).collect(),
            reduced_chi2: None,
            evaluations: truth.len() as u32,
        };
        let of_one = |scene| centres(scene).iter().map(answer).collect();
        scenes.iter().map(of_one).collect()
    }

    /// Errors of 2.2 σ lie inside the ellipse of 95 %, whose radius is 2.45 σ; those of 2.6 do not.
    #[test]
    fn misses_leave_the_ellipse() {
        let scenes = scenes();
        let inside = |miss: f64| {
            let verdict = judge(0.0, &scenes, &answers(&scenes, miss * SIGMA), None).unwrap();
            assert_eq!(verdict.report.count_accuracy, 100.0);
            assert!(verdict.efficiency.is_none());
            verdict.inside_95().unwrap().0
        };
        assert_eq!((inside(2.2), inside(2.6)), (100.0, 0.0));
    }

    #[test]
    fn errors_are_measured_in_bounds() {
        let scenes = scenes();
        let options = BoundOptions::of(Arrangement::Free);
        let bounds = window_bounds(&scenes, 2.0, &options).unwrap();
        let traces = bounds.iter().flatten().flatten().map(|c| c.trace());
        let mean = traces.clone().sum::<f64>() / traces.count() as f64;
        let found = answers(&scenes, 2.0 * mean.sqrt());
        let verdict = judge(2.0, &scenes, &found, Some(&bounds)).unwrap();
        let rows = verdict.efficiency.unwrap().rows;
        let matched: usize = rows.iter().map(|row| row.matched).sum();
        assert_eq!(matched, verdict.report.targets);
        let squares = rows.iter().map(|row| {
            let (rmse, bound) = (row.rmse_px.unwrap(), row.bound_px.unwrap());
            [rmse, bound].map(|v| row.matched as f64 * v * v)
        });
        let [errors, all] = squares.fold([0.0; 2], |[a, b], [c, d]| [a + c, b + d]);
        assert!(((errors / all).sqrt() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn broken_answers_are_counted() {
        let scenes = scenes();
        let mut found = answers(&scenes, 0.0);
        let last = found[1].last_mut().unwrap();
        last.evaluations = 77;
        last.targets[0].sigma_x = f64::INFINITY;
        last.targets[0].sigma_intensity = f64::NAN;
        let verdict = judge(0.0, &scenes, &found, None).unwrap();
        assert_eq!((verdict.unjudged, verdict.not_finite), (1, 2));
        assert_eq!(verdict.most_evaluations, 77);
    }

    #[test]
    fn missing_windows_are_refused() {
        let scenes = scenes();
        let mut found = answers(&scenes, 0.0);
        found[2].pop();
        let refused = judge(0.0, &scenes, &found, None).unwrap_err().to_string();
        assert_eq!(refused, "answers: [3, 3, 2] windows, expected [3, 3, 3]");
    }
}
