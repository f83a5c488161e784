//! A network over a stream of frames, one at a time.
//!
//! A frame passes the stages once, when it comes; a window needs the stage outputs of its five
//! frames. So one more frame costs `S + W` multiply-adds, where a lone window costs `5 S + W`: of
//! the published network, with `S = 197 M` a frame and `W = 236 M` a window, 0.35 of it.

use derefnet_core::physics::{FRAME_LEN, MAP_LEN, WINDOW};

use super::network::Inference;
use crate::backend::Backend;
use crate::model::TimeConvention;
use crate::{Error, Result};

/// A stream of frames of one scene, at equal intervals.
pub struct Stream<'a, B: Backend> {
    inference: &'a Inference<'a, B>,
    /// Stage outputs of the last frames, oldest first, `(at most 4, 1089)` between frames.
    stages: Vec<f32>,
}

impl<'a, B: Backend> Stream<'a, B> {
    /// A stream without frames.
    ///
    /// # Errors
    /// If the network counts time within the trajectory: a stream has no first frame.
    pub fn new(inference: &'a Inference<'a, B>) -> Result<Self> {
        if inference.network().config.time == TimeConvention::Trajectory {
            return Err(Error::usage(
                "this model counts time within trajectories of known start: a stream needs one \
                 that counts within the window",
            ));
        }
        Ok(Self {
            inference,
            stages: Vec::with_capacity(WINDOW * MAP_LEN),
        })
    }

    /// Takes the next frame, counts `(121)`; from the fifth on, the map of the frame two before
    /// it, counts `(1089)`.
    ///
    /// # Errors
    /// If the frame has another length; it is not taken then.
    pub fn push(&mut self, frame: &[f32]) -> Result<Option<Vec<f32>>> {
        if frame.len() != FRAME_LEN {
            return Err(Error::usage(format!(
                "a frame of the stream has {} values, expected {FRAME_LEN}",
                frame.len()
            )));
        }
        self.stages.extend(self.inference.unfold(frame));
        if self.stages.len() < WINDOW * MAP_LEN {
            return Ok(None);
        }
        let map = self.inference.unmix(&self.stages);
        self.stages.drain(..MAP_LEN);
        Ok(Some(map))
    }

    /// Forgets all frames: after a gap, or where another scene begins.
    pub fn reset(&mut self) {
        self.stages.clear();
    }
}
