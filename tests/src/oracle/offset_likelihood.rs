//! Likelihood of targets under the offset head's claims, cell by cell.

use derefnet::ops::Wanted;

/// Cells per side of the map, pixels per side of a frame, numbers per cell.
const SIDE: usize = 33;
const PIXELS: usize = 11;
const NUMBERS: usize = 7;
/// Numbers of one window.
pub const LEN: usize = SIDE * SIDE * NUMBERS;
/// Cells on either side of a target's own that learn its place.
const REACH: i64 = 1;
/// Deviation of the weights by distance, pixels.
const NEARNESS: f64 = 0.2;
/// Ranges of the deviations, and where each axis has its mean and its deviation.
const RANGES: [[f64; 2]; 3] = [[0.002, 0.5], [0.002, 0.5], [0.005, 1.0]];
const PLACES: [[usize; 2]; 3] = [[1, 3], [2, 4], [5, 6]];

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Where cell `(i, j)` of a window begins.
fn start(i: usize, j: usize) -> usize {
    let pixel = (i / 3) * PIXELS + j / 3;
    (pixel * 9 + (i % 3) * 3 + j % 3) * NUMBERS
}

/// A cell's claim along one axis.
struct Axis {
    mean: f64,
    /// Derivative of the mean by its number.
    step: f64,
    deviation: f64,
    /// Derivative of the deviation's logarithm by its number.
    slope: f64,
}

fn axis(numbers: &[f64], k: usize, place: [usize; 2]) -> Axis {
    let [mean, deviation] = PLACES[k].map(|at| numbers[at]);
    let [low, high] = RANGES[k].map(|v| f64::from(v as f32).ln());
    let s = logistic(deviation);
    let (mean, step) = match k {
        2 => (mean, 1.0),
        _ => ((place[k] as f64 - 1.0 + mean) / 3.0, 1.0 / 3.0),
    };
    Axis {
        mean,
        step,
        deviation: (low + (high - low) * s).exp(),
        slope: (high - low) * s * (1.0 - s),
    }
}

/// Cell along an axis that holds coordinate `x`.
fn own(x: f64) -> i64 {
    ((3.0 * x + 1.0).round_ties_even() as i64).clamp(0, SIDE as i64 - 1)
}

/// Squared distance of cell `(i, j)`'s centre from `target`, pixels².
fn square(i: usize, j: usize, target: &Wanted) -> f64 {
    let centre = |cell: usize| (cell as f64 - 1.0) / 3.0;
    (target[0] - centre(i)).powi(2) + (target[1] - centre(j)).powi(2)
}

/// The target whose place cell `(i, j)` learns: the nearest of those whose own cell is near; the
/// first of equally near ones.
fn taught(i: usize, j: usize, targets: &[Wanted]) -> Option<&Wanted> {
    let is_near = |cell: usize, x: f64| (cell as i64 - own(x)).abs() <= REACH;
    let near = targets
        .iter()
        .filter(|t| is_near(i, t[0]) && is_near(j, t[1]));
    near.min_by(|a, b| square(i, j, a).total_cmp(&square(i, j, b)))
}

/// Calls `visit` with place, whether it holds a target, and target to learn of every cell.
fn cells(targets: &[Wanted], mut visit: impl FnMut([usize; 2], bool, Option<&Wanted>)) {
    for i in 0..SIDE {
        for j in 0..SIDE {
            let holds = |t: &Wanted| own(t[0]) == i as i64 && own(t[1]) == j as i64;
            visit([i, j], targets.iter().any(holds), taught(i, j, targets));
        }
    }
}

/// The mean loss.
pub fn forward(targets: &[Vec<Wanted>], answers: &[f64]) -> f64 {
    let mut loss = 0.0;
    for (window, targets) in answers.chunks_exact(LEN).zip(targets) {
        cells(targets, |[i, j], holds, taught| {
            let numbers = &window[start(i, j)..][..NUMBERS];
            let raw = if holds { numbers[0] } else { -numbers[0] };
            loss -= logistic(raw).ln();
            let Some(target) = taught else { return };
            let weight = (-square(i, j, target) / (2.0 * NEARNESS * NEARNESS)).exp();
            for (k, wanted) in target.iter().enumerate() {
                let axis = axis(numbers, k, [i, j]);
                let error = (wanted - axis.mean) / axis.deviation;
                loss += weight * (error * error / 2.0 + axis.deviation.ln());
            }
        });
    }
    loss / targets.len() as f64
}

/// Gradient of the mean loss; without signs, the sum of its terms' magnitudes.
pub fn backward(targets: &[Vec<Wanted>], answers: &[f64], signs: bool) -> Vec<f64> {
    let sign = |v: f64| if signs { v } else { v.abs() };
    let mut gradient = vec![0.0; answers.len()];
    let windows = answers
        .chunks_exact(LEN)
        .zip(gradient.chunks_exact_mut(LEN));
    for ((window, gradient), targets) in windows.zip(targets) {
        cells(targets, |[i, j], holds, taught| {
            let at = start(i, j);
            let numbers = &window[at..at + NUMBERS];
            gradient[at] += sign(logistic(numbers[0]) - if holds { 1.0 } else { 0.0 });
            let Some(target) = taught else { return };
            let weight = (-square(i, j, target) / (2.0 * NEARNESS * NEARNESS)).exp();
            for (k, wanted) in target.iter().enumerate() {
                let axis = axis(numbers, k, [i, j]);
                let error = (wanted - axis.mean) / axis.deviation;
                let [by_mean, by_deviation] = PLACES[k].map(|place| at + place);
                gradient[by_mean] += sign(-weight * error / axis.deviation * axis.step);
                gradient[by_deviation] += sign(weight * axis.slope);
                gradient[by_deviation] -= if signs {
                    weight * error * error * axis.slope
                } else {
                    -weight * error * error * axis.slope
                };
            }
        });
    }
    gradient.iter().map(|g| g / targets.len() as f64).collect()
}
