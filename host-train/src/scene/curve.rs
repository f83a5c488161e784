//! Paths of the reference point.
//!
//! The paper (§3) names the families line, quadratic and circle arc, and the motion of 0.04 px a
//! frame along `x`; it gives no coefficients. Ours are drawn so that `|dy/dx| <= 2` holds by
//! construction, and the free additive constant is drawn last, uniform over all values that keep the
//! whole path inside the allowed rows: nothing is ever rejected.

use crate::rng::Rng;

/// Motion of the reference point along `x`, pixels per frame.
pub const STEP: f64 = 0.04;
/// Steepest path, |dy/dx|.
pub const MAX_SLOPE: f64 = 2.0;
/// Least and greatest starting coordinate, pixels.
pub const START: [u32; 2] = [1, 9];
/// Starting coordinates below this move up, the others down.
pub const TURN: u32 = 5;
/// Range of the arc's radius, pixels; the lower end is at least the path's length along `x`, which
/// leaves room for its centre.
const RADIUS: [f64; 2] = [1.0, 8.0];

/// Shape of `f`, up to its additive constant; `s` is `x` minus the starting coordinate.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    /// `slope · s`
    Line { slope: f64 },
    /// `slope · s + bend · s²`
    Quadratic { slope: f64, bend: f64 },
    /// `side · √(radius² - (s - centre)²)`
    Arc { radius: f64, centre: f64, side: f64 },
}

impl Shape {
    fn at(self, s: f64) -> f64 {
        match self {
            Self::Line { slope } => slope * s,
            Self::Quadratic { slope, bend } => (slope + bend * s) * s,
            Self::Arc {
                radius,
                centre,
                side,
            } => {
                let across = s - centre;
                side * libm::sqrt(radius * radius - across * across)
            }
        }
    }

    /// Uniform among the families; the path runs from `s = 0` to `s = end`.
    fn draw(end: f64, rng: &mut Rng) -> Self {
        let slope = rng.range(-MAX_SLOPE, MAX_SLOPE);
        match rng.below(3) {
            0 => Self::Line { slope },
            1 => {
                // The slope is linear in s, so two bounded ends bound it everywhere.
                let last = rng.range(-MAX_SLOPE, MAX_SLOPE);
                let bend = (last - slope) / (2.0 * end);
                Self::Quadratic { slope, bend }
            }
            _ => {
                // |dy/dx| = |a|/√(r² - a²) with a = s - centre, so |a| <= 2r/√5 keeps it below 2.
                let radius = rng.range(RADIUS[0].max(end.abs()), RADIUS[1]);
                let span = radius * MAX_SLOPE / libm::sqrt(1.0 + MAX_SLOPE * MAX_SLOPE);
                let centre = rng.range(end.max(0.0) - span, end.min(0.0) + span);
                let side = if rng.below(2) == 0 { 1.0 } else { -1.0 };
                Self::Arc {
                    radius,
                    centre,
                    side,
                }
            }
        }
    }
}

/// Draws a path: `(x, y)` of the reference point in each of `frames` frames, pixels.
///
/// Every `y` lies in `[low, high]`, which must be at least `2 · 0.04 · frames` wide.
pub fn draw(frames: u32, [low, high]: [f64; 2], rng: &mut Rng) -> Vec<(f64, f64)> {
    let start = START[0] + rng.below(START[1] - START[0] + 1);
    let step = if start < TURN { STEP } else { -STEP };
    let end = step * f64::from(frames.max(2) - 1);
    let shape = Shape::draw(end, rng);
    let along = |frame: u32| step * f64::from(frame);
    let heights = (0..frames).map(|frame| shape.at(along(frame)));
    let (least, most) = heights.fold((f64::MAX, f64::MIN), |(least, most), h| {
        (least.min(h), most.max(h))
    });
    let base = rng.range(low - least, high - most);
    (0..frames)
        .map(|frame| {
            let s = along(frame);
            // Rounding of the sum may leave the interval by an ulp.
            let y = (base + shape.at(s)).clamp(low, high);
            (f64::from(start) + s, y)
        })
        .collect()
}
