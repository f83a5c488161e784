//! The offset head: five frames as channels on the grid of the pixels.

use super::tail::Size;
use super::{Frame, Picture, Run, Tensor, with_sums};
use crate::arch::Finish;
use crate::locate::head::ANSWER_LEN;
use crate::ops::{Places, Plane, clear_border, conv2d, plane_len};
use crate::physics::{FRAME_SIDE, WINDOW};
use crate::weights::{HEAD_OUTPUTS, HeadNetwork};

impl Run<'_> {
    /// The head's answer for one window, `(11, 11, 3, 3, 7)` as in [`crate::locate::head`], in the
    /// steps of [`crate::weights::HeadHeader::steps`]; [`crate::locate::head::read_steps`] reads it.
    pub fn answer(&mut self, head: &HeadNetwork, window: [&Frame; WINDOW]) -> &[i16] {
        let size = Size {
            side: FRAME_SIDE,
            channels: head.header.channels.into(),
        };
        let small = core::mem::take(&mut self.scratch.small);
        interleave(window, small);
        let tensor = |block: Option<(u8, u8)>| match block {
            None => Tensor::HeadInput,
            Some((block, half)) => Tensor::HeadBlock(block, half),
        };
        self.trunk(&head.input, &head.blocks, (small, WINDOW), size, tensor);
        self.scratch.small = small;
        let [x, out] = &mut self.scratch.planes;
        let packed = &mut *self.scratch.packed[0];
        with_sums!(self, sums, {
            let input = Plane {
                data: x,
                side: size.side,
                channels: size.channels,
            };
            let to = (&mut **out, Places::dense(FRAME_SIDE, HEAD_OUTPUTS));
            conv2d(&mut sums, packed, &head.output, input, Finish::Plain, to);
        });
        let answer = out.get(..ANSWER_LEN).unwrap_or(&[]);
        let picture = Picture {
            data: answer,
            places: Places::dense(FRAME_SIDE, HEAD_OUTPUTS),
            rows: FRAME_SIDE,
            columns: FRAME_SIDE,
            channels: HEAD_OUTPUTS,
        };
        self.probe.see(Tensor::HeadAnswer, picture);
        answer
    }
}

/// Frames as channels, with the border of a map.
fn interleave(window: [&Frame; WINDOW], out: &mut [i16]) {
    let places = Places::bordered(FRAME_SIDE, WINDOW);
    if let Some(out) = out.get_mut(..plane_len(FRAME_SIDE, WINDOW)) {
        clear_border(out, FRAME_SIDE, WINDOW);
    }
    for (time, frame) in window.iter().enumerate() {
        let places = places.channel(time);
        for (row, counts) in frame.chunks_exact(FRAME_SIDE).enumerate() {
            let pixels = places.row_of(out, row).chunks_mut(places.pixel.max(1));
            for (pixel, &count) in pixels.zip(counts) {
                pixel.iter_mut().take(1).for_each(|x| *x = count);
            }
        }
    }
}
