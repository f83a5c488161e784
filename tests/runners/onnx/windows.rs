//! Windows of generated trajectories, and how far two answers to them differ.

use derefnet::dataset::Split;
use derefnet::eval::network::{Network, batch};
use derefnet::scene::{SceneConfig, Trajectory, generate};
use rayon::prelude::*;

/// `count` trajectories of the test split with noise σ.
pub fn trajectories(count: u64, sigma: f64) -> Vec<Trajectory> {
    let scene = SceneConfig {
        noise: [sigma; 2],
        ..SceneConfig::default()
    };
    let numbers = 0..count;
    numbers
        .map(|index| generate(&scene, 1, Split::Test, index))
        .collect()
}

/// Maps of all windows of each trajectory.
pub fn maps(network: &dyn Network, all: &[Trajectory]) -> Vec<Vec<f32>> {
    let all = all.par_iter();
    all.map(|one| network.maps(&batch([one])).unwrap())
        .collect()
}

/// Relative L2 distance of each item of `len` values, the worst of them, and how many there were.
pub fn worst(got: &[f32], want: &[f32], len: usize) -> (f64, usize) {
    assert_eq!(got.len(), want.len());
    let pairs = got.chunks_exact(len).zip(want.chunks_exact(len));
    let distances: Vec<f64> = pairs.map(|(got, want)| distance(got, want)).collect();
    let worst = distances.iter().copied().fold(0.0, f64::max);
    assert!(worst.is_finite(), "{distances:?}");
    (worst, distances.len())
}

/// `|got - want| / |want|`; of zeros, whether they are met.
fn distance(got: &[f32], want: &[f32]) -> f64 {
    let square = |v: f64| v * v;
    let pairs = got.iter().zip(want);
    let error: f64 = pairs
        .map(|(g, w)| square(f64::from(*g) - f64::from(*w)))
        .sum();
    let size: f64 = want.iter().map(|w| square(f64::from(*w))).sum();
    if size == 0.0 {
        return if error == 0.0 { 0.0 } else { f64::INFINITY };
    }
    (error / size).sqrt()
}
