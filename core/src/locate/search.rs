//! Which starts a window gets, for which counts.

use super::arrangement::Formation;
use super::count::flux_costs;
use super::dark::ROUNDING;
use super::fit::Effort;
use super::model::{Anchor, Problem, State};
use super::modes::Mode;
use super::propose::{Blob, Shape, brightest};
use super::{GLOBALS, LocateConfig, Located, MAX_SOURCES, Prior, Proposal, Workspace};

/// Starts of one count that are kept after short descents.
const KEPT: usize = 4;
/// How many of these go on where they are shapes.
const SHAPES: usize = 3;
/// Model evaluations of a short descent from a cross: little is left to find but its place.
const CROSS_EVALUATIONS: u32 = 3;
/// Crosses whose short descent ended this much above the best one's are given up.
const HOPELESS: f64 = 15.0;
/// A cluster whose log evidence is this much below that of a cross is not sought any further.
const CLEAR: f64 = 3.0;

/// One window's search and what it has cost.
pub(super) struct Search<'a> {
    config: &'a LocateConfig,
    blob: &'a Blob,
    workspace: &'a mut Workspace,
    starts: u32,
    evaluations: u32,
    /// Evaluations after which nothing new is begun.
    allowed: u32,
    /// Whether they were used up before.
    was_spent: bool,
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
            allowed: config.window_evaluations - config.window_evaluations / 4,
            was_spent: false,
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
            if (fewest..=most).contains(&count) && !self.is_spent() {
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
        let believed = proposals.iter().any(|p| p.precision.is_some());
        let cross = if believed {
            None
        } else {
            self.try_crosses(problem, count)
        };
        let share = problem.prior.arrangement.cross_share;
        if share >= 1.0 && cross.is_some() {
            return;
        }
        let start = match cross {
            _ if !proposals.is_empty() => Some(self.adapted(problem, count, proposals)),
            Some((state, _)) => Some(state.as_cluster()),
            None => None,
        };
        let mut found = f64::NEG_INFINITY;
        if let Some(start) = start {
            let effort = self.effort(self.config.fine_evaluations);
            self.starts += 1;
            (_, found) = self.finish(problem, &start, effort);
        }
        let beside = cross.is_some_and(|(_, evidence)| found + CLEAR < evidence);
        let held = believed && count == proposals.len();
        if !(beside || held) {
            self.try_shapes(problem, count);
        }
    }

    /// Short descents from all crosses about the blob's centre, and whole ones where these ended not
    /// far above the best; the best cross with its log evidence.
    fn try_crosses(&mut self, problem: &Problem, count: usize) -> Option<(State, f64)> {
        if problem.prior.arrangement.cross_share == 0.0 {
            return None;
        }
        let mut kept = Ranked::new();
        for cross in Formation::crosses(count) {
            if self.is_spent() {
                break;
            }
            let coarse = self.effort(CROSS_EVALUATIONS);
            let start = self.blob.cross(problem, count, cross);
            self.descend(problem, &start, coarse, &mut kept);
        }
        let bound = kept.least() + HOPELESS;
        let mut best: Option<(State, f64)> = None;
        for (_, start) in kept.below(bound) {
            let fine = self.effort(self.config.fine_evaluations);
            let (state, evidence) = self.finish(problem, &start, fine);
            if best.is_none_or(|(_, most)| evidence > most) {
                best = Some((state, evidence));
            }
        }
        best
    }

    /// Descends into a list.
    fn descend(&mut self, problem: &Problem, start: &State, effort: Effort, kept: &mut Ranked) {
        let fit = self.workspace.descent.run(problem, start, effort);
        self.starts += 1;
        self.evaluations += fit.evaluations;
        kept.insert(fit.cost, fit.state);
    }

    /// Short descents from all shapes, then whole ones from where the best of them ended.
    fn try_shapes(&mut self, problem: &Problem, count: usize) {
        let mut kept = Ranked::new();
        for &shape in Shape::of(count) {
            if self.is_spent() {
                break;
            }
            let coarse = self.effort(self.config.coarse_evaluations);
            let start = self.blob.state(problem, count, shape);
            self.descend(problem, &start, coarse, &mut kept);
        }
        for (_, state) in kept.below(f64::INFINITY).take(SHAPES) {
            let fine = self.effort(self.config.fine_evaluations);
            self.finish(problem, &state, fine);
        }
    }

    /// Descends, and notes the maximum with its log evidence.
    fn finish(&mut self, problem: &Problem, start: &State, effort: Effort) -> (State, f64) {
        let Workspace { descent, modes } = &mut *self.workspace;
        let fit = descent.run(problem, start, effort);
        self.evaluations += fit.evaluations;
        (fit.state, modes.note(problem, &fit, descent))
    }

    /// Takes the variance of a pixel from the residuals of the best maximum, and descends once more
    /// from every maximum if that changes it.
    pub(super) fn refine(&mut self, problem: &mut Problem) {
        let modes = &mut self.workspace.modes;
        let Some(best) = modes.best() else {
            return;
        };
        let residual = best.squares / freedom(best, &problem.prior);
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
        self.was_spent = self.is_spent();
        self.allowed = self.config.window_evaluations;
        for state in &states {
            let effort = self.effort(self.config.fine_evaluations);
            self.finish(problem, state, effort);
        }
    }

    /// Reads the answer off the maxima.
    pub(super) fn answer(self, problem: &Problem) -> Located {
        let complete = !self.was_spent && !self.is_spent();
        let modes = &mut self.workspace.modes;
        modes.normalise();
        let best = modes.best();
        let globals = best.map_or([0.0; GLOBALS], |mode| mode.state.globals);
        let [background, vx, vy, ax, ay] = globals;
        let chi2 = |mode: &Mode| {
            let scatter = problem.variance * freedom(mode, &problem.prior);
            mode.squares / scatter
        };
        Located {
            targets: modes.targets(),
            reduced_chi2: best.map_or(f64::INFINITY, chi2),
            background,
            velocity: [vx, vy],
            acceleration: [ax, ay],
            noise: libm::sqrt(problem.variance),
            count_shares: modes.count_shares(),
            starts: self.starts,
            evaluations: self.evaluations,
            complete,
            converged: best.is_some_and(|mode| mode.converged),
            singular: best.is_none_or(|mode| mode.singular),
        }
    }

    /// As many evaluations as are left, one at least.
    fn effort(&self, evaluations: u32) -> Effort {
        let left = self.allowed.saturating_sub(self.evaluations);
        Effort {
            evaluations: evaluations.min(left).max(1),
            tolerance: self.config.tolerance,
        }
    }

    const fn is_spent(&self) -> bool {
        self.evaluations >= self.allowed
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

/// The [`KEPT`] states of least cost, in its order; of equal ones the first.
struct Ranked([Option<(f64, State)>; KEPT]);

impl Ranked {
    const fn new() -> Self {
        Self([None; KEPT])
    }

    fn insert(&mut self, cost: f64, state: State) {
        let mut new = Some((cost, state));
        for slot in &mut self.0 {
            let better = match (&new, &*slot) {
                (Some((cost, _)), Some((least, _))) => cost < least,
                (new, None) => new.is_some(),
                (None, _) => false,
            };
            if better {
                core::mem::swap(slot, &mut new);
            }
        }
    }

    /// Least cost of all.
    fn least(&self) -> f64 {
        let [first, ..] = &self.0;
        first.as_ref().map_or(f64::INFINITY, |(cost, _)| *cost)
    }

    /// Those up to a cost.
    fn below(self, bound: f64) -> impl Iterator<Item = (f64, State)> {
        self.0
            .into_iter()
            .flatten()
            .filter(move |(cost, _)| *cost <= bound)
    }
}

/// Degrees of freedom, at least one: what priors hold tightly, as own velocities or the arms of a cross,
/// takes none.
fn freedom(mode: &Mode, prior: &Prior) -> f64 {
    let Mode { state, pixels, .. } = mode;
    let sources = state.count as f64;
    let places = match state.formation {
        Formation::CLUSTER => 3.0 * sources,
        _ => 2.0 + sources,
    };
    let background = if prior.background_sigma > 0.0 {
        1.0
    } else {
        0.0
    };
    (pixels - 2.0 - background - places).max(1.0)
}
