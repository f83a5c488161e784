//! The last five frames of a stream.

use super::StreamConfig;
use super::fill::{Mask, fill};
use crate::locate::WINDOW_LEN;
use crate::net::{Frame, take_frame};
use crate::physics::{FRAME_LEN, WINDOW};

/// A ring of frames; slots keep their place until they are the oldest.
#[derive(Clone, Debug)]
pub(super) struct History {
    readings: [[u16; FRAME_LEN]; WINDOW],
    masks: [Mask; WINDOW],
    /// Frames as the network takes them.
    inputs: [Frame; WINDOW],
    next: usize,
    frames: usize,
}

impl History {
    pub(super) const EMPTY: Self = Self {
        readings: [[0; FRAME_LEN]; WINDOW],
        masks: [Mask::EMPTY; WINDOW],
        inputs: [[0; FRAME_LEN]; WINDOW],
        next: 0,
        frames: 0,
    };

    /// Takes a frame; returns how many of its counts were saturated.
    pub(super) fn push(
        &mut self,
        readings: &[u16],
        dead: Option<&[bool]>,
        config: &StreamConfig,
        bits: u8,
    ) -> u32 {
        let mut mask = Mask::EMPTY;
        let mut counts = [0; FRAME_LEN];
        for (pixel, (count, &reading)) in counts.iter_mut().zip(readings).enumerate() {
            let is_dead = dead
                .and_then(|dead| dead.get(pixel))
                .is_some_and(|&dead| dead);
            let is_full = config.saturation.is_some_and(|most| reading >= most);
            if is_dead || is_full {
                mask.insert(pixel);
            }
            *count = i32::from(reading) - i32::from(config.pedestal);
        }
        fill(&mut counts, mask);
        let slot = self.next % WINDOW;
        let mut saturated = 0;
        if let Some(kept) = self.readings.get_mut(slot) {
            kept.iter_mut()
                .zip(readings)
                .for_each(|(kept, &r)| *kept = r);
        }
        if let Some(kept) = self.masks.get_mut(slot) {
            *kept = mask;
        }
        if let Some(input) = self.inputs.get_mut(slot) {
            saturated = take_frame(&counts, bits, input);
        }
        self.next = (slot + 1) % WINDOW;
        self.frames = WINDOW.min(self.frames + 1);
        saturated
    }

    /// Counts frames anew. Those there stay until others take their place.
    pub(super) const fn forget(&mut self) {
        self.frames = 0;
    }

    /// Whether there are five frames.
    pub(super) const fn is_full(&self) -> bool {
        self.frames == WINDOW
    }

    /// Slot of the last frame.
    pub(super) const fn newest(&self) -> usize {
        (self.next + WINDOW - 1) % WINDOW
    }

    /// Slots of a full history in time order.
    pub(super) fn order(&self) -> [usize; WINDOW] {
        [0, 1, 2, 3, 4].map(|time| (self.next + time) % WINDOW)
    }

    /// The frame in `slot` as the network takes it.
    pub(super) const fn inputs(&self, slot: usize) -> &Frame {
        &self.inputs[slot % WINDOW]
    }

    /// Whether any pixel is not to be believed.
    pub(super) fn has_dead(&self) -> bool {
        self.masks.iter().any(|mask| !mask.is_empty())
    }

    /// Counts in time order, and flags of those not to believe.
    pub(super) fn window(&self, pedestal: u16) -> ([f32; WINDOW_LEN], [bool; WINDOW_LEN]) {
        let (mut counts, mut dead) = ([0.0; WINDOW_LEN], [false; WINDOW_LEN]);
        let frames = counts.chunks_exact_mut(FRAME_LEN);
        let frames = frames.zip(dead.chunks_exact_mut(FRAME_LEN));
        for ((counts, dead), slot) in frames.zip(self.order()) {
            let mask = self.masks[slot % WINDOW];
            let pixels = counts
                .iter_mut()
                .zip(dead)
                .zip(&self.readings[slot % WINDOW]);
            for (pixel, ((count, dead), &reading)) in pixels.enumerate() {
                // At most 65,535 on either side of 0: no digit is lost.
                *count = (i32::from(reading) - i32::from(pedestal)) as f32;
                *dead = mask.contains(pixel);
            }
        }
        (counts, dead)
    }
}
