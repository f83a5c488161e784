//! Levenberg–Marquardt descent to the nearest maximum of the posterior.

use super::model::{Layout, Problem, Scratch, State};
use super::normal::Normal;
use super::packed::{Packed, Vector, at};

/// First damping, as a share of the diagonal.
const DAMPING: f64 = 1e-3;
/// Damping that never falls lower can always grow again.
const LEAST_DAMPING: f64 = 1e-15;
/// A descent that needs more damping than this has stalled.
const MOST_DAMPING: f64 = 1e9;
/// Growth of the damping where the damped curvature is not positive definite.
const STIFFEN: f64 = 10.0;
/// No source moves farther than this along an axis in one iteration, pixels.
const REACH: f64 = 0.5;

/// When a descent ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// Evaluations of the model at most.
    pub(super) evaluations: u32,
    /// Expected gain of the next step that is not worth it, in units of the log posterior.
    pub(super) tolerance: f64,
}

/// Where a descent ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    pub(super) state: State,
    pub(super) cost: f64,
    pub(super) evaluations: u32,
    pub(super) converged: bool,
}

/// The memory of a descent: normal equations at the present state, and those of a trial, whose
/// matrix holds the factor of the present one until the trial is evaluated.
#[derive(Clone, Debug)]
pub(super) struct Descent {
    pub(super) scratch: Scratch,
    pub(super) present: Normal,
    pub(super) trial: Normal,
}

impl Descent {
    pub(super) const ZERO: Self = Self {
        scratch: Scratch::ZERO,
        present: Normal::ZERO,
        trial: Normal::ZERO,
    };

    /// Descends from `start`; bounded by `effort`. Leaves the normal equations of where it ended.
    pub(super) fn run(&mut self, problem: &Problem, start: &State, effort: Effort) -> Fit {
        let (mut present, mut trial) = (&mut self.present, &mut self.trial);
        problem.evaluate(start, &mut self.scratch, present);
        let mut fit = Fit {
            state: *start,
            cost: present.cost,
            evaluations: 1,
            converged: false,
        };
        let layout = start.layout();
        let (mut damping, mut growth) = (DAMPING, 2.0);
        let mut exchanged = false;
        while damping < MOST_DAMPING {
            let step = propose(present, &mut trial.matrix, layout, damping);
            let Some((step, gain)) = step.filter(|(_, gain)| gain.is_finite()) else {
                damping *= STIFFEN;
                continue;
            };
            if gain < effort.tolerance && damping <= 1.0 {
                fit.converged = true;
                break;
            }
            if fit.evaluations >= effort.evaluations {
                break;
            }
            let next = fit.state.moved(&step);
            problem.evaluate(&next, &mut self.scratch, trial);
            fit.evaluations += 1;
            if trial.cost < fit.cost {
                damping = (damping * relax((fit.cost - trial.cost) / gain)).max(LEAST_DAMPING);
                growth = 2.0;
                (fit.state, fit.cost) = (next, trial.cost);
                core::mem::swap(&mut present, &mut trial);
                exchanged = !exchanged;
            } else {
                damping *= growth;
                growth *= 2.0;
            }
        }
        if exchanged {
            core::mem::swap(&mut self.present, &mut self.trial);
        }
        fit
    }

    /// Fills the undamped factor of the present normal equations; tells whether they are positive
    /// definite.
    pub(super) fn settle(&mut self, order: usize) -> bool {
        let factor = &mut self.trial.matrix;
        factor.factor(&self.present.matrix, order, 0.0)
    }

    /// The factor that was filled last.
    pub(super) fn factor(&self) -> &Packed {
        &self.trial.matrix
    }
}

/// The step from the normal equations with `damping`, and its expected gain.
fn propose(
    normal: &Normal,
    factor: &mut Packed,
    layout: Layout,
    damping: f64,
) -> Option<(Vector, f64)> {
    let (order, stride) = (layout.order(), layout.stride());
    if !factor.factor(&normal.matrix, order, damping) {
        return None;
    }
    let mut step = normal.descent;
    factor.solve(order, &mut step);
    let (mut along, mut damped) = (0.0, 0.0);
    for (i, change) in step.iter().enumerate().take(order) {
        along += change * at(&normal.descent, i);
        damped += change * change * normal.matrix.get(i, i);
    }
    let short = shorten(&step, stride);
    let bend = along - damping * damped;
    let gain = short * (along - 0.5 * short * bend);
    Some((step.map(|change| short * change), gain))
}

/// Factor that keeps every source within [`REACH`].
fn shorten(step: &Vector, stride: usize) -> f64 {
    let sources = step.get(super::GLOBALS..).unwrap_or_default();
    let positions = sources.chunks(stride).filter_map(|source| source.get(..2));
    let farthest = positions.flatten().fold(0.0, |most, &change| {
        let size = if change < 0.0 { -change } else { change };
        if size > most { size } else { most }
    });
    if farthest > REACH {
        REACH / farthest
    } else {
        1.0
    }
}

/// Factor for the damping after a step that reached `ratio` of its expected gain (Madsen, Nielsen and
/// Tingleff 2004, Algorithm 3.16, but down to a tenth).
fn relax(ratio: f64) -> f64 {
    let miss = 2.0 * ratio - 1.0;
    let factor = 1.0 - miss * miss * miss;
    factor.clamp(0.1, 2.0)
}
