//! Which answer belongs to which target, by the rule of the metric.

use derefnet_core::metric::{Detection, THRESHOLDS};

use super::covariance::Covariance2;
use crate::scene::Target;

/// Widest matching distance of the metric, pixels.
pub const REACH: f64 = THRESHOLDS[THRESHOLDS.len() - 1];

/// An answer with its uncertainty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Position, pixels, and score.
    pub detection: Detection,
    /// Covariance that the method predicts for the position.
    pub covariance: Covariance2,
}

/// One matched answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Index among the estimates.
    pub estimate: usize,
    /// Index among the targets.
    pub target: usize,
    /// Position of the answer minus that of the target, pixels.
    pub error: (f64, f64),
}

impl Pair {
    /// Squared distance, px².
    pub fn square(&self) -> f64 {
        self.error.0 * self.error.0 + self.error.1 * self.error.1
    }

    fn distance(&self) -> f64 {
        libm::sqrt(self.square())
    }
}

/// Pairs of one frame at [`REACH`]: in descending order of score (ties: lower index) every answer
/// looks at its nearest target only, and takes it if it is near enough and still free.
pub fn pairs(estimates: &[Estimate], truth: &[Target]) -> Vec<Pair> {
    let mut order: Vec<usize> = (0..estimates.len()).collect();
    let score = |index: usize| estimates[index].detection.score + 0.0;
    order.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
    let mut taken = vec![false; truth.len()];
    let mut found = Vec::with_capacity(estimates.len());
    for estimate in order {
        let Some(pair) = nearest(estimate, estimates, truth) else {
            continue;
        };
        if pair.distance() <= REACH && !taken[pair.target] {
            taken[pair.target] = true;
            found.push(pair);
        }
    }
    found
}

/// The nearest target, whatever its distance; the lowest index wins a tie.
fn nearest(estimate: usize, estimates: &[Estimate], truth: &[Target]) -> Option<Pair> {
    let found = estimates[estimate].detection;
    let pair = |(target, it): (usize, &Target)| Pair {
        estimate,
        target,
        error: (found.x - it.x, found.y - it.y),
    };
    let all = truth.iter().enumerate().map(pair);
    all.min_by(|a, b| a.distance().total_cmp(&b.distance()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::metric::{FrameResult, evaluate};
    use crate::rng::Rng;

    fn estimate(x: f64, y: f64, score: f64) -> Estimate {
        Estimate {
            detection: Detection { x, y, score },
            covariance: Covariance2::from_sigmas([0.1, 0.1, 0.0]),
        }
    }

    fn target(x: f64, y: f64) -> Target {
        Target {
            x,
            y,
            intensity: 230.0,
        }
    }

    #[test]
    fn the_better_score_takes_the_target() {
        let truth = [target(5.0, 5.0), target(5.0, 5.5)];
        let found = [estimate(5.0, 5.1, 1.0), estimate(5.0, 4.9, 2.0)];
        let pairs = pairs(&found, &truth);
        assert_eq!(pairs.len(), 1);
        assert_eq!((pairs[0].estimate, pairs[0].target), (1, 0));
        assert!((pairs[0].error.1 + 0.1).abs() < 1e-12);
    }

    #[test]
    fn nothing_to_match() {
        assert!(pairs(&[], &[target(1.0, 1.0)]).is_empty());
        assert!(pairs(&[estimate(1.0, 1.0, 1.0)], &[]).is_empty());
        assert!(pairs(&[estimate(1.0, 1.0, 1.0)], &[target(1.0, 1.3)]).is_empty());
    }

    /// The metric keeps its pairs to itself; their number and distances must agree.
    #[test]
    fn agrees_with_the_metric() {
        let mut rng = Rng::new(1, *b"match-ts", 0);
        let mut position = move || (rng.range(4.0, 5.0), rng.range(4.0, 5.0));
        for count in 0..200 {
            let truth: Vec<_> = (0..1 + count % 5)
                .map(|_| position())
                .map(|(x, y)| target(x, y))
                .collect();
            let found: Vec<_> = (0..1 + count % 7)
                .map(|k| (f64::from(k % 3), position()))
                .map(|(score, (x, y))| estimate(x, y, score))
                .collect();
            let pairs = pairs(&found, &truth);
            let squares: f64 = pairs.iter().map(Pair::square).sum();
            let rmse = (!pairs.is_empty()).then(|| (squares / pairs.len() as f64).sqrt());
            let union = found.len() + truth.len() - pairs.len();
            let report = evaluate(&[FrameResult {
                detections: found.iter().map(|e| e.detection).collect(),
                truth,
            }]);
            let report = report.unwrap();
            assert!((report.jaccard - 100.0 * pairs.len() as f64 / union as f64).abs() < 1e-9);
            assert_eq!(report.rmse_px.is_some(), rmse.is_some());
            let difference = report.rmse_px.unwrap_or(0.0) - rmse.unwrap_or(0.0);
            assert!(difference.abs() < 1e-12);
        }
    }
}
