//! The likelihood of offsets on the CPU, in f64; gradients are computed with the value and kept.

use derefnet_core::locate::head::{ANSWER_LEN, CHANNELS, DEVIATION, INTENSITY_DEVIATION, cell};
use derefnet_core::physics::{FRAME_SIDE, MAP_LEN, MAP_SIDE, RATIO, cell_centre, cell_of};
use rayon::prelude::*;

use super::{NEARNESS, OffsetLikelihood, REACH, Wanted};
use crate::backend::Backend;
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::{Operator, Saved};

/// Coordinates of a target: row, column, intensity.
const AXES: usize = 3;

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// What a cell claims along one axis, and how that moves with its raw numbers.
#[derive(Clone, Copy)]
struct Axis {
    mean: f64,
    /// Derivative of the mean.
    mean_slope: f64,
    /// Logarithm of the deviation.
    log_deviation: f64,
    /// Its derivative.
    log_slope: f64,
}

impl Axis {
    fn new(mean: f64, mean_slope: f64, raw: f32, range: [f32; 2]) -> Self {
        let [low, high] = range.map(|v| f64::from(v).ln());
        let s = logistic(f64::from(raw));
        Self {
            mean,
            mean_slope,
            log_deviation: low + (high - low) * s,
            log_slope: (high - low) * s * (1.0 - s),
        }
    }

    /// Distance of `value` from the mean in deviations.
    fn error(&self, value: f64) -> f64 {
        (value - self.mean) * (-self.log_deviation).exp()
    }
}

/// The claims of the cell `(row, column)` along all axes.
fn axes(raw: &[f32; CHANNELS], (row, column): (usize, usize)) -> [Axis; AXES] {
    let step = 1.0 / RATIO as f64;
    let place = |cell: usize, offset: f32| cell_centre(cell, RATIO) + step * f64::from(offset);
    [
        Axis::new(place(row, raw[1]), step, raw[3], DEVIATION),
        Axis::new(place(column, raw[2]), step, raw[4], DEVIATION),
        Axis::new(f64::from(raw[5]), 1.0, raw[6], INTENSITY_DEVIATION),
    ]
}

/// Channels of an axis's mean and deviation.
const PLACES: [(usize, usize); AXES] = [(1, 3), (2, 4), (5, 6)];

/// Index in the answer of the cell at `(row, column)` of the map.
fn index_of(row: usize, column: usize) -> usize {
    let pixel = row / RATIO * FRAME_SIDE + column / RATIO;
    pixel * RATIO * RATIO + row % RATIO * RATIO + column % RATIO
}

/// The map's cell that holds `target`.
fn own(target: &Wanted) -> [usize; 2] {
    [target[0], target[1]].map(|x| cell_of(x, RATIO).clamp(0, MAP_SIDE as i64 - 1) as usize)
}

/// A cell that has to tell where a target lies.
struct Claimant {
    index: usize,
    /// Which target.
    target: usize,
    /// Squared distance of the cell's centre from it, pixels².
    square: f64,
}

/// The cells within [`REACH`] of a target, each with the nearest one.
fn claimants(targets: &[Wanted]) -> Vec<Claimant> {
    let mut claimants: Vec<Claimant> = Vec::new();
    let around = |cell: usize| cell.saturating_sub(REACH)..(cell + REACH + 1).min(MAP_SIDE);
    for (number, target) in targets.iter().enumerate() {
        let [rows, columns] = own(target).map(around);
        for (row, column) in rows.flat_map(|row| columns.clone().map(move |column| (row, column))) {
            let (dx, dy) = (
                target[0] - cell_centre(row, RATIO),
                target[1] - cell_centre(column, RATIO),
            );
            let claimant = Claimant {
                index: index_of(row, column),
                target: number,
                square: dx * dx + dy * dy,
            };
            match claimants.iter_mut().find(|c| c.index == claimant.index) {
                Some(before) if claimant.square < before.square => *before = claimant,
                Some(_) => {}
                None => claimants.push(claimant),
            }
        }
    }
    claimants
}

/// Loss of one window; writes its gradient.
fn window(answer: &[f32], targets: &[Wanted], grad: &mut [f32]) -> f64 {
    let raws = answer.as_chunks::<CHANNELS>().0;
    let grads = grad.as_chunks_mut::<CHANNELS>().0;
    let occupied: Vec<usize> = targets
        .iter()
        .map(|target| {
            let [row, column] = own(target);
            index_of(row, column)
        })
        .collect();
    let mut loss = 0.0;
    for (index, (raw, grad)) in raws.iter().zip(grads.iter_mut()).enumerate() {
        let presence = f64::from(raw[0]);
        let wanted = f64::from(u8::from(occupied.contains(&index)));
        loss += softplus(presence) - wanted * presence;
        *grad = [0.0; CHANNELS];
        grad[0] = (logistic(presence) - wanted) as f32;
    }
    for claimant in claimants(targets) {
        let weight = (-0.5 * claimant.square / (NEARNESS * NEARNESS)).exp();
        let target = &targets[claimant.target];
        let raw = &raws[claimant.index];
        loss += weight
            * place(
                raw,
                cell(claimant.index),
                target,
                weight,
                &mut grads[claimant.index],
            );
    }
    loss
}

/// Negative logarithm of the density that a cell claims at `target`; adds `weight` times its
/// gradient to `grad`.
fn place(
    raw: &[f32; CHANNELS],
    cell: (usize, usize),
    target: &Wanted,
    weight: f64,
    grad: &mut [f32; CHANNELS],
) -> f64 {
    let mut loss = 0.0;
    for ((axis, value), (mean, deviation)) in axes(raw, cell).iter().zip(target).zip(PLACES) {
        let error = axis.error(*value);
        loss += 0.5 * error * error + axis.log_deviation;
        let by_mean = error * (-axis.log_deviation).exp();
        grad[mean] -= (weight * by_mean * axis.mean_slope) as f32;
        grad[deviation] -= (weight * (error * error - 1.0) * axis.log_slope) as f32;
    }
    loss
}

/// `ln(1 + e^x)`.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

impl OffsetLikelihood {
    /// Mean loss; writes gradients to `kept`.
    fn run(&self, answers: &[f32], kept: &mut [f32]) -> f64 {
        let windows = answers
            .par_chunks_exact(ANSWER_LEN)
            .zip(kept.par_chunks_exact_mut(ANSWER_LEN))
            .zip(&self.targets);
        let losses: Vec<f64> = windows
            .map(|((answer, grad), targets)| window(answer, targets, grad))
            .collect();
        losses.iter().sum::<f64>() / self.targets.len() as f64
    }
}

impl Operator<Cpu> for OffsetLikelihood {
    fn name(&self) -> &'static str {
        "offset_likelihood"
    }

    fn output_len(&self) -> usize {
        1
    }

    fn kept_len(&self) -> usize {
        self.targets.len() * MAP_LEN * CHANNELS
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let mut kept = cpu.alloc(inputs[0].len());
        output[0] = self.run(inputs[0], &mut kept) as f32;
        cpu.recycle(kept);
    }

    fn forward_keeping(&self, _: &Cpu, inputs: &[&Buffer], output: &mut Buffer, kept: &mut Buffer) {
        output[0] = self.run(inputs[0], kept) as f32;
    }

    fn backward(&self, _: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let Some(Some(grad)) = grads.first_mut() else {
            return;
        };
        let factor = saved.grad[0] / self.targets.len() as f32;
        for (g, kept) in grad.iter_mut().zip(saved.kept) {
            *g = factor * kept;
        }
    }
}
