//! What networks answer for a frame, and what they are trained towards.

use derefnet_core::physics::{FRAME_SIDE, MAP_SIDE};

use crate::eval::masks::mask_of;
use crate::scene::{Target, label_map};

/// What a network answers for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// A map `(33, 33)` of counts.
    Maps,
    /// Logits `(11, 11)`, positive where a pixel is marked.
    Masks,
}

impl Answers {
    /// Rows and columns of an answer.
    pub fn side(self) -> usize {
        match self {
            Self::Maps => MAP_SIDE,
            Self::Masks => FRAME_SIDE,
        }
    }

    /// What is wanted of frames with these targets: label maps `(frames, 1089)`, or masks
    /// `(frames, 121)` of zeros and ones.
    pub fn wanted<'t>(self, frames: impl IntoIterator<Item = &'t Vec<Target>>) -> Vec<f32> {
        let frames = frames.into_iter();
        match self {
            Self::Maps => frames.flat_map(|targets| label_map(targets)).collect(),
            Self::Masks => frames
                .flat_map(|targets| mask_of(targets))
                .map(|marked| f32::from(u8::from(marked)))
                .collect(),
        }
    }
}
