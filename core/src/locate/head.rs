//! Reading the offset head: from seven numbers a cell to a list of targets.
//!
//! Every cell of the 33×33 map answers with the probability that a target belongs to it, the
//! target's place beside the cell's centre, its intensity, and the precision of all three. Where a
//! target lies near the border of two cells, both may claim it: their claims agree on the place and
//! their probabilities add up to one. So claims on one place are gathered before they are judged.

use super::{PROPOSAL_FIELD, Proposal, Target};
use crate::error::{Error, Result, check_len};
use crate::metric::THRESHOLDS;
use crate::physics::{FRAME_LEN, FRAME_SIDE, MAP_LEN, RATIO, cell_centre};
use heapless::Vec;

/// Numbers per cell: presence, row and column offset, logarithms of their deviations, intensity,
/// logarithm of its deviation; all raw, see [`Claim::decode`].
pub const CHANNELS: usize = 7;
/// Values of the head's answer for one window, `(11, 11, 3, 3, 7)`: pixel row and column, cell row
/// and column within the pixel, [`CHANNELS`].
pub const ANSWER_LEN: usize = FRAME_LEN * RATIO * RATIO * CHANNELS;
/// Most targets read off one window.
pub const MAX_TARGETS: usize = 8;

/// Least and greatest standard deviation of a coordinate that a cell can state, pixels.
pub const DEVIATION: [f32; 2] = [0.002, 0.5];
/// The same for the intensity, as shares of the intensity unit.
pub const INTENSITY_DEVIATION: [f32; 2] = [0.005, 1.0];

/// Farthest offset, cells: across the map. Beyond, numbers are meaningless and only kept finite.
const REACH: f32 = 33.0;
/// Greatest intensity, units; likewise.
const BRIGHTEST: f32 = 1e6;

/// Cells below this probability are not heard.
const FAINT: f32 = 0.02;
/// Raw presence of cells whose probability is below [`FAINT`] for certain: `ln(0.02 / 0.98)` is -3.9.
const SILENT: f32 = -4.0;
/// Most cells heard in one window.
const CROWD: usize = 64;
/// Claims no farther apart than this are on the same target, pixels: less than half the distance
/// of the closest targets of the data, 0.42.
const SAME: f32 = 0.2;
/// Probability from which claims make a target.
const PRESENT: f32 = 0.5;

/// What one cell, or several together, claim.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Claim {
    /// Probability that a target is there.
    pub probability: f32,
    /// Row coordinate, pixels.
    pub x: f32,
    /// Column coordinate, pixels.
    pub y: f32,
    /// Standard deviation of `x`, pixels.
    pub sigma_x: f32,
    /// Standard deviation of `y`, pixels.
    pub sigma_y: f32,
    /// Intensity, counts.
    pub intensity: f32,
    /// Standard deviation of the intensity, counts.
    pub sigma_intensity: f32,
}

/// Standard deviation of raw value `raw`: `range[0]` to `range[1]` along a logistic curve of its
/// logarithm.
pub fn deviation(raw: f32, range: [f32; 2]) -> f32 {
    let [low, high] = range.map(libm::logf);
    libm::expf(low + (high - low) * logistic(raw))
}

/// `1 / (1 + e^-x)`.
pub fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-x))
}

impl Claim {
    /// Claim of cell `(row, column)` of the map from its raw numbers; `unit` counts are 1 inside the
    /// network.
    ///
    /// Offsets are in cells from the cell's centre; they may leave the cell.
    pub fn decode(raw: &[f32; CHANNELS], (row, column): (usize, usize), unit: f32) -> Self {
        let &[presence, dx, dy, sx, sy, intensity, si] = raw;
        let place = |cell: usize, offset: f32| {
            cell_centre(cell, RATIO) as f32 + offset.clamp(-REACH, REACH) / RATIO as f32
        };
        Self {
            probability: logistic(presence),
            x: place(row, dx),
            y: place(column, dy),
            sigma_x: deviation(sx, DEVIATION),
            sigma_y: deviation(sy, DEVIATION),
            intensity: unit * intensity.clamp(-BRIGHTEST, BRIGHTEST),
            sigma_intensity: unit * deviation(si, INTENSITY_DEVIATION),
        }
    }

    /// Expected share of the metric's distances at which this is a hit: the probability times the
    /// mean over δ of `1 - exp(-δ² / 2σ²)`, with one σ for both axes.
    pub fn score(&self) -> f32 {
        let variance = 0.5 * (self.sigma_x * self.sigma_x + self.sigma_y * self.sigma_y);
        let mut sum = 0.0;
        for delta in THRESHOLDS {
            let delta = delta as f32;
            sum += 1.0 - libm::expf(-delta * delta / (2.0 * variance));
        }
        self.probability * sum / THRESHOLDS.len() as f32
    }

    fn means(&self) -> [f32; 3] {
        [self.x, self.y, self.intensity]
    }

    /// The claim as a target; the head does not know how the errors of `x` and `y` go together.
    pub fn target(&self) -> Target {
        Target {
            x: f64::from(self.x),
            y: f64::from(self.y),
            intensity: f64::from(self.intensity),
            sigma_x: f64::from(self.sigma_x),
            sigma_y: f64::from(self.sigma_y),
            correlation: 0.0,
            sigma_intensity: f64::from(self.sigma_intensity),
            score: f64::from(self.score()),
        }
    }

    /// The claim as a fit takes it, with its precision or as a starting value alone; nothing from
    /// claims far outside the field.
    pub fn proposal(&self, with_precision: bool) -> Option<Proposal> {
        let (x, y) = (f64::from(self.x), f64::from(self.y));
        let precision = |sigma: f32| {
            let sigma = f64::from(sigma);
            1.0 / (sigma * sigma)
        };
        let known = [precision(self.sigma_x), 0.0, precision(self.sigma_y)];
        let inside = [x, y].iter().all(|u| PROPOSAL_FIELD.contains(u));
        inside.then_some(Proposal {
            x,
            y,
            intensity: f64::from(self.intensity),
            precision: with_precision.then_some(known),
        })
    }

    fn is_near(&self, other: &Self) -> bool {
        let (dx, dy) = (self.x - other.x, self.y - other.y);
        dx * dx + dy * dy <= SAME * SAME
    }
}

/// Claims on one target, added up about the first of them: about 0, the squares of coordinates would
/// leave no digits of an `f32` for the spread.
#[derive(Clone, Copy)]
struct Sum {
    origin: [f32; 3],
    weight: f32,
    first: [f32; 3],
    second: [f32; 3],
}

impl Sum {
    /// No claims yet, about the place of `origin`.
    fn about(origin: &Claim) -> Self {
        Self {
            origin: origin.means(),
            weight: 0.0,
            first: [0.0; 3],
            second: [0.0; 3],
        }
    }

    fn add(&mut self, claim: &Claim) {
        let p = claim.probability;
        self.weight += p;
        let deviations = [claim.sigma_x, claim.sigma_y, claim.sigma_intensity];
        let terms = claim.means().into_iter().zip(self.origin).zip(deviations);
        let sums = self.first.iter_mut().zip(&mut self.second);
        for ((first, second), ((mean, origin), deviation)) in sums.zip(terms) {
            let mean = mean - origin;
            *first += p * mean;
            *second += p * (mean * mean + deviation * deviation);
        }
    }

    /// Mean and deviation of the mixture.
    fn claim(&self) -> Claim {
        let (mut means, mut deviations) = (self.origin, [0.0; 3]);
        let sums = self.first.iter().zip(&self.second);
        let results = means.iter_mut().zip(&mut deviations);
        for ((mean, deviation), (first, second)) in results.zip(sums) {
            let shift = first / self.weight;
            *mean += shift;
            *deviation = libm::sqrtf((second / self.weight - shift * shift).max(0.0));
        }
        let ([x, y, intensity], [sigma_x, sigma_y, sigma_intensity]) = (means, deviations);
        Claim {
            probability: self.weight.min(1.0),
            x,
            y,
            sigma_x: sigma_x.max(DEVIATION[0]),
            sigma_y: sigma_y.max(DEVIATION[0]),
            intensity,
            sigma_intensity,
        }
    }
}

/// Reads the targets off the head's answer for one window, the most probable first.
///
/// `answer` is [`ANSWER_LEN`] raw numbers; `unit` counts are 1 inside the network.
///
/// # Errors
/// [`Error::Length`], or [`Error::NotFinite`] at the first value that is not.
pub fn read(answer: &[f32], unit: f32) -> Result<Vec<Claim, MAX_TARGETS>> {
    check_len("offset head's answer", ANSWER_LEN, answer.len())?;
    if let Some(index) = answer.iter().position(|value| !value.is_finite()) {
        return Err(Error::NotFinite {
            what: "offset head's answer",
            index,
        });
    }
    Ok(read_cells(answer.as_chunks().0.iter().copied(), unit))
}

/// [`read`] of an answer in steps, as the integer network gives it: each of a cell's numbers is worth
/// its own `steps`. Cells that are not there claim nothing.
pub fn read_steps(answer: &[i16], steps: &[f32; CHANNELS], unit: f32) -> Vec<Claim, MAX_TARGETS> {
    let cells = answer.as_chunks::<CHANNELS>().0.iter().take(MAP_LEN);
    let raw = cells.map(|cell| {
        let mut raw = *steps;
        let numbers = raw.iter_mut().zip(cell);
        numbers.for_each(|(number, &step)| *number *= f32::from(step));
        raw
    });
    read_cells(raw, unit)
}

/// Gathers the claims of all cells, in the order of the answer.
fn read_cells(cells: impl Iterator<Item = [f32; CHANNELS]>, unit: f32) -> Vec<Claim, MAX_TARGETS> {
    let mut heard: Vec<Claim, CROWD> = Vec::new();
    for (index, raw) in cells.enumerate() {
        // Nearly all cells are silent; decoding them would cost more than the head.
        if raw[0] > SILENT {
            hear(&mut heard, Claim::decode(&raw, cell(index), unit));
        }
    }
    gather(&heard)
}

/// Row and column on the map of the cell at `index` of the answer.
pub fn cell(index: usize) -> (usize, usize) {
    let (pixel, sub) = (index / (RATIO * RATIO), index % (RATIO * RATIO));
    (
        RATIO * (pixel / FRAME_SIDE) + sub / RATIO,
        RATIO * (pixel % FRAME_SIDE) + sub % RATIO,
    )
}

/// Puts `claim` in its place among the most probable ones, if it is one of them.
fn hear(heard: &mut Vec<Claim, CROWD>, claim: Claim) {
    if claim.probability < FAINT {
        return;
    }
    let place = heard.iter().position(|h| h.probability < claim.probability);
    if heard.is_full() {
        if place.is_none() {
            return;
        }
        heard.pop();
    }
    // There is room now, and the place is inside.
    let _ = heard.insert(place.unwrap_or(heard.len()), claim);
}

/// Gathers claims on the same places, from the most probable on.
fn gather(heard: &[Claim]) -> Vec<Claim, MAX_TARGETS> {
    let mut taken = [false; CROWD];
    let mut found: Vec<Claim, MAX_TARGETS> = Vec::new();
    for (index, first) in heard.iter().enumerate() {
        if taken.get(index).copied().unwrap_or(true) {
            continue;
        }
        let mut sum = Sum::about(first);
        for (claim, taken) in heard.iter().zip(&mut taken) {
            if !*taken && claim.is_near(first) {
                *taken = true;
                sum.add(claim);
            }
        }
        if sum.weight >= PRESENT && found.push(sum.claim()).is_err() {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests;
