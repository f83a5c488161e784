//! What is believed of a window's parameters before its counts are seen, as cost, gradient and
//! curvature of `F`: Gaussians but for the field's soft border.

use super::Prior;
use super::model::{Anchor, Layout, Source, State};
use super::normal::Normal;
use super::packed::add_at;
use crate::physics::FRAME_SIDE;

impl Prior {
    /// Adds cost, gradient and curvature of all priors at `state`.
    pub(super) fn add_to(&self, state: &State, normal: &mut Normal) {
        let order = state.order();
        let means = [self.background_mean, 0.0, 0.0, 0.0, 0.0];
        let sigmas = [
            self.background_sigma,
            self.velocity_sigma,
            self.velocity_sigma,
            self.acceleration_sigma,
            self.acceleration_sigma,
        ];
        let globals = state.globals.iter().zip(means).zip(sigmas);
        for (i, ((value, mean), sigma)) in globals.enumerate() {
            if sigma > 0.0 {
                normal.believe(i, value - mean, 1.0 / (sigma * sigma));
            } else {
                normal.hold(i, order);
            }
        }
        self.arrangement.add_to(state, normal);
        for (k, source) in state.active().iter().enumerate() {
            self.add_source(source, state.layout(), k, normal);
            if let (Some(anchor), &[x, y, ..]) = (state.anchors.get(k), source) {
                add_anchor(anchor, [x, y], state.layout().first(k), normal);
            }
        }
    }

    fn add_source(&self, source: &Source, layout: Layout, k: usize, normal: &mut Normal) {
        let &[x, y, intensity, vx, vy] = source;
        let first = layout.first(k);
        let precision = 1.0 / (self.intensity_sigma * self.intensity_sigma);
        normal.believe(first + 2, intensity - self.intensity_mean, precision);
        if layout.drifting() {
            let precision = 1.0 / (self.drift_sigma * self.drift_sigma);
            normal.believe(first + 3, vx, precision);
            normal.believe(first + 4, vy, precision);
        }
        for (i, u) in [(first, x), (first + 1, y)] {
            normal.matrix.add(i, i, 1.0 / FIELD_VARIANCE);
            let beyond = beyond_field(u);
            if beyond != 0.0 {
                normal.believe(i, beyond, 1.0 / (WALL * WALL));
            }
        }
    }
}

/// Variance of a coordinate anywhere in the field, pixels². Its inverse is added to the curvature but
/// not to `F`: it bounds the uncertainty of a position without pulling at it.
const FIELD_VARIANCE: f64 = (FRAME_SIDE * FRAME_SIDE) as f64 / 12.0;
/// Softness of the field's border, pixels.
const WALL: f64 = 0.3;

/// How far `u` lies outside of what the pixels cover, signed.
fn beyond_field(u: f64) -> f64 {
    let last = FRAME_SIDE as f64 - 0.5;
    if u < -0.5 {
        u + 0.5
    } else if u > last {
        u - last
    } else {
        0.0
    }
}

fn add_anchor(anchor: &Anchor, [x, y]: [f64; 2], first: usize, normal: &mut Normal) {
    let [xx, xy, yy] = anchor.precision;
    let [ax, ay] = anchor.centre;
    let (dx, dy) = (x - ax, y - ay);
    let (gx, gy) = (xx * dx + xy * dy, xy * dx + yy * dy);
    normal.cost += 0.5 * (dx * gx + dy * gy);
    add_at(&mut normal.descent, first, -gx);
    add_at(&mut normal.descent, first + 1, -gy);
    normal.matrix.add(first, first, xx);
    normal.matrix.add(first + 1, first, xy);
    normal.matrix.add(first + 1, first + 1, yy);
}
