//! Responses of the pixels of one axis and their slopes, by a table of the error function.
//!
//! An iteration needs erf and exp at every pixel edge of every source, axis and frame. Both come
//! from one Taylor series about the nearest node of a table that `libm` fills once: with nodes 1/8
//! apart and terms up to δ⁷ the remainder stays below 1e-11. Beyond the last node erf is ±1 to 1e-9.

use crate::physics::FRAME_SIDE;

/// Nodes per unit of `z`.
const DENSITY: f64 = 8.0;
/// Table nodes, for `z` from 0 to `(NODES - 1) / DENSITY`.
const NODES: usize = 36;
/// Terms of the series of the slope.
const TERMS: usize = 7;

/// erf at a node and the Taylor coefficients of its derivative there.
#[derive(Clone, Copy, Debug)]
struct Node {
    erf: f64,
    slope: [f64; TERMS],
}

/// erf and its derivative within the reach of the table.
#[derive(Clone, Debug)]
pub(super) struct ErfTable([Node; NODES]);

impl ErfTable {
    pub(super) fn new() -> Self {
        let blank = Node {
            erf: 0.0,
            slope: [0.0; TERMS],
        };
        let mut nodes = [blank; NODES];
        for (index, node) in nodes.iter_mut().enumerate() {
            *node = Node::at(index as f64 / DENSITY);
        }
        Self(nodes)
    }

    /// erf and its derivative at `z`.
    fn at(&self, z: f64) -> (f64, f64) {
        let size = if z < 0.0 { -z } else { z };
        let nearest = (size * DENSITY + 0.5) as usize;
        let Some(node) = self.0.get(nearest) else {
            return (if z < 0.0 { -1.0 } else { 1.0 }, 0.0);
        };
        let (erf, slope) = node.near(size - nearest as f64 / DENSITY);
        (if z < 0.0 { -erf } else { erf }, slope)
    }
}

impl Node {
    /// The derivative `f = 2/√π e^{-z²}` obeys `f' = -2 z f`, so its Taylor coefficients follow
    /// `(n+1) a[n+1] = -2 z a[n] - 2 a[n-1]`.
    fn at(z: f64) -> Self {
        let mut slope = [0.0; TERMS];
        let (mut previous, mut present) =
            (0.0, core::f64::consts::FRAC_2_SQRT_PI * libm::exp(-z * z));
        for (n, coefficient) in slope.iter_mut().enumerate() {
            *coefficient = present;
            let next = -2.0 * (z * present + previous) / (n as f64 + 1.0);
            (previous, present) = (present, next);
        }
        Self {
            erf: libm::erf(z),
            slope,
        }
    }

    /// erf and its derivative `delta` away from the node.
    fn near(&self, delta: f64) -> (f64, f64) {
        let [a0, a1, a2, a3, a4, a5, a6] = self.slope;
        let d = delta;
        let slope = a0 + d * (a1 + d * (a2 + d * (a3 + d * (a4 + d * (a5 + d * a6)))));
        let sixth = a5 * (1.0 / 6.0) + d * (a6 * (1.0 / 7.0));
        let third = a2 * (1.0 / 3.0) + d * (a3 * 0.25 + d * (a4 * 0.2 + d * sixth));
        let rise = a0 + d * (a1 * 0.5 + d * third);
        (self.erf + d * rise, slope)
    }
}

/// Responses of the 11 pixels of one axis to a unit source, and their derivatives by its position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Profile {
    pub(super) value: [f64; FRAME_SIDE],
    pub(super) slope: [f64; FRAME_SIDE],
}

impl Profile {
    pub(super) const ZERO: Self = Self {
        value: [0.0; FRAME_SIDE],
        slope: [0.0; FRAME_SIDE],
    };

    /// Fills the profile of a source at `u` pixels; `scale` is `1/(√2 σ)`.
    pub(super) fn fill(&mut self, table: &ErfTable, u: f64, scale: f64) {
        let (mut lower, mut steep) = table.at((-0.5 - u) * scale);
        let pixels = self.value.iter_mut().zip(&mut self.slope);
        for (pixel, (value, slope)) in pixels.enumerate() {
            let (upper, steeper) = table.at((pixel as f64 + 0.5 - u) * scale);
            *value = 0.5 * (upper - lower);
            *slope = 0.5 * scale * (steep - steeper);
            (lower, steep) = (upper, steeper);
        }
    }
}
