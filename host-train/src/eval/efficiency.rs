//! Errors against the Cramér–Rao bound.
//!
//! Per noise level and number of targets: root of the sum of squared errors over the sum of the
//! bound's traces, both over the same matched targets. Answers farther than the matching distance
//! are not matched: where the bound comes near it, the worst errors are missing and the ratio may
//! fall below 1 for that reason alone. A biased estimator, such as one with knowledge of its own,
//! may too.

use std::fmt;

use super::calibration::{Origin, figure};
use super::covariance::Covariance2;
use super::matching::{Estimate, pairs};
use super::ratio::Ratio;
use crate::scene::Target;
use crate::{Error, Result};

/// Tallies of one noise level and number of targets.
#[derive(Clone, Debug)]
struct Group {
    noise: f64,
    targets: usize,
    /// All targets of the frames.
    present: usize,
    matched: usize,
    /// Squared distance over the trace of the bound, px² both.
    squares: Ratio,
}

/// Errors beside the bound at one noise level and number of targets.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EfficiencyRow {
    /// Standard deviation of the noise, counts.
    pub noise: f64,
    /// Targets in each frame.
    pub targets: usize,
    /// Targets of all frames.
    pub present: usize,
    /// Targets with an answer within the matching distance.
    pub matched: usize,
    /// Root mean square distance of the matched answers, pixels; null if there are none.
    pub rmse_px: Option<f64>,
    /// Root mean trace of the bound of the same targets, pixels; null if there are none.
    pub bound_px: Option<f64>,
    /// `rmse_px / bound_px`.
    pub ratio: Option<f64>,
    /// Standard error of `ratio`; null for fewer than two trajectories.
    pub standard_error: Option<f64>,
}

impl Group {
    fn row(&self) -> EfficiencyRow {
        let [errors, bounds] = self.squares.sums();
        let root_mean =
            |sum: f64| (self.matched > 0).then(|| libm::sqrt(sum / self.matched as f64));
        let ratio = self.squares.value().map(libm::sqrt);
        let error = self.squares.standard_error().zip(ratio);
        EfficiencyRow {
            noise: self.noise,
            targets: self.targets,
            present: self.present,
            matched: self.matched,
            rmse_px: root_mean(errors),
            bound_px: root_mean(bounds),
            ratio,
            // √ divides a small relative error by two.
            standard_error: error
                .map(|(error, ratio)| error / (2.0 * ratio.max(f64::MIN_POSITIVE))),
        }
    }
}

/// Accumulates frames by noise level and number of targets.
#[derive(Clone, Debug, Default)]
pub struct Efficiency {
    groups: Vec<Group>,
}

impl Efficiency {
    /// Matches the answers of one frame; `bounds` holds the bound of every target of `truth`, as of
    /// [`bound`](fn@super::bound::bound).
    ///
    /// # Errors
    /// [`Error::Usage`] unless there is one bound for each target.
    pub fn push_frame(
        &mut self,
        origin: Origin,
        estimates: &[Estimate],
        truth: &[Target],
        bounds: &[Covariance2],
    ) -> Result<()> {
        if bounds.len() != truth.len() {
            return Err(Error::usage(format!(
                "{} bounds for {} targets",
                bounds.len(),
                truth.len()
            )));
        }
        let group = self.group(origin.noise, truth.len());
        group.present += truth.len();
        for pair in pairs(estimates, truth) {
            group.matched += 1;
            let trace = bounds[pair.target].trace();
            group.squares.push(origin.trajectory, pair.square(), trace);
        }
        Ok(())
    }

    fn group(&mut self, noise: f64, targets: usize) -> &mut Group {
        let same = |group: &Group| group.noise == noise && group.targets == targets;
        let index = self.groups.iter().position(same).unwrap_or_else(|| {
            self.groups.push(Group {
                noise,
                targets,
                present: 0,
                matched: 0,
                squares: Ratio::default(),
            });
            self.groups.len() - 1
        });
        &mut self.groups[index]
    }

    /// Rows in ascending order of noise, then of the number of targets.
    pub fn report(&self) -> EfficiencyReport {
        let mut rows: Vec<_> = self.groups.iter().map(Group::row).collect();
        rows.sort_by(|a, b| {
            let by_noise = a.noise.total_cmp(&b.noise);
            by_noise.then_with(|| a.targets.cmp(&b.targets))
        });
        EfficiencyReport { rows }
    }
}

/// Efficiency of one method; its text form is a Markdown table.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EfficiencyReport {
    /// By noise, then number of targets.
    pub rows: Vec<EfficiencyRow>,
}

impl fmt::Display for EfficiencyReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(
            f,
            "| noise σ | targets | matched, % | RMSE, px | bound, px | RMSE / bound |"
        )?;
        writeln!(f, "|{}", " --- |".repeat(6))?;
        for row in &self.rows {
            let matched = 100.0 * row.matched as f64 / row.present.max(1) as f64;
            writeln!(
                f,
                "| {} | {} | {matched:.1} | {} | {} | {} |",
                row.noise,
                row.targets,
                figure(row.rmse_px, None, 4),
                figure(row.bound_px, None, 4),
                figure(row.ratio, row.standard_error, 3),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use derefnet_core::metric::Detection;

    fn truth(count: usize) -> Vec<Target> {
        let at = |k: usize| Target {
            x: 5.0,
            y: 3.0 + k as f64,
            intensity: 230.0,
        };
        (0..count).map(at).collect()
    }

    /// Errors `excess` times as large as the bound, which differs from target to target.
    fn simulated(excess: f64) -> EfficiencyReport {
        let mut efficiency = Efficiency::default();
        for trajectory in 0..3_000 {
            let mut rng = Rng::new(4, *b"effic-ts", trajectory);
            let truth = truth(2 + trajectory as usize % 2);
            let sigmas: Vec<f64> = truth.iter().map(|_| rng.range(0.01, 0.04)).collect();
            let pairs = truth.iter().zip(&sigmas).map(|(target, sigma)| {
                let (dx, dy) = rng.gaussian_pair();
                let detection = Detection {
                    x: target.x + excess * sigma * dx,
                    y: target.y + excess * sigma * dy,
                    score: 1.0,
                };
                let covariance = Covariance2::from_sigmas([*sigma, *sigma, 0.0]);
                Estimate {
                    detection,
                    covariance,
                }
            });
            let estimates: Vec<_> = pairs.collect();
            let bounds: Vec<_> = estimates.iter().map(|e| e.covariance).collect();
            let origin = Origin {
                noise: 2.0,
                trajectory,
            };
            efficiency
                .push_frame(origin, &estimates, &truth, &bounds)
                .unwrap();
        }
        efficiency.report()
    }

    #[test]
    fn finds_the_excess_within_its_error() {
        for excess in [1.0, 1.3] {
            let report = simulated(excess);
            let counts: Vec<_> = report.rows.iter().map(|row| row.targets).collect();
            assert_eq!(counts, [2, 3]);
            for row in report.rows {
                let (ratio, error) = (row.ratio.unwrap(), row.standard_error.unwrap());
                assert!((ratio - excess).abs() < 4.0 * error, "{ratio} ± {error}");
                assert!(error < 0.02);
                let quotient = row.rmse_px.unwrap() / row.bound_px.unwrap();
                assert!((quotient - ratio).abs() < 1e-12);
                assert_eq!(
                    (row.present, row.matched),
                    (1_500 * row.targets, 1_500 * row.targets)
                );
            }
        }
    }

    #[test]
    fn misses_count_as_present() {
        let mut efficiency = Efficiency::default();
        let origin = Origin {
            noise: 0.0,
            trajectory: 0,
        };
        let bounds = [Covariance2::from_sigmas([0.1, 0.1, 0.0]); 2];
        let pushed = efficiency.push_frame(origin, &[], &truth(2), &bounds);
        pushed.unwrap();
        let report = efficiency.report();
        let row = report.rows[0];
        assert_eq!((row.present, row.matched, row.ratio), (2, 0, None));
        assert!(report.to_string().contains("| 0 | 2 | 0.0 | - | - | - |"));
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(
            serde_json::from_str::<EfficiencyReport>(&text).unwrap(),
            report
        );
        let uneven = efficiency.push_frame(origin, &[], &truth(3), &bounds);
        assert!(uneven.unwrap_err().to_string().contains("2 bounds for 3"));
    }
}
