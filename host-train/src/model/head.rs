//! The offset head: where between the cells the targets lie.
//!
//! It reads the five frames of a window as channels on the grid of the pixels. A 3×3 convolution with
//! ReLU, residual blocks and a last 3×3 convolution lead to the numbers of
//! [`derefnet_core::locate::head`], nine cells times seven per pixel: the sub-pixel shuffle that ends
//! the network's own alignment, here of positions. A ninth of the pixels of the map makes it a ninth
//! as dear as the same blocks in the tail.
//!
//! It reads no stage outputs, unlike a first trial (`benches/record/TRAINING.md`): so it serves every
//! preset alike, and a stream that wants positions alone needs no stages.

use derefnet_core::locate::head::{ANSWER_LEN, CHANNELS};
use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, RATIO, WINDOW};

use super::network::{Builder, Frames};
use crate::autograd::{Tape, Var};
use crate::backend::Backend;
use crate::model::DeRefNet;
use crate::ops::Activation;
use crate::tensor::Shape;

/// Cells of a pixel.
const CELLS: usize = RATIO * RATIO;
/// Channels that it answers with.
pub(super) const OUTPUTS: usize = CELLS * CHANNELS;

/// Windows of all trajectories as `(windows, 121, 5)`, times `scale`.
pub(super) fn windows(frames: &Frames, scale: f32) -> Vec<f32> {
    let mut values =
        Vec::with_capacity(frames.trajectories() * frames.windows() * FRAME_LEN * WINDOW);
    for trajectory in frames.counts.chunks_exact(frames.length * FRAME_LEN) {
        for first in 0..frames.windows() {
            let window = &trajectory[first * FRAME_LEN..][..WINDOW * FRAME_LEN];
            for pixel in 0..FRAME_LEN {
                let over_time = window.iter().skip(pixel).step_by(FRAME_LEN);
                values.extend(over_time.map(|count| count * scale));
            }
        }
    }
    values
}

/// Shape of what the head reads.
pub(super) fn input_shape(windows: usize) -> Shape {
    Shape {
        n: windows,
        h: FRAME_SIDE,
        w: FRAME_SIDE,
        c: WINDOW,
    }
}

impl<B: Backend> Builder<'_, '_, B> {
    /// Windows' frames `(windows, 121, 5)` to `(windows, 11, 11, 3, 3, 7)`.
    fn head(&mut self, windows: Var, blocks: usize) -> Var {
        let input = input_shape(self.tape.len_of(windows) / (FRAME_LEN * WINDOW));
        let (mut x, shape) = self.conv(windows, input, "head.input", Activation::Relu);
        for block in 0..blocks {
            x = self.residual_block(x, shape, &format!("head.blocks.{block}"));
        }
        self.conv(x, shape, "head.output", Activation::None).0
    }
}

impl DeRefNet {
    /// Records the offset head of all windows of `frames`; its answers are
    /// `(windows, 11, 11, 3, 3, 7)`. `None` if the network has no head.
    pub fn answer<B: Backend>(
        &self,
        tape: &mut Tape<'_, B>,
        parameters: &[Var],
        frames: &Frames,
    ) -> Option<Var> {
        let head = self.config.head.as_ref()?;
        let windows = tape.constant(&windows(frames, 1.0 / self.config.intensity_scale));
        let mut builder = self.builder(tape, parameters);
        let answer = builder.head(windows, head.blocks);
        let count = frames.trajectories() * frames.windows();
        debug_assert_eq!(tape.len_of(answer), count * ANSWER_LEN);
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_hold_their_frames_in_time() {
        let length = 6;
        let counts = (0..2 * length * FRAME_LEN).map(|i| i as f32).collect();
        let frames = Frames { counts, length };
        let values = windows(&frames, 0.5);
        assert_eq!(values.len(), 4 * FRAME_LEN * WINDOW);
        // Third window: the first of the second trajectory; its second pixel at all times.
        let expected: Vec<f32> = (0..WINDOW)
            .map(|t| 0.5 * ((length + t) * FRAME_LEN + 1) as f32)
            .collect();
        assert_eq!(values[(2 * FRAME_LEN + 1) * WINDOW..][..WINDOW], expected);
    }
}
