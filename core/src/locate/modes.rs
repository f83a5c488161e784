//! The maxima of the posterior that were found, and what they say together.

use heapless::Vec;

use super::arrangement::Formation;
use super::count::log_evidence;
use super::fit::{Descent, Fit};
use super::model::{Problem, Source, State};
use super::packed::{ORDER, add_at, at};
use super::{MAX_SOURCES, Target, score};

/// Most maxima kept.
const MODES: usize = 5;
/// Two maxima whose sources all lie closer than this along both axes are the same, pixels.
const SAME: f64 = 0.01;

/// Covariance of one source: `[xx, xy, yy]` of its position, pixels², and variance of its
/// intensity, counts².
type Covariance = [f64; 4];

/// One maximum.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode {
    pub(super) state: State,
    pub(super) converged: bool,
    /// Log evidence, later share of the whole.
    pub(super) weight: f64,
    /// Sum of squared residuals, counts².
    pub(super) squares: f64,
    /// Pixels that are not excluded.
    pub(super) pixels: f64,
    /// Whether there are no covariances.
    pub(super) singular: bool,
    covariances: [Covariance; MAX_SOURCES],
}

impl Mode {
    /// Sources with their covariances.
    fn sources(&self) -> impl Iterator<Item = (&Source, &Covariance)> {
        self.state.active().iter().zip(&self.covariances)
    }

    fn is_same(&self, state: &State) -> bool {
        let near = |&[x, y, ..]: &Source| {
            let mut others = state.active().iter();
            others.any(|&[u, v, ..]| within(x - u, SAME) && within(y - v, SAME))
        };
        self.state.count == state.count
            && self.state.formation == state.formation
            && self.state.active().iter().all(near)
    }

    /// The source closest to `(x, y)`.
    fn nearest(&self, x: f64, y: f64) -> Option<(&Source, &Covariance)> {
        let mut nearest = None;
        let mut least = f64::INFINITY;
        for source in self.sources() {
            let (dx, dy) = (source.0[0] - x, source.0[1] - y);
            let square = dx * dx + dy * dy;
            if square < least {
                (least, nearest) = (square, Some(source));
            }
        }
        nearest
    }
}

fn within(value: f64, bound: f64) -> bool {
    -bound < value && value < bound
}

/// All maxima kept.
#[derive(Clone, Debug)]
pub(super) struct Modes(Vec<Mode, MODES>);

impl Modes {
    pub(super) const EMPTY: Self = Self(Vec::new());

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds the end of a descent, unless it is there already or worse than a full list; returns its
    /// log evidence.
    pub(super) fn note(&mut self, problem: &Problem, fit: &Fit, descent: &mut Descent) -> f64 {
        if let Some(mode) = self.0.iter().find(|mode| mode.is_same(&fit.state)) {
            return mode.weight;
        }
        let evidence = log_evidence(problem, &fit.state, descent);
        let mode = Mode {
            state: fit.state,
            converged: fit.converged,
            weight: evidence,
            squares: descent.present.squares,
            pixels: descent.present.pixels,
            singular: !evidence.is_finite(),
            // Without a factor there is nothing to solve with.
            covariances: if evidence.is_finite() {
                covariances(problem, &fit.state, descent)
            } else {
                [[f64::INFINITY, 0.0, f64::INFINITY, f64::INFINITY]; MAX_SOURCES]
            },
        };
        if let Err(mode) = self.0.push(mode) {
            let worst = self
                .0
                .iter_mut()
                .reduce(|a, b| if b.weight < a.weight { b } else { a });
            if let Some(worst) = worst.filter(|worst| worst.weight < mode.weight) {
                *worst = mode;
            }
        }
        evidence
    }

    /// Where the maxima lie.
    pub(super) fn states(&self) -> Vec<State, MODES> {
        let mut states = Vec::new();
        for mode in &self.0 {
            if states.push(mode.state).is_err() {
                break;
            }
        }
        states
    }

    /// Turns log evidences into shares of their sum.
    pub(super) fn normalise(&mut self) {
        let best = self.best().map_or(0.0, |mode| mode.weight);
        let mut sum = 0.0;
        for mode in &mut self.0 {
            mode.weight = if best.is_finite() {
                libm::exp(mode.weight - best)
            } else {
                0.0
            };
            sum += mode.weight;
        }
        for mode in &mut self.0 {
            mode.weight = if sum > 0.0 { mode.weight / sum } else { 0.0 };
        }
    }

    /// The maximum of greatest weight; the first of equal ones.
    pub(super) fn best(&self) -> Option<&Mode> {
        let mut modes = self.0.iter();
        let first = modes.next()?;
        Some(modes.fold(first, |best, mode| {
            if mode.weight > best.weight {
                mode
            } else {
                best
            }
        }))
    }

    /// The sources of the best maximum.
    pub(super) fn targets(&self) -> Vec<Target, MAX_SOURCES> {
        let mut targets = Vec::new();
        let count = self.best().map_or(0, |mode| mode.state.count);
        for target in (0..count).filter_map(|k| self.target(k)) {
            if targets.push(target).is_err() {
                break;
            }
        }
        targets
    }

    /// Share of every count from 0 to 8.
    pub(super) fn count_shares(&self) -> [f64; MAX_SOURCES + 1] {
        let mut shares = [0.0; MAX_SOURCES + 1];
        for mode in &self.0 {
            if let Some(share) = shares.get_mut(mode.state.count) {
                *share += mode.weight;
            }
        }
        shares
    }

    /// Source `k` of the best maximum: its place there, and the uncertainty over all maxima.
    fn target(&self, k: usize) -> Option<Target> {
        let best = self.best()?;
        let (&[x, y, intensity, ..], _) = best.sources().nth(k)?;
        let (mut whole, mut spread, mut chance) = (0.0, [0.0; 4], 0.0);
        for mode in self.0.iter().filter(|mode| mode.weight > 0.0) {
            let Some((&[u, v, bright, ..], &[xx, xy, yy, ii])) = mode.nearest(x, y) else {
                continue;
            };
            let (dx, dy, di) = (u - x, v - y, bright - intensity);
            let about = [xx + dx * dx, xy + dx * dy, yy + dy * dy, ii + di * di];
            let (found, real) = (best.state.count as f64, mode.state.count as f64);
            let exists = if real < found { real / found } else { 1.0 };
            chance += mode.weight * exists * score::precision([about[0], about[1], about[2]]);
            if mode.state.count == best.state.count {
                whole += mode.weight;
                for (sum, term) in spread.iter_mut().zip(about) {
                    *sum += mode.weight * term;
                }
            }
        }
        let [xx, xy, yy, ii] = spread.map(|sum| {
            if whole > 0.0 {
                sum / whole
            } else {
                f64::INFINITY
            }
        });
        let (sigma_x, sigma_y) = (libm::sqrt(xx), libm::sqrt(yy));
        let correlation = xy / (sigma_x * sigma_y);
        Some(Target {
            x,
            y,
            intensity,
            sigma_x,
            sigma_y,
            correlation: if correlation.is_nan() {
                0.0
            } else {
                correlation.clamp(-1.0, 1.0)
            },
            sigma_intensity: libm::sqrt(ii),
            score: chance,
        })
    }
}

/// Covariances of all sources from the factor at `state`.
fn covariances(problem: &Problem, state: &State, descent: &Descent) -> [Covariance; MAX_SOURCES] {
    let order = state.order();
    let mut all = [[0.0; 4]; MAX_SOURCES];
    for (k, covariance) in all.iter_mut().enumerate().take(state.count) {
        let first = state.layout().first(k);
        let column = |i: usize| {
            let mut column = [0.0; ORDER];
            add_at(&mut column, i, 1.0);
            descent.factor().solve(order, &mut column);
            column
        };
        let (by_row, by_column) = (column(first), column(first + 1));
        let position = [
            at(&by_row, first),
            at(&by_row, first + 1),
            at(&by_column, first + 1),
        ];
        let [xx, xy, yy] = match state.formation {
            Formation::CLUSTER => widened(position, problem.bending_length),
            _ => position,
        };
        *covariance = [xx, xy, yy, at(&column(first + 2), first + 2)];
    }
    all
}

/// Covariance of a position where the likelihood is no paraboloid over the length of its deviation.
fn widened(position: [f64; 3], length: f64) -> [f64; 3] {
    let [xx, _, yy] = position;
    let factor = 1.0 + libm::sqrt(0.5 * (xx + yy)) / length;
    position.map(|element| factor * element)
}
