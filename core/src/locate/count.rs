//! How many sources: Laplace's approximation of the evidence, and what total flux rules out.

use super::MAX_SOURCES;
use super::arrangement::Formation;
use super::fit::Descent;
use super::model::{Anchor, Problem, State};
use super::propose::Blob;
use crate::physics::{FRAME_LEN, WINDOW};

/// Logarithm of 2π.
pub(super) const LOG_TURN: f64 = 1.837_877_066_409_345_3;

/// Log evidence of the maximum at `state`, where `descent` has just ended, up to what all counts
/// share; minus infinity where the curvature is not positive definite.
///
/// A source's prior is Gaussian in intensity; positions follow the arrangement. An anchor counts as a
/// measurement. Sources of a cluster without anchors may trade names, which multiplies the evidence
/// of one maximum; those of a cross have their own arms.
/// Leaves the factor of the normal equations in `descent`.
pub(super) fn log_evidence(problem: &Problem, state: &State, descent: &mut Descent) -> f64 {
    if !descent.settle(state.order()) {
        return f64::NEG_INFINITY;
    }
    let own = state.layout().stride() * state.count;
    let volume = own as f64 * LOG_TURN;
    let occam = 0.5 * (volume - descent.factor().log_determinant(state.order()));
    occam - descent.present.cost + log_prior_scale(problem, state)
}

/// Logarithm of the priors' normalisers and of the number of orders.
fn log_prior_scale(problem: &Problem, state: &State) -> f64 {
    let intensity = -0.5 * LOG_TURN - libm::log(problem.prior.intensity_sigma);
    let drift = if state.layout().drifting() {
        -2.0 * (0.5 * LOG_TURN + libm::log(problem.prior.drift_sigma))
    } else {
        0.0
    };
    let named = state.formation != Formation::CLUSTER;
    let arrangement = &problem.prior.arrangement;
    let mut sum = arrangement.log_peak(state.formation, state.count);
    let mut free = 0.0;
    for anchor in state.anchors.iter().take(state.count) {
        sum += intensity + drift;
        sum += log_peak(anchor).unwrap_or_else(|| {
            free += 1.0;
            if named { 0.0 } else { libm::log(free) }
        });
    }
    sum
}

/// Logarithm of the peak of an anchor's density; none if it believes nothing.
fn log_peak(anchor: &Anchor) -> Option<f64> {
    let [xx, xy, yy] = anchor.precision;
    let determinant = xx * yy - xy * xy;
    (determinant > 0.0).then(|| 0.5 * libm::log(determinant) - LOG_TURN)
}

/// How many units of log posterior each count from 0 to 8 pays for the total flux alone.
pub(super) fn flux_costs(problem: &Problem, blob: &Blob) -> [f64; MAX_SOURCES + 1] {
    let prior = &problem.prior;
    let pixels = FRAME_LEN as f64;
    let noise = problem.variance * pixels / WINDOW as f64;
    let known = problem.variance / blob.dark;
    let free = prior.background_sigma * prior.background_sigma;
    let background = pixels * pixels * if free < known { free } else { known };
    let filled = blob.doubt * blob.doubt;
    let seen = problem.seen(blob.centre);
    core::array::from_fn(|count| {
        let sources = seen * count as f64;
        let miss = blob.flux - sources * prior.intensity_mean;
        let spread = sources * prior.intensity_sigma * prior.intensity_sigma;
        0.5 * miss * miss / (spread + noise + background + filled)
    })
}
