//! Windows for the offset head, mixed from many trajectories.
//!
//! The windows of one trajectory look much alike: a step of all windows of four trajectories knows
//! of four scenes. So the windows of a trajectory are trained on one by one, in random order, `spread`
//! steps apart: each window once, and in every step each from a trajectory of its own.

use std::collections::VecDeque;
use std::ops::Range;

use derefnet_core::physics::{FRAME_LEN, WINDOW};

use super::TrainConfig;
use super::source::Source;
use crate::eval::network::centres;
use crate::model::Frames;
use crate::ops::Wanted;
use crate::rng::Rng;
use crate::scene::Trajectory;

/// What a step of the head trains on.
pub(super) struct Windows {
    /// Frames of the windows: trajectories of five.
    pub frames: Frames,
    /// Targets of the middle frames.
    pub targets: Vec<Vec<Wanted>>,
}

/// One trajectory.
struct Entry {
    counts: Vec<f32>,
    targets: Vec<Vec<Wanted>>,
    /// Its windows in the order of their turns.
    order: Vec<usize>,
}

/// Trajectories whose windows are not all used up.
pub(super) struct Pool {
    /// Which trajectories of each batch it holds.
    share: Range<usize>,
    /// Step of the first element of `steps`.
    first: u64,
    /// Trajectories by the step in which they entered.
    steps: VecDeque<Vec<Entry>>,
}

impl Pool {
    /// An empty pool for the trajectories of each batch that `share` counts.
    pub fn new(share: Range<usize>) -> Self {
        Self {
            share,
            first: 0,
            steps: VecDeque::new(),
        }
    }

    /// Windows of `step`. Trajectories that are missing are drawn from `source`: those of the step
    /// itself, and after a pause also those of the steps before that still have windows.
    pub fn windows(&mut self, step: u64, source: &Source, config: &TrainConfig) -> Windows {
        let mut next = self.first + self.steps.len() as u64;
        if self.steps.is_empty() {
            next = match config.spread {
                0 => step,
                spread => step.saturating_sub(self.longest(source, config, step) * spread),
            };
            self.first = next;
        }
        for entering in next..=step {
            let trajectories = source.of_step(entering, config, &self.share);
            let numbered = trajectories.iter();
            let entries = numbered.map(|(number, t)| Entry::new(t, *number, config));
            self.steps.push_back(entries.collect());
        }
        let windows = self.take(step, config.spread);
        while self.steps.front().is_some_and(|entries| {
            let turns = entries.iter().map(|e| e.order.len() as u64).max();
            self.first + turns.unwrap_or(0).saturating_sub(1) * config.spread <= step
        }) {
            self.steps.pop_front();
            self.first += 1;
        }
        windows
    }

    /// The windows whose turn it is.
    fn take(&self, step: u64, spread: u64) -> Windows {
        let mut windows = Windows {
            frames: Frames {
                counts: Vec::new(),
                length: WINDOW,
            },
            targets: Vec::new(),
        };
        for (entered, entries) in (self.first..).zip(&self.steps) {
            let age = step - entered;
            for entry in entries {
                let turns = match spread {
                    0 => &entry.order[..],
                    _ if !age.is_multiple_of(spread) => &[],
                    _ => {
                        let turn = (age / spread) as usize;
                        entry.order.get(turn..=turn).unwrap_or(&[])
                    }
                };
                for &window in turns {
                    windows.push(entry, window);
                }
            }
        }
        windows
    }

    /// Windows of the longest trajectory that enters in `step`, less one.
    fn longest(&self, source: &Source, config: &TrainConfig, step: u64) -> u64 {
        let trajectories = source.of_step(step, config, &self.share);
        let windows = trajectories.iter().map(|(_, t)| centres(t).len() as u64);
        windows.max().unwrap_or(1) - 1
    }
}

impl Windows {
    fn push(&mut self, entry: &Entry, window: usize) {
        let counts = &entry.counts[window * FRAME_LEN..(window + WINDOW) * FRAME_LEN];
        self.frames.counts.extend_from_slice(counts);
        self.targets.push(entry.targets[window].clone());
    }
}

impl Entry {
    fn new(trajectory: &Trajectory, number: u64, config: &TrainConfig) -> Self {
        let unit = f64::from(config.model.intensity_scale);
        let counts: Vec<f32> = trajectory.frames.iter().map(|&c| c as f32).collect();
        let windows = centres(trajectory).iter();
        let targets: Vec<Vec<Wanted>> = windows
            .map(|targets| {
                let targets = targets.iter();
                targets.map(|t| [t.x, t.y, t.intensity / unit]).collect()
            })
            .collect();
        let mut order: Vec<usize> = (0..targets.len()).collect();
        Rng::new(config.seed, *b"windows ", number).shuffle(&mut order);
        Self {
            counts,
            targets,
            order,
        }
    }
}
