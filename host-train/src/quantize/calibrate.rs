//! How far every tensor of a network reaches on frames of the training split.

use std::collections::BTreeMap;

use derefnet_core::net::Tensor;
use derefnet_core::physics::{FRAME_LEN, MAP_LEN, MAP_SIDE, WINDOW};
use rayon::prelude::*;

use super::folded::check;
use crate::backend::Backend;
use crate::dataset::Split;
use crate::model::{DeRefNet, Observed};
use crate::scene::{SceneConfig, generate};
use crate::{Error, Result};

/// First frames of the windows that are taken from a trajectory: its ends and its middle.
const STARTS: [usize; 3] = [0, 7, 15];
/// Trajectories whose windows pass the network at once.
const BATCH: u64 = 4;

/// Which frames ranges come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationData {
    /// Seed of the generator.
    pub seed: u64,
    /// Trajectories; the first half holds 2 to 4 targets, the second up to 8.
    pub trajectories: u32,
    /// Range of the noise's standard deviation, counts.
    pub noise: [f64; 2],
}

impl CalibrationData {
    /// Windows of trajectory `index`, `(3, 5, 121)` counts.
    fn windows(&self, index: u64) -> Vec<f32> {
        let many = index >= u64::from(self.trajectories / 2);
        let config = SceneConfig {
            noise: self.noise,
            targets: if many { [2, 8] } else { [2, 4] },
            ..SceneConfig::default()
        };
        let trajectory = generate(&config, self.seed, Split::Train, index);
        let counts: Vec<f32> = trajectory.frames.iter().map(|&c| c as f32).collect();
        let window = |&start: &usize| &counts[start * FRAME_LEN..(start + WINDOW) * FRAME_LEN];
        STARTS.iter().flat_map(window).copied().collect()
    }
}

/// Greatest magnitudes seen, in units of the network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranges {
    tensors: BTreeMap<Tensor, f32>,
    /// Of each of the seven numbers of the head's cells.
    pub head: [f32; 7],
    /// Of the products `H·G` in front of each stage.
    pub across: Vec<f32>,
    /// Of the joined halves of the attention.
    pub joined: f32,
    /// Counts of a pixel.
    pub counts: f32,
}

impl Ranges {
    /// Of one tensor; 0 if it was never seen.
    pub fn of(&self, tensor: Tensor) -> f32 {
        self.tensors.get(&tensor).copied().unwrap_or(0.0)
    }

    /// Of the greatest of several tensors.
    pub fn over(&self, tensors: impl IntoIterator<Item = Tensor>) -> f32 {
        tensors.into_iter().map(|t| self.of(t)).fold(0.0, f32::max)
    }

    fn widen(&mut self, network: &DeRefNet, windows: &[f32], seen: &Observed) {
        self.counts = self.counts.max(greatest(windows));
        self.joined = self.joined.max(greatest(&seen.joined));
        for (tensor, values) in &seen.tensors {
            let range = self.tensors.entry(*tensor).or_default();
            *range = range.max(greatest(values));
            if *tensor == Tensor::HeadAnswer {
                for (index, value) in values.iter().enumerate() {
                    let range = &mut self.head[index % 7];
                    *range = range.max(value.abs());
                }
            }
        }
        self.across.resize(network.config.stages, 0.0);
        for (stage, range) in (0..).zip(&mut self.across) {
            let input = match stage {
                0 => Tensor::Start,
                stage => Tensor::Stage(stage - 1),
            };
            let maps = seen.tensors.iter().find(|(tensor, _)| *tensor == input);
            let maps = maps.map_or(&[][..], |(_, values)| values);
            *range = range.max(across(maps, &network.operators.gram));
        }
    }
}

fn greatest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |most, v| most.max(v.abs()))
}

/// Greatest magnitude of `H·G` over maps `(n, 33, 33)`.
fn across(maps: &[f32], gram: &[f32]) -> f32 {
    let of_map = |map: &[f32]| {
        let product = |row: &[f32], column: usize| -> f32 {
            let column = gram.iter().skip(column).step_by(MAP_SIDE);
            row.iter().zip(column).map(|(h, g)| h * g).sum()
        };
        let of_row = |row| (0..MAP_SIDE).map(move |column| product(row, column));
        let all = map.chunks_exact(MAP_SIDE).flat_map(of_row);
        all.fold(0.0, |most: f32, v| most.max(v.abs()))
    };
    maps.par_chunks_exact(MAP_LEN)
        .map(of_map)
        .reduce(|| 0.0, f32::max)
}

/// Passes the windows of `data` through `network`; `tick` is told how many more trajectories are
/// done.
///
/// # Errors
/// If the format cannot hold the network, there are no trajectories, a tensor is not finite, or `tick` fails.
pub fn calibrate<B: Backend>(
    network: &DeRefNet,
    backend: &B,
    data: &CalibrationData,
    mut tick: impl FnMut(u64) -> Result<()>,
) -> Result<Ranges> {
    check(network)?;
    if data.trajectories == 0 {
        return Err(Error::usage(
            "calibration: 0 trajectories, expected 1 or more",
        ));
    }
    let mut ranges = Ranges::default();
    let mut next = 0;
    while next < u64::from(data.trajectories) {
        let last = (next + BATCH).min(data.trajectories.into());
        let windows: Vec<f32> = (next..last).flat_map(|index| data.windows(index)).collect();
        let seen = backend.pass(|| network.observe(backend, &windows));
        let infinite = |(_, values): &&(_, Vec<f32>)| !values.iter().all(|v| v.is_finite());
        if let Some((tensor, _)) = seen.tensors.iter().find(infinite) {
            return Err(Error::CheckFailed(format!(
                "calibration: {tensor:?} holds a value that is not finite"
            )));
        }
        ranges.widen(network, &windows, &seen);
        tick(last - next)?;
        next = last;
    }
    Ok(ranges)
}
