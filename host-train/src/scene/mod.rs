//! Scenes: point sources that move on a trajectory, rendered through the sensor's physics.
//!
//! Source: SeqCSIST §3. What the paper leaves open is decided in [`config`], [`curve`] and
//! [`targets`]. A trajectory depends on `(config, seed, split, index)` and nothing else; geometry,
//! noise and clutter have their own random domains, so the same scene can be had at every noise
//! level.

pub mod backdrop;
pub mod background;
pub mod clutter;
pub mod config;
pub mod curve;
pub mod label;
pub mod render;
pub mod targets;

use crate::dataset::Split;
use crate::rng::Rng;
pub use backdrop::Backdrop;
pub use background::Backgrounds;
pub use clutter::ClutterConfig;
pub use config::{Arrangement, SceneConfig};
pub use label::{label_map, ranked_label_map};
pub use render::add_targets;

/// Names the generator's output. It changes whenever any byte of any generated trajectory does.
pub const DATA_VERSION: &str = "derefnet-scene-1";

/// One point source in one frame.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Target {
    /// Row coordinate, low-resolution pixels.
    pub x: f64,
    /// Column coordinate, low-resolution pixels.
    pub y: f64,
    /// Total intensity, counts.
    pub intensity: f64,
}

/// Consecutive frames of one scene with their truth.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// Counts, `(frames, 11, 11)` row-major; signed, because noise may fall below zero.
    pub frames: ndarray::Array3<i32>,
    /// Targets of every frame.
    pub truth: Vec<Vec<Target>>,
}

/// Generates trajectory `index` of `split`.
///
/// # Panics
/// If [`SceneConfig::validate`] refuses `config`, or `index` needs more than 56 bits.
pub fn generate(config: &SceneConfig, seed: u64, split: Split, index: u64) -> Trajectory {
    generate_over(config, None, seed, split, index)
}

/// The same over one of the user's own backgrounds, which adds to generated clutter if both are given.
///
/// # Panics
/// As [`generate`].
pub fn generate_over(
    config: &SceneConfig,
    backgrounds: Option<&Backgrounds>,
    seed: u64,
    split: Split,
    index: u64,
) -> Trajectory {
    if let Err(error) = config.validate() {
        panic!("invalid scene configuration: {error}");
    }
    let stream = split.stream(index);
    let open = |domain| Rng::new(seed, domain, stream);
    let truth = targets::draw(config, &mut open(*b"scn-geom"));
    let drift = config.background_drift;
    let generated = config.clutter.as_ref();
    let generated = generated.map(|it| it.draw(config.frames, drift, &mut open(*b"scn-clut")));
    let cut = backgrounds.map(|it| it.draw(config.frames, drift, &mut open(*b"scn-back")));
    let backdrops: Vec<Backdrop> = generated.into_iter().chain(cut).collect();
    let frames = render::frames(config, &truth, &backdrops, &mut open(*b"scn-nois"));
    Trajectory { frames, truth }
}
