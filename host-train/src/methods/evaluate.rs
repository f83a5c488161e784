//! Methods on held-out trajectories, by the grid readout.

use derefnet_core::physics::{FRAME_LEN, MAP_LEN};
use rayon::prelude::*;

use super::net::scored_frames;
use super::trained::Ready;
use super::{Answers, Method, Solution, Solve};
use crate::backend::Backend;
use crate::eval::metric::FrameResult;
use crate::eval::network::{batch, centres, read_grid};
use crate::scene::Trajectory;
use crate::{Error, Result};

/// Something that answers trajectories with maps.
pub trait Maps: Sync {
    /// Maps of the scored frames of one trajectory, counts, `(length - 4, 1089)`.
    ///
    /// # Errors
    /// If frames cannot be answered.
    fn maps(&self, trajectory: &Trajectory) -> Result<Vec<f32>>;
}

impl<B: Backend> Maps for Ready<'_, B> {
    fn maps(&self, trajectory: &Trajectory) -> Result<Vec<f32>> {
        if self.trained().answers() != Answers::Maps {
            let key = self.trained().method.key;
            return Err(Error::usage(format!("{key} marks pixels, it has no map")));
        }
        let frames = batch([trajectory]);
        let maps = Ready::maps(self, &frames);
        if maps.len() != frames.length * MAP_LEN {
            return Ok(maps);
        }
        let scored = scored_frames(frames.length, frames.length);
        let map = |frame: &usize| maps[frame * MAP_LEN..(frame + 1) * MAP_LEN].iter().copied();
        Ok(scored.iter().flat_map(map).collect())
    }
}

/// A method without parameters.
pub struct Solver {
    solve: Solve,
    variant: &'static str,
}

impl Solver {
    /// The solver of `method`.
    ///
    /// # Errors
    /// If it is none, or has no such variant.
    pub fn new(method: &Method, variant: Option<&str>) -> Result<Self> {
        match method.solution {
            Solution::Solver { solve, .. } => Ok(Self {
                solve,
                variant: method.variant(variant)?,
            }),
            _ => Err(Error::usage(format!("{} needs training", method.key))),
        }
    }
}

impl Maps for Solver {
    fn maps(&self, trajectory: &Trajectory) -> Result<Vec<f32>> {
        let counts = batch([trajectory]).counts;
        let frames: Vec<&[f32]> = counts.chunks_exact(FRAME_LEN).collect();
        let scored = scored_frames(frames.len(), frames.len());
        let solve = |&frame: &usize| {
            let frame: Vec<f64> = frames[frame].iter().map(|&c| f64::from(c)).collect();
            (self.solve)(&frame, self.variant)
        };
        let maps: Vec<Vec<f64>> = scored.par_iter().map(solve).collect::<Result<_>>()?;
        Ok(maps.into_iter().flatten().map(|v| v as f32).collect())
    }
}

/// Grid detections beside the truth for every scored frame of `trajectories`.
///
/// # Errors
/// If a map cannot be had or holds a value that is not finite, or `tick`, called after each
/// trajectory, fails.
pub fn results(
    maps: &dyn Maps,
    trajectories: &[Trajectory],
    mut tick: impl FnMut() -> Result<()>,
) -> Result<Vec<FrameResult>> {
    let mut results = Vec::new();
    for trajectory in trajectories {
        let answers = maps.maps(trajectory)?;
        for (map, truth) in answers.chunks_exact(MAP_LEN).zip(centres(trajectory)) {
            results.push(FrameResult {
                detections: read_grid(map)?,
                truth: truth.clone(),
            });
        }
        tick()?;
    }
    Ok(results)
}
