//! Expected counts, residuals, and the normal equations of the posterior; priors stand in
//! `belief`.
//!
//! `F = ½ Σ (d - m)²/s² + priors` over the pixels of a window is minimised; `m` is the background
//! plus every source's intensity × row profile × column profile. Derivatives by the position of a
//! source replace one profile by its slope, so every element of `JᵀJ` of a frame is a product of two
//! inner products of 11 numbers. Columns of the common motion are sums of the sources' position
//! columns, those of a source's own velocity the same columns, weighted by time.

use super::arrangement::Formation;
use super::normal::{Normal, Spot, add_curvature, add_gradient, fill_residual};
use super::packed::{ORDER, Vector, dot};
use super::profile::{ErfTable, Profile};
use super::{GLOBALS, MAX_SOURCES, Prior};
use crate::physics::{FRAME_LEN, WINDOW};

/// Index of the background among the parameters.
pub(super) const BACKGROUND: usize = 0;
/// Index of the velocity along rows; columns follow.
pub(super) const VELOCITY: usize = 1;
/// Index of the acceleration along rows; columns follow.
pub(super) const ACCELERATION: usize = 3;

/// Times of the frames relative to the middle one.
pub(super) const TIMES: [f64; WINDOW] = [-2.0, -1.0, 0.0, 1.0, 2.0];

/// How parameters are numbered: the common ones first, then those of each source. These are row,
/// column, intensity and, in the longer of two layouts, its own velocity on top of the common one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    count: usize,
    drifting: bool,
}

/// Most sources that have velocities of their own: more would need larger matrices, and crowds are
/// too uncertain for them to matter.
const MOST_DRIFTING: usize = (ORDER - GLOBALS) / LONG;
/// Parameters of a source without and with its own velocity.
const SHORT: usize = 3;
const LONG: usize = 5;

impl Layout {
    pub(super) fn stride(self) -> usize {
        if self.drifting { LONG } else { SHORT }
    }

    /// Whether sources have their own velocities.
    pub(super) fn drifting(self) -> bool {
        self.drifting
    }

    /// First parameter of source `k`.
    pub(super) fn first(self, k: usize) -> usize {
        GLOBALS + self.stride() * k
    }

    /// Number of parameters.
    pub(super) fn order(self) -> usize {
        self.first(self.count)
    }

    /// The parameters of a source at time `t`: each moves the counts as its derivative by row (0),
    /// column (1) or intensity (2), times a weight.
    pub(super) fn columns(self, t: f64) -> impl Iterator<Item = (usize, f64)> {
        let all = [(0, 1.0), (1, 1.0), (2, 1.0), (0, t), (1, t)];
        let still = t == 0.0;
        all.into_iter()
            .take(if still { SHORT } else { self.stride() })
    }
}

/// A Gaussian belief about one source's position.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Anchor {
    /// Row and column, pixels.
    pub(super) centre: [f64; 2],
    /// Precision matrix `[xx, xy, yy]`, 1/pixel²; zeros for no belief.
    pub(super) precision: [f64; 3],
}

/// Row and column in the middle frame, intensity, own velocity by row and column.
pub(super) type Source = [f64; LONG];

/// A point in parameter space.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) count: usize,
    /// Whether few enough sources have their own velocities.
    drifts: bool,
    pub(super) globals: [f64; GLOBALS],
    /// Row, column, intensity and own velocity per source.
    pub(super) sources: [Source; MAX_SOURCES],
    pub(super) anchors: [Anchor; MAX_SOURCES],
    /// How the sources are supposed to lie about each other.
    pub(super) formation: Formation,
}

impl State {
    pub(super) fn new(prior: &Prior) -> Self {
        Self {
            count: 0,
            drifts: prior.drift_sigma > 0.0,
            globals: [prior.background_mean, 0.0, 0.0, 0.0, 0.0],
            sources: [[0.0; LONG]; MAX_SOURCES],
            anchors: [Anchor::default(); MAX_SOURCES],
            formation: Formation::CLUSTER,
        }
    }

    /// Adds a source if there is room.
    pub(super) fn push(&mut self, [x, y, intensity]: [f64; 3], anchor: Anchor) {
        if let Some(free) = self.sources.get_mut(self.count) {
            *free = [x, y, intensity, 0.0, 0.0];
            if let Some(free) = self.anchors.get_mut(self.count) {
                *free = anchor;
            }
            self.count += 1;
        }
    }

    /// The same sources, supposed to lie without order.
    pub(super) fn as_cluster(mut self) -> Self {
        self.formation = Formation::CLUSTER;
        self
    }

    pub(super) fn layout(&self) -> Layout {
        Layout {
            count: self.count,
            drifting: self.drifts
                && self.count <= MOST_DRIFTING
                && self.formation == Formation::CLUSTER,
        }
    }

    pub(super) fn order(&self) -> usize {
        self.layout().order()
    }

    pub(super) fn active(&self) -> &[Source] {
        self.sources.get(..self.count).unwrap_or_default()
    }

    /// Replaces the two closest sources by one between them, which no belief holds.
    pub(super) fn merge_closest(&mut self) {
        let mut closest = (0, 0, f64::INFINITY);
        for (k, &[x, y, ..]) in self.active().iter().enumerate() {
            for (l, &[u, v, ..]) in self.active().iter().enumerate().take(k) {
                let square = (x - u) * (x - u) + (y - v) * (y - v);
                if square < closest.2 {
                    closest = (k, l, square);
                }
            }
        }
        let (last, first, _) = closest;
        let removed = self.sources.get(last).copied().unwrap_or_default();
        if let (Some(kept), Some(anchor)) =
            (self.sources.get_mut(first), self.anchors.get_mut(first))
        {
            for (value, other) in kept.iter_mut().zip(removed) {
                *value = 0.5 * (*value + other);
            }
            *anchor = Anchor::default();
        }
        self.count = self.count.saturating_sub(1);
        if let (Some(source), Some(anchor)) = (
            self.sources.get(self.count).copied(),
            self.anchors.get(self.count).copied(),
        ) && let (Some(slot), Some(belief)) =
            (self.sources.get_mut(last), self.anchors.get_mut(last))
        {
            (*slot, *belief) = (source, anchor);
        }
    }

    /// Displacement of all sources at time `t`.
    pub(super) fn shift(&self, t: f64) -> [f64; 2] {
        let [_, vx, vy, ax, ay] = self.globals;
        [t * (vx + 0.5 * t * ax), t * (vy + 0.5 * t * ay)]
    }

    /// `self + step`.
    pub(super) fn moved(&self, step: &Vector) -> Self {
        let mut next = *self;
        let stride = self.layout().stride();
        let changes = step.get(GLOBALS..).unwrap_or_default().chunks(stride);
        for (value, change) in next.globals.iter_mut().zip(step) {
            *value += change;
        }
        for (source, changes) in next.sources.iter_mut().zip(changes).take(self.count) {
            for (value, change) in source.iter_mut().zip(changes) {
                *value += change;
            }
        }
        next
    }
}

/// The counts to be explained.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window<'a> {
    /// `(5, 11, 11)`, finite where not excluded.
    pub(super) frames: &'a [f32],
    /// Excluded pixels, one frame's for all or every frame's own.
    pub(super) excluded: Option<&'a [bool]>,
}

impl<'a> Window<'a> {
    /// Frame `index` and which of its pixels are excluded, if any is.
    pub(super) fn frame(&self, index: usize) -> (&'a [f32], Option<&'a [bool]>) {
        let counts = self.frames.chunks_exact(FRAME_LEN).nth(index);
        let excluded = self.excluded.and_then(|flags| {
            let own = flags.chunks_exact(FRAME_LEN).nth(index);
            own.or_else(|| flags.get(..FRAME_LEN))
        });
        let any = excluded.filter(|flags| flags.contains(&true));
        (counts.unwrap_or_default(), any)
    }
}

/// Intermediate results of one frame.
#[derive(Clone, Debug)]
pub(super) struct Scratch {
    spots: [Spot; MAX_SOURCES],
    residual: [f64; FRAME_LEN],
}

impl Scratch {
    pub(super) const ZERO: Self = Self {
        spots: [Spot {
            intensity: 0.0,
            rows: Profile::ZERO,
            columns: Profile::ZERO,
        }; MAX_SOURCES],
        residual: [0.0; FRAME_LEN],
    };
}

/// What stays the same while a window is fitted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Problem<'a> {
    pub(super) window: Window<'a>,
    pub(super) table: &'a ErfTable,
    /// `1/(√2 σ)` of the point spread function, 1/pixel.
    pub(super) scale: f64,
    /// Variance of a pixel, counts².
    pub(super) variance: f64,
    pub(super) prior: Prior,
    /// As [`LocateConfig::bending_length`](super::LocateConfig::bending_length).
    pub(super) bending_length: f64,
}

impl Problem<'_> {
    /// Fills `normal` at `state`.
    pub(super) fn evaluate(&self, state: &State, scratch: &mut Scratch, normal: &mut Normal) {
        let layout = state.layout();
        let order = layout.order();
        normal.clear(order);
        for (index, &t) in TIMES.iter().enumerate() {
            normal.pixels += self.prepare(state, index, t, scratch);
            normal.squares += dot(&scratch.residual, &scratch.residual);
            let (_, excluded) = self.window.frame(index);
            let spots = scratch.spots.get(..state.count).unwrap_or_default();
            add_gradient(spots, &scratch.residual, layout, t, normal);
            add_curvature(spots, excluded, layout, t, normal);
        }
        let precision = 1.0 / self.variance;
        normal.matrix.scale(order, precision);
        for element in &mut normal.descent {
            *element *= precision;
        }
        normal.cost = 0.5 * precision * normal.squares;
        self.prior.add_to(state, normal);
    }

    /// Share of a source's light at `[x, y]` that falls on the pixels.
    pub(super) fn seen(&self, place: [f64; 2]) -> f64 {
        let shares = place.map(|u| {
            let mut profile = Profile::ZERO;
            profile.fill(self.table, u, self.scale);
            profile.value.iter().fold(0.0, |sum, value| sum + value)
        });
        shares[0] * shares[1]
    }

    /// Sum over the frames of what `state` leaves unexplained, counts.
    pub(super) fn leftover(&self, state: &State, scratch: &mut Scratch) -> [f64; FRAME_LEN] {
        let mut sums = [0.0; FRAME_LEN];
        for (index, &t) in TIMES.iter().enumerate() {
            self.prepare(state, index, t, scratch);
            for (sum, residual) in sums.iter_mut().zip(scratch.residual) {
                *sum += residual;
            }
        }
        sums
    }

    /// Residual of one frame.
    #[cfg(test)]
    pub(super) fn residual(
        &self,
        state: &State,
        index: usize,
        scratch: &mut Scratch,
    ) -> [f64; FRAME_LEN] {
        let t = TIMES.get(index).copied().unwrap_or(0.0);
        self.prepare(state, index, t, scratch);
        scratch.residual
    }

    /// Fills profiles and residual of one frame; returns how many of its pixels are not excluded.
    fn prepare(&self, state: &State, index: usize, t: f64, scratch: &mut Scratch) -> f64 {
        let [dx, dy] = state.shift(t);
        for (spot, &[x, y, intensity, vx, vy]) in scratch.spots.iter_mut().zip(state.active()) {
            spot.intensity = intensity;
            spot.rows.fill(self.table, x + (dx + t * vx), self.scale);
            spot.columns.fill(self.table, y + (dy + t * vy), self.scale);
        }
        let (counts, excluded) = self.window.frame(index);
        let [background, ..] = state.globals;
        let spots = scratch.spots.get(..state.count).unwrap_or_default();
        fill_residual(counts, background, spots, &mut scratch.residual);
        let mut pixels = FRAME_LEN as f64;
        let flags = excluded.unwrap_or_default();
        let residuals = scratch.residual.iter_mut().zip(flags);
        for (residual, _) in residuals.filter(|(_, flag)| **flag) {
            *residual = 0.0;
            pixels -= 1.0;
        }
        pixels
    }
}
