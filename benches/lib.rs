//! Shared pieces of the benchmarks: worker pools, medians, the example that they run on and the
//! training step.

mod training;

pub use training::{Costs, StepTime, Training};

use derefnet::dataset::{QinitFrom, Split, qinit};
use derefnet::eval::network::{batch, centres};
use derefnet::model::{DeRefNet, Frames, ModelConfig, Operators, initialise};
use derefnet::scene::{SceneConfig, generate, label_map};
use derefnet::{Error, Result};

/// Seed of every benchmark's data and weights.
pub const SEED: u64 = 1;
/// Trajectories from which the benchmark's `Q_init` comes: enough to light every pixel.
const QINIT_TRAJECTORIES: u64 = 200;

/// The middle of `values`; of two middles the lower. 0 for none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len().saturating_sub(1) / 2;
    sorted.get(middle).copied().unwrap_or(0.0)
}

/// Numbers of threads to measure: 1, and 2 where there is a second core.
pub fn thread_counts() -> Vec<usize> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (1..=cores.min(2)).collect()
}

/// A worker pool of its own.
///
/// # Errors
/// If the machine cannot start the threads.
pub fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
    builder
        .build()
        .map_err(|error| Error::usage(error.to_string()))
}

/// A network with fresh weights and trajectories to run it on.
pub struct Example {
    /// The network.
    pub network: DeRefNet,
    /// Trajectories of 20 frames.
    pub frames: Frames,
    /// Label maps of the window centres, counts, `(trajectories × 16, 1089)`.
    pub labels: Vec<f32>,
}

impl Example {
    /// A network of `config` on generated trajectories.
    ///
    /// # Errors
    /// If `Q_init` cannot be computed.
    pub fn new(config: ModelConfig, trajectories: u64) -> Result<Self> {
        let scene = SceneConfig::default();
        let draw = |index| generate(&scene, SEED, Split::Train, index);
        let start = qinit((0..QINIT_TRAJECTORIES).map(draw), QinitFrom::Physics)?;
        let trajectories: Vec<_> = (0..trajectories).map(draw).collect();
        let truth = trajectories.iter().flat_map(centres);
        Ok(Self {
            labels: truth.flat_map(|targets| label_map(targets)).collect(),
            network: DeRefNet {
                operators: Operators::new(start.iter().map(|&v| v as f32).collect()),
                parameters: initialise(&config, SEED),
                config,
            },
            frames: batch(&trajectories),
        })
    }
}

/// Benchmarks have no tests of their own.
#[cfg(test)]
#[path = "offgrid/perturb.rs"]
mod perturb;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[9.0, 1.0, 4.0]), 4.0);
        assert_eq!(median(&[9.0, 1.0]), 1.0);
    }

    #[test]
    fn examples_have_sixteen_windows_a_trajectory() {
        for trajectories in [1, 2] {
            let example = Example::new(ModelConfig::released(), trajectories).unwrap();
            assert_eq!(example.frames.trajectories() as u64, trajectories);
            assert_eq!(example.frames.windows(), 16);
            assert_eq!(example.labels.len() as u64, trajectories * 16 * 1089);
        }
    }
}
