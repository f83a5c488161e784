//! Recorded frames with their truth.
//!
//! A recording is a sequence of frames of [`BYTES`] bytes, 16-bit words with the lower byte first:
//! 121 readings row-major, each [`PEDESTAL`] counts above the sensor's, then row and column of up to
//! [`MOST`] targets in thousandths of a pixel, [`NONE`] where there are fewer. Every [`TRAJECTORY`]
//! frames another scene begins.

use derefnet_core::physics::FRAME_LEN;

/// Counts that every reading has on top.
pub const PEDESTAL: u16 = 100;
/// Frames of one scene.
pub const TRAJECTORY: usize = 20;
/// Most targets of a frame.
pub const MOST: usize = 4;
/// In the place of coordinates that are not there.
pub const NONE: u16 = u16::MAX;
/// Bytes of a frame.
pub const BYTES: usize = 2 * (FRAME_LEN + 2 * MOST);

/// 13 scenes of the validation split with noise of 2 counts: `cargo xtask golden` makes them.
pub static GOLDEN: &[u8] = include_bytes!("../assets/golden.frames");

/// A frame of a recording.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Readings `(11, 11)`, the pedestal included.
    pub readings: [u16; FRAME_LEN],
    places: [[u16; 2]; MOST],
}

impl Frame {
    /// Reads a frame; words that `bytes` lack are 0.
    pub fn read(bytes: &[u8]) -> Self {
        let mut words = bytes
            .as_chunks::<2>()
            .0
            .iter()
            .map(|&b| u16::from_le_bytes(b));
        let mut word = || words.next().unwrap_or(0);
        Self {
            readings: core::array::from_fn(|_| word()),
            places: core::array::from_fn(|_| [word(), word()]),
        }
    }

    /// Row and column of each target, pixels.
    pub fn truth(&self) -> impl Iterator<Item = [f64; 2]> + '_ {
        let there = self.places.iter().filter(|place| !place.contains(&NONE));
        there.map(|place| place.map(|thousandths| f64::from(thousandths) / 1000.0))
    }
}

/// The scenes of `recording`, each an iterator over its frames.
pub fn scenes(recording: &[u8]) -> impl Iterator<Item = impl Iterator<Item = Frame> + '_> {
    let scenes = recording.chunks_exact(BYTES * TRAJECTORY);
    scenes.map(|scene| scene.chunks_exact(BYTES).map(Frame::read))
}
