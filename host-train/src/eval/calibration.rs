//! Whether predicted uncertainties are true.
//!
//! For every matched answer the squared error in units of its predicted covariance should follow χ²
//! with two degrees of freedom: mean 2, and a share `p` below `-2 ln(1 - p)`, which is how many
//! truths the ellipse of probability `p` should hold. Only answers within the matching distance of
//! [`matching`](super::matching) count: where errors come near it, the worst are missing, and both
//! figures flatter.

use std::fmt;

use super::matching::{Estimate, pairs};
use super::ratio::Ratio;
use crate::scene::Target;
use crate::{Error, Result};

/// Probabilities of the ellipses that are checked.
pub const LEVELS: [f64; 5] = [0.50, 0.68, 0.90, 0.95, 0.99];

/// Where a frame belongs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Origin {
    /// Standard deviation of the noise, counts.
    pub noise: f64,
    /// Number of its trajectory; frames of one trajectory must come one after the other.
    pub trajectory: u64,
}

/// Tallies of one noise level and number of targets.
#[derive(Clone, Debug)]
struct Group {
    noise: f64,
    /// None for all numbers together.
    targets: Option<usize>,
    inside: [Ratio; LEVELS.len()],
    squares: Ratio,
}

impl Group {
    fn new(noise: f64, targets: Option<usize>) -> Self {
        Self {
            noise,
            targets,
            inside: Default::default(),
            squares: Ratio::default(),
        }
    }

    fn push(&mut self, trajectory: u64, square: f64) {
        for (ratio, level) in self.inside.iter_mut().zip(LEVELS) {
            let inside = square <= -2.0 * libm::log(1.0 - level);
            ratio.push(trajectory, f64::from(u8::from(inside)), 1.0);
        }
        self.squares.push(trajectory, square, 1.0);
    }

    fn row(&self) -> CalibrationRow {
        let share = |(ratio, level): (&Ratio, f64)| Share {
            nominal: 100.0 * level,
            observed: ratio.value().map(|share| 100.0 * share),
            standard_error: ratio.standard_error().map(|error| 100.0 * error),
        };
        CalibrationRow {
            noise: self.noise,
            targets: self.targets,
            pairs: self.squares.sums()[1] as usize,
            shares: self.inside.iter().zip(LEVELS).map(share).collect(),
            normalised_square: self.squares.value(),
            standard_error: self.squares.standard_error(),
        }
    }
}

/// How many truths lie inside the ellipse of one probability.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Share {
    /// What the covariance promises, per cent.
    pub nominal: f64,
    /// What is found, per cent; null without pairs.
    pub observed: Option<f64>,
    /// Standard error of `observed`, per cent; null for fewer than two trajectories.
    pub standard_error: Option<f64>,
}

/// Calibration at one noise level.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CalibrationRow {
    /// Standard deviation of the noise, counts.
    pub noise: f64,
    /// Targets in the frame; null for all numbers together.
    pub targets: Option<usize>,
    /// Matched answers.
    pub pairs: usize,
    /// One entry for each of [`LEVELS`].
    pub shares: Vec<Share>,
    /// Mean normalised squared error, 2 if the covariances are right; null without pairs.
    pub normalised_square: Option<f64>,
    /// Standard error of the mean; null for fewer than two trajectories.
    pub standard_error: Option<f64>,
}

/// Accumulates frames by noise level and number of targets.
///
/// # Examples
/// ```
/// use derefnet::eval::calibration::{Calibration, Origin};
/// use derefnet::eval::covariance::Covariance2;
/// use derefnet::eval::matching::Estimate;
/// use derefnet::scene::Target;
/// use derefnet_core::metric::Detection;
///
/// let mut calibration = Calibration::default();
/// let truth = [Target { x: 5.0, y: 5.0, intensity: 230.0 }];
/// let answer = [Estimate {
///     detection: Detection { x: 5.01, y: 5.02, score: 100.0 },
///     covariance: Covariance2::from_sigmas([0.01, 0.01, 0.0]),
/// }];
/// calibration.push_frame(Origin { noise: 0.0, trajectory: 0 }, &answer, &truth)?;
/// let report = calibration.report();
/// assert_eq!(report.rows[0].shares[4].observed, Some(100.0));
/// # Ok::<(), derefnet::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Calibration {
    groups: Vec<Group>,
}

impl Calibration {
    /// Matches the answers of one frame and tallies their errors.
    ///
    /// # Errors
    /// [`Error::CheckFailed`] if a matched answer's covariance is not finite and positive definite;
    /// nothing of the frame is counted then.
    pub fn push_frame(
        &mut self,
        origin: Origin,
        estimates: &[Estimate],
        truth: &[Target],
    ) -> Result<()> {
        let squares: Result<Vec<f64>> = pairs(estimates, truth)
            .iter()
            .map(|pair| {
                let covariance = estimates[pair.estimate].covariance;
                let square = covariance.normalised_square(pair.error);
                square.ok_or_else(|| {
                    Error::CheckFailed(format!(
                        "answer {}: {covariance:?} is no covariance",
                        pair.estimate
                    ))
                })
            })
            .collect();
        for square in squares? {
            for targets in [None, Some(truth.len())] {
                let group = self.group(origin.noise, targets);
                group.push(origin.trajectory, square);
            }
        }
        Ok(())
    }

    fn group(&mut self, noise: f64, targets: Option<usize>) -> &mut Group {
        let same = |group: &Group| group.noise == noise && group.targets == targets;
        let index = self.groups.iter().position(same).unwrap_or_else(|| {
            self.groups.push(Group::new(noise, targets));
            self.groups.len() - 1
        });
        &mut self.groups[index]
    }

    /// Rows in ascending order of noise; at each level all numbers of targets together come first.
    pub fn report(&self) -> CalibrationReport {
        let mut rows: Vec<_> = self.groups.iter().map(Group::row).collect();
        rows.sort_by(|a, b| {
            let by_noise = a.noise.total_cmp(&b.noise);
            by_noise.then_with(|| a.targets.cmp(&b.targets))
        });
        CalibrationReport { rows }
    }
}

/// Calibration of one method; its text form is a Markdown table.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CalibrationReport {
    /// By noise, then number of targets.
    pub rows: Vec<CalibrationRow>,
}

impl fmt::Display for CalibrationReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "| noise σ | targets | pairs |")?;
        for level in LEVELS {
            write!(f, " {:.0} % |", 100.0 * level)?;
        }
        writeln!(f, " error²/variance (2) |")?;
        writeln!(f, "|{}", " --- |".repeat(4 + LEVELS.len()))?;
        for row in &self.rows {
            let targets = row.targets.map_or("all".to_owned(), |k| k.to_string());
            write!(f, "| {} | {targets} | {} |", row.noise, row.pairs)?;
            for share in &row.shares {
                write!(f, " {} |", figure(share.observed, share.standard_error, 1))?;
            }
            let square = figure(row.normalised_square, row.standard_error, 2);
            writeln!(f, " {square} |")?;
        }
        Ok(())
    }
}

/// `93.1 ± 0.4`, as much of it as is known.
pub(crate) fn figure(value: Option<f64>, error: Option<f64>, digits: usize) -> String {
    match (value, error) {
        (None, _) => "-".to_owned(),
        (Some(value), None) => format!("{value:.digits$}"),
        (Some(value), Some(error)) => format!("{value:.digits$} ± {error:.digits$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::covariance::Covariance2;
    use crate::rng::Rng;
    use derefnet_core::metric::Detection;

    const SIGMAS: [f64; 3] = [0.02, 0.035, 0.7];

    fn truth() -> Vec<Target> {
        let at = |y| Target {
            x: 5.0,
            y,
            intensity: 230.0,
        };
        vec![at(4.0), at(5.0), at(6.0)]
    }

    /// Gaussian errors of the covariance of `SIGMAS`; `claimed` times that is predicted.
    fn simulated(claimed: f64, trajectories: u64) -> Calibration {
        let covariance = Covariance2::from_sigmas(SIGMAS);
        let [sigma_x, sigma_y, correlation] = SIGMAS;
        let rest = (1.0 - correlation * correlation).sqrt();
        let mut calibration = Calibration::default();
        for trajectory in 0..trajectories {
            let mut rng = Rng::new(3, *b"calib-ts", trajectory);
            let estimates: Vec<_> = truth()
                .iter()
                .map(|target| {
                    let (a, b) = rng.gaussian_pair();
                    Estimate {
                        detection: Detection {
                            x: target.x + sigma_x * a,
                            y: target.y + sigma_y * (correlation * a + rest * b),
                            score: 1.0,
                        },
                        covariance: covariance.scaled(claimed),
                    }
                })
                .collect();
            let noise = (trajectory % 2) as f64;
            let origin = Origin { noise, trajectory };
            calibration
                .push_frame(origin, &estimates, &truth())
                .unwrap();
        }
        calibration
    }

    #[test]
    fn honest_covariances_hit_every_share() {
        let report = simulated(1.0, 8_000).report();
        assert_eq!(report.rows.len(), 4);
        for row in &report.rows {
            assert_eq!(row.pairs, 12_000);
            for share in &row.shares {
                // Binomial standard error: at most 0.46 %; four of them.
                let p = share.nominal / 100.0;
                let error = 100.0 * (p * (1.0 - p) / 12_000.0).sqrt();
                assert!((share.observed.unwrap() - share.nominal).abs() < 4.0 * error);
                assert!((share.standard_error.unwrap() / error - 1.0).abs() < 0.1);
            }
            // χ² with two degrees of freedom has variance 4.
            assert!(
                (row.normalised_square.unwrap() - 2.0).abs() < 4.0 * (4.0_f64 / 12_000.0).sqrt()
            );
        }
    }

    #[test]
    fn wrong_covariances_are_noticed() {
        for (claimed, share) in [
            (4.0, 1.0 - 0.05_f64.powi(4)),
            (0.25, 1.0 - 0.05_f64.powf(0.25)),
        ] {
            let report = simulated(claimed, 2_000).report();
            let row = &report.rows[0];
            let square = row.normalised_square.unwrap();
            assert!((square * claimed / 2.0 - 1.0).abs() < 0.1, "{square}");
            // The ellipse of radius² r² holds 1 - exp(-r²/2), whatever it claims.
            let observed = row.shares[3].observed.unwrap();
            assert!((observed - 100.0 * share).abs() < 3.0, "{observed}");
            let off = (observed - 95.0).abs() / row.standard_error.unwrap().max(0.1);
            assert!(off > 10.0);
        }
    }

    #[test]
    fn rows_are_ordered_and_survive_json() {
        let report = simulated(1.0, 20).report();
        let keys: Vec<_> = report.rows.iter().map(|r| (r.noise, r.targets)).collect();
        assert_eq!(
            keys,
            [(0.0, None), (0.0, Some(3)), (1.0, None), (1.0, Some(3))]
        );
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(
            serde_json::from_str::<CalibrationReport>(&text).unwrap(),
            report
        );
        assert!(text.contains("\"targets\":null"));
        let table = report.to_string();
        let bars = |line: &str| line.matches('|').count();
        assert_eq!(table.lines().count(), 6);
        assert!(table.lines().all(|line| bars(line) == 10), "{table}");
        assert!(table.contains("| all | 30 |"), "{table}");
    }

    #[test]
    fn broken_covariances_are_errors() {
        let mut calibration = Calibration::default();
        let estimate = Estimate {
            detection: Detection {
                x: 5.0,
                y: 4.01,
                score: 1.0,
            },
            covariance: Covariance2::from_sigmas([0.0, 0.1, 0.0]),
        };
        let origin = Origin {
            noise: 0.0,
            trajectory: 0,
        };
        let error = calibration.push_frame(origin, &[estimate], &truth());
        assert!(error.unwrap_err().to_string().contains("no covariance"));
        assert!(calibration.report().rows.is_empty());
    }
}
