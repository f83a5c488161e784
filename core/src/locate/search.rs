//! Which starts a window gets, for which counts.

use super::count::flux_costs;
use super::dark::ROUNDING;
use super::fit::{Effort, Fit};
use super::model::{Anchor, Problem, State};
use super::propose::{Blob, Shape, brightest};
use super::{LocateConfig, Located, MAX_SOURCES, Proposal, Workspace};

/// Fits of one count that go on after the coarse descents.
const KEPT: usize = 3;

/// One window's search and what it has cost.
pub(super) struct Search<'a> {
    config: &'a LocateConfig,
    blob: &'a Blob,
    workspace: &'a mut Workspace,
    starts: u32,
    evaluations: u32,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        config: &'a LocateConfig,
        blob: &'a Blob,
        workspace: &'a mut Workspace,
    ) -> Self {
        workspace.modes.clear();
        Self {
            config,
            blob,
            workspace,
            starts: 0,
            evaluations: 0,
        }
    }

    /// Fills the workspace's modes.
    pub(super) fn run(&mut self, problem: &Problem, proposals: &[Proposal]) {
        let costs = flux_costs(problem, self.blob);
        let [fewest, most] = self.config.counts;
        let near = proposals.len().max(fewest).min(most);
        let (likeliest, least) = likeliest(&costs, fewest, most);
        let plausible = |count: usize| {
            let cost = costs.get(count).copied().unwrap_or(f64::INFINITY);
            cost <= least + self.config.flux_margin
        };
        let lost = !plausible(near);
        let wanted: [bool; MAX_SOURCES + 1] = core::array::from_fn(|count| {
            let beside = proposals.is_empty() || count + 1 == near || count == near + 1;
            let named = !proposals.is_empty() && count == near;
            named || (beside && plausible(count)) || (lost && count == likeliest)
        });
        self.note_nothing(problem);
        for (count, _) in wanted.iter().enumerate().filter(|(_, wanted)| **wanted) {
            if (fewest..=most).contains(&count) {
                self.try_count(problem, count, proposals);
            }
        }
    }

    /// The hypothesis without sources.
    fn note_nothing(&mut self, problem: &Problem) {
        let state = self.blob.empty(problem);
        let effort = self.effort(self.config.fine_evaluations);
        self.finish(problem, &state, effort);
    }

    fn try_count(&mut self, problem: &Problem, count: usize, proposals: &[Proposal]) {
        if !proposals.is_empty() {
            let start = self.adapted(problem, count, proposals);
            let effort = self.effort(self.config.fine_evaluations);
            self.starts += 1;
            self.finish(problem, &start, effort);
            if count == proposals.len() {
                return;
            }
        }
        self.try_shapes(problem, count);
    }

    /// Short descents from all shapes, then whole ones from where the best of them ended.
    fn try_shapes(&mut self, problem: &Problem, count: usize) {
        let mut kept: [Option<Fit>; KEPT] = [None; KEPT];
        let coarse = self.effort(self.config.coarse_evaluations);
        for &shape in Shape::of(count) {
            let start = self.blob.state(problem, count, shape);
            let fit = self.workspace.descent.run(problem, &start, coarse);
            self.starts += 1;
            self.evaluations += fit.evaluations;
            insert(&mut kept, fit);
        }
        let fine = self.effort(self.config.fine_evaluations);
        for fit in kept.into_iter().flatten() {
            self.finish(problem, &fit.state, fine);
        }
    }

    fn finish(&mut self, problem: &Problem, start: &State, effort: Effort) {
        let Workspace { descent, modes } = &mut *self.workspace;
        let fit = descent.run(problem, start, effort);
        self.evaluations += fit.evaluations;
        modes.note(problem, &fit, descent);
    }

    /// Takes the variance of a pixel from the residuals of the best maximum, and descends once more
    /// from every maximum if that changes it.
    pub(super) fn refine(&mut self, problem: &mut Problem) {
        let Workspace { descent, modes } = &mut *self.workspace;
        let Some(best) = modes.best().map(|mode| mode.state) else {
            return;
        };
        descent.settle(problem, &best);
        let freedom = freedom(descent.present.pixels, &best);
        let residual = descent.present.squares / freedom;
        let variance = if residual > ROUNDING {
            residual
        } else {
            ROUNDING
        };
        if variance == problem.variance || !variance.is_finite() {
            return;
        }
        problem.variance = variance;
        let states = modes.states();
        modes.clear();
        let effort = self.effort(self.config.fine_evaluations);
        for state in &states {
            self.finish(problem, state, effort);
        }
    }

    /// Reads the answer off the maxima.
    pub(super) fn answer(self, problem: &Problem) -> Located {
        let Workspace { descent, modes } = self.workspace;
        modes.normalise();
        let best = modes.best();
        let state = best.map_or_else(|| State::new(&problem.prior), |mode| mode.state);
        let converged = best.is_some_and(|mode| mode.converged);
        let singular = !descent.settle(problem, &state);
        let [background, vx, vy, ax, ay] = state.globals;
        let scatter = problem.variance * freedom(descent.present.pixels, &state);
        Located {
            targets: modes.targets(),
            reduced_chi2: descent.present.squares / scatter,
            background,
            velocity: [vx, vy],
            acceleration: [ax, ay],
            noise: libm::sqrt(problem.variance),
            count_shares: modes.count_shares(),
            starts: self.starts,
            evaluations: self.evaluations,
            converged,
            singular,
        }
    }

    fn effort(&self, evaluations: u32) -> Effort {
        Effort {
            evaluations,
            tolerance: self.config.tolerance,
        }
    }

    /// The proposals, with sources merged or added until there are `count`.
    fn adapted(&mut self, problem: &Problem, count: usize, proposals: &[Proposal]) -> State {
        let mut state = self.blob.empty(problem);
        for proposal in proposals {
            let anchor = Anchor {
                centre: [proposal.x, proposal.y],
                precision: proposal.precision.unwrap_or_default(),
            };
            state.push([proposal.x, proposal.y, proposal.intensity], anchor);
        }
        while state.count > count {
            state.merge_closest();
        }
        while state.count < count {
            let scratch = &mut self.workspace.descent.scratch;
            let leftover = problem.leftover(&state, scratch);
            let [x, y] = brightest(&leftover);
            let intensity = problem.prior.intensity_mean;
            state.push([x, y, intensity], Anchor::default());
        }
        state
    }
}

/// The count within limits that total flux likes best, and its cost.
fn likeliest(costs: &[f64; MAX_SOURCES + 1], fewest: usize, most: usize) -> (usize, f64) {
    let mut best = (fewest, f64::INFINITY);
    for (count, &cost) in costs.iter().enumerate() {
        if (fewest..=most).contains(&count) && cost < best.1 {
            best = (count, cost);
        }
    }
    best
}

/// Puts a fit into the list in order of cost, dropping the last.
fn insert(kept: &mut [Option<Fit>; KEPT], fit: Fit) {
    let mut fit = Some(fit);
    for slot in kept {
        let better = match (&fit, &*slot) {
            (Some(new), Some(old)) => new.cost < old.cost,
            (new, None) => new.is_some(),
            (None, _) => false,
        };
        if better {
            core::mem::swap(slot, &mut fit);
        }
    }
}

/// Degrees of freedom, at least one: what priors hold tightly, as own velocities, takes none.
fn freedom(pixels: f64, state: &State) -> f64 {
    let parameters = 2.0 + 3.0 * state.count as f64;
    (pixels - parameters).max(1.0)
}
