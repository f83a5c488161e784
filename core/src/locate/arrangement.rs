//! What is known of how sources lie about each other.
//!
//! A window's sources either sit on the arms of a cross about a reference point (SeqCSIST §3, rules 1
//! and 3), or they form a cluster without order. Both are Gaussian beliefs about the differences of
//! positions: `p_k ~ N(r + o_k, s²)` per axis with the reference point `r` anywhere, which integrates
//! to the penalty `Σ |e_k - ē|² / 2s²` of `e_k = p_k - o_k` about their mean. On the cross the `o_k`
//! are the ends of its arms and `s` is small, in the cluster they are zero and `s` is its width; besides,
//! a cluster's sources keep their distance, softly.

use super::MAX_SOURCES;
use super::config::{Domain, check};
use super::count::LOG_TURN;
use super::model::{Source, State};
use super::normal::Normal;
use super::packed::add_at;
use crate::error::Result;
use crate::physics::FRAME_LEN;

/// How sources of a window lie about each other, as far as it is known beforehand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrangement {
    /// Share of the windows whose sources sit on a cross, 0..=1: up to four along rows and columns,
    /// more on the diagonals as well. 0 looks for no cross, 1 for nothing else.
    pub cross_share: f64,
    /// Distance from the reference point along rows and columns, pixels.
    pub axial: f64,
    /// Distance from it along the diagonals, pixels.
    pub diagonal: f64,
    /// Standard deviation per axis of a position about the end of its arm, pixels; more than 0.
    pub tolerance: f64,
    /// Standard deviation per axis of the sources of other windows about their common centre,
    /// pixels; 0 for anywhere in the frame.
    pub spread: f64,
    /// Distance below which two of these sources are unlikely, pixels; 0 for none.
    pub separation: f64,
    /// Standard deviation of a shorter distance about it, pixels; more than 0.
    pub softness: f64,
}

impl Arrangement {
    /// Nothing is known: sources anywhere in the frame.
    pub const UNKNOWN: Self = Self {
        cross_share: 0.0,
        axial: 0.3,
        diagonal: 0.6,
        tolerance: 0.01,
        spread: 0.0,
        separation: 0.0,
        softness: 0.05,
    };

    /// Refuses what has no meaning, naming the first such field.
    pub(super) fn validate(&self) -> Result<()> {
        let field = Domain::new;
        check(&[
            field("cross share", self.cross_share, [0.0, 1.0], "0 to 1"),
            field("axial arm", self.axial, [0.0, 5.0], "0 to 5 pixels"),
            field("diagonal arm", self.diagonal, [0.0, 5.0], "0 to 5 pixels"),
            field(
                "arm tolerance",
                self.tolerance,
                [1e-6, 5.0],
                "1e-6 to 5 pixels",
            ),
            field("spread", self.spread, [0.0, 1e6], "0 to 1e6 pixels"),
            field("separation", self.separation, [0.0, 5.0], "0 to 5 pixels"),
            field(
                "softness",
                self.softness,
                [1e-3, 1e6],
                "0.001 to 1e6 pixels",
            ),
        ])
    }

    /// Logarithm of the prior density at its peak of `count` positions in `formation`, by the
    /// position of the reference point, which is uniform over the frame.
    pub(super) fn log_peak(&self, formation: Formation, count: usize) -> f64 {
        let sources = count as f64;
        let uniform = -libm::log(FRAME_LEN as f64);
        let (share, sigma) = match formation {
            // One source makes no cross.
            Formation::CLUSTER if count < 2 => (1.0, self.spread),
            Formation::CLUSTER => (self.cluster_share(count), self.spread),
            cross => (self.cross_share * cross.share(), self.tolerance),
        };
        let relative = if sigma > 0.0 && count > 1 {
            let shape = LOG_TURN + 2.0 * libm::log(sigma);
            uniform - (sources - 1.0) * shape - libm::log(sources)
        } else {
            sources * uniform
        };
        relative + libm::log(share)
    }

    /// Share of clusters, over the share of the density that the separation leaves of it: that of
    /// pairs so close is removed once per pair, the softness counting half.
    fn cluster_share(&self, count: usize) -> f64 {
        let pairs = (count * (count - 1) / 2) as f64;
        let apart = (self.separation - self.softness) / (2.0 * self.spread);
        let removed = if self.spread > 0.0 && apart > 0.0 {
            pairs * apart * apart
        } else {
            0.0
        };
        (1.0 - self.cross_share) * libm::exp(removed)
    }

    /// Adds the penalty of the arrangement that `state` supposes.
    pub(super) fn add_to(&self, state: &State, normal: &mut Normal) {
        let formation = state.formation;
        let sigma = match formation {
            Formation::CLUSTER => self.spread,
            _ => self.tolerance,
        };
        if sigma > 0.0 && state.count > 1 {
            for axis in 0..2 {
                self.add_axis(state, axis, 1.0 / (sigma * sigma), normal);
            }
        }
        if formation == Formation::CLUSTER && self.separation > 0.0 {
            self.part(state, normal);
        }
    }

    /// Pushes sources apart that are closer than the separation.
    fn part(&self, state: &State, normal: &mut Normal) {
        let precision = 1.0 / (self.softness * self.softness);
        for (k, &[x, y, ..]) in state.active().iter().enumerate() {
            for (l, &[u, v, ..]) in state.active().iter().enumerate().take(k) {
                let (dx, dy) = (x - u, y - v);
                let distance = libm::sqrt(dx * dx + dy * dy);
                let miss = self.separation - distance;
                if miss > 0.0 {
                    // Sources in one place part along rows.
                    let along = if distance > 0.0 {
                        [dx / distance, dy / distance]
                    } else {
                        [1.0, 0.0]
                    };
                    normal.cost += 0.5 * precision * miss * miss;
                    push_apart(state, [k, l], along, precision, miss, normal);
                }
            }
        }
    }

    fn add_axis(&self, state: &State, axis: usize, precision: f64, normal: &mut Normal) {
        let share = 1.0 / state.count as f64;
        let mut misses = [0.0; MAX_SOURCES];
        let mut mean = 0.0;
        for (k, (miss, source)) in misses.iter_mut().zip(state.active()).enumerate() {
            *miss = coordinate(source, axis) - state.formation.offset(self, k, axis);
            mean += share * *miss;
        }
        let layout = state.layout();
        for (k, miss) in misses.iter().enumerate().take(state.count) {
            let (about, i) = (miss - mean, layout.first(k) + axis);
            normal.cost += 0.5 * precision * about * about;
            add_at(&mut normal.descent, i, -precision * about);
            normal.matrix.add(i, i, precision);
            for l in 0..=k {
                normal
                    .matrix
                    .add(i, layout.first(l) + axis, -precision * share);
            }
        }
    }
}

/// Adds slope and curvature of `½ precision miss²` of the distance of two sources, along which
/// `along` points from the second to the first.
fn push_apart(
    state: &State,
    pair: [usize; 2],
    along: [f64; 2],
    precision: f64,
    miss: f64,
    normal: &mut Normal,
) {
    let [first, second] = pair.map(|k| state.layout().first(k));
    let [ux, uy] = along;
    let slopes = [
        (first, ux),
        (first + 1, uy),
        (second, -ux),
        (second + 1, -uy),
    ];
    for (index, &(i, slope)) in slopes.iter().enumerate() {
        add_at(&mut normal.descent, i, precision * miss * slope);
        for &(j, other) in slopes.iter().take(index + 1) {
            normal.matrix.add(i, j, precision * slope * other);
        }
    }
}

fn coordinate(source: &Source, axis: usize) -> f64 {
    let [x, y, ..] = source;
    if axis == 0 { *x } else { *y }
}

/// Ends of the arms of length 1, in the order of a [`Formation`]'s bits.
const ARMS: [[f64; 2]; MAX_SOURCES] = {
    const H: f64 = core::f64::consts::FRAC_1_SQRT_2;
    [
        [-1.0, 0.0],
        [1.0, 0.0],
        [0.0, -1.0],
        [0.0, 1.0],
        [-H, -H],
        [-H, H],
        [H, -H],
        [H, H],
    ]
};
/// Arms along rows and columns.
const AXES: usize = 4;
/// Bits of these arms.
const ALL_AXES: u8 = 0b1111;

/// Which arms of a cross hold the sources, a bit each; source `k` sits on the `k`-th of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Formation(u8);

impl Formation {
    /// No cross.
    pub(super) const CLUSTER: Self = Self(0);

    /// Crosses of `count` sources that differ by more than the place of the reference point.
    pub(super) fn crosses(count: usize) -> impl Iterator<Item = Self> {
        let all = (1..=u8::MAX).map(Self);
        all.filter(move |cross| cross.arms() == count && cross.is_distinct())
    }

    fn arms(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Diagonals come after all axes. Two neighbouring arms make the same pair as the two opposite
    /// ones: of both, the one with the first arm stands for either.
    fn is_distinct(self) -> bool {
        let axes = self.0 & ALL_AXES;
        match self.arms() {
            0 | 1 => false,
            2 => axes == self.0 && (!self.is_corner() || self.0 & 1 == 1),
            3 => axes == self.0,
            _ => axes == ALL_AXES,
        }
    }

    /// Two arms at a right angle.
    fn is_corner(self) -> bool {
        self.arms() == 2 && !matches!(self.0, 0b0011 | 0b1100)
    }

    /// Share of this cross among those of its count, all arms being alike.
    pub(super) fn share(self) -> f64 {
        let both = if self.is_corner() { 2.0 } else { 1.0 };
        both / match self.arms() {
            2 | 6 => 6.0,
            3 | 5 | 7 => 4.0,
            _ => 1.0,
        }
    }

    /// Where source `k` lies about the reference point, pixels.
    pub(super) fn offset(self, arrangement: &Arrangement, k: usize, axis: usize) -> f64 {
        let arms = ARMS.iter().enumerate();
        let held = arms.filter(|(bit, _)| self.0 & (1 << bit) != 0).nth(k);
        held.map_or(0.0, |(bit, end)| {
            let length = if bit < AXES {
                arrangement.axial
            } else {
                arrangement.diagonal
            };
            length * end.get(axis).copied().unwrap_or(0.0)
        })
    }

    /// Mean of the offsets of `count` sources.
    pub(super) fn centre(self, arrangement: &Arrangement, count: usize) -> [f64; 2] {
        [0, 1].map(|axis| {
            let offsets = (0..count).map(|k| self.offset(arrangement, k, axis));
            offsets.fold(0.0, |sum, offset| sum + offset) / count.max(1) as f64
        })
    }
}
