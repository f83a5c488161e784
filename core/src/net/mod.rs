//! The integer network: stages, alignment and tail, and the offset head.
//!
//! A [`Run`] holds kernels and scratch memory; its functions are the network's parts, so that a
//! stream unfolds each frame once. All tensors are `i16` with one scale each, weights `i8` with one
//! scale per output, sums `i32` whose range was proved when the model was read. Every rescaling
//! rounds as [`crate::fixed::rounded_shift`] does. The scales themselves are folded into the file's factors: nothing here
//! is a floating-point number.

mod align;
mod head;
mod probe;
mod scratch;
mod stage;
mod tail;

pub use probe::{Picture, Probe, Tensor};
pub use scratch::{Lengths, Scratch};

use crate::arch::Kernels;
use crate::error::Result;
use crate::physics::FRAME_LEN;

/// A frame as the network takes it: counts with the model's fraction bits.
pub type Frame = [i16; FRAME_LEN];

/// One pass through the network, or a part of one.
pub struct Run<'s> {
    kernels: Kernels,
    scratch: Scratch<'s>,
    probe: &'s mut dyn Probe,
    saturated: u32,
}

impl<'s> Run<'s> {
    /// A run in `scratch`, whose content does not matter.
    ///
    /// # Errors
    /// [`crate::Error::Capacity`] if a part of `scratch` is shorter than `lengths` say.
    pub fn new(
        kernels: Kernels,
        lengths: Lengths,
        scratch: Scratch<'s>,
        probe: &'s mut dyn Probe,
    ) -> Result<Self> {
        scratch.check(lengths)?;
        Ok(Self {
            kernels,
            scratch,
            probe,
            saturated: 0,
        })
    }

    /// Values saturated so far. Calibrated models saturate on frames far beyond their training data.
    pub const fn saturated(&self) -> u32 {
        self.saturated
    }
}

/// A frame's counts with `bits` fraction bits, and how many of them were saturated.
pub fn take_frame(counts: &[i32; FRAME_LEN], bits: u8, frame: &mut Frame) -> u32 {
    let mut saturated = 0;
    let scale = 1i64 << bits.min(16);
    for (out, &count) in frame.iter_mut().zip(counts) {
        let value = i64::from(count) * scale;
        let kept = value.clamp(i16::MIN.into(), i16::MAX.into());
        saturated += u32::from(kept != value);
        *out = kept as i16;
    }
    saturated
}

/// The sums of a run, and back again.
macro_rules! with_sums {
    ($run:expr, $sums:ident, $body:block) => {{
        let mut $sums = $crate::ops::Sums {
            kernels: $run.kernels,
            sums: &mut *$run.scratch.sums,
            saturated: 0,
        };
        let value = $body;
        let saturated = $sums.saturated;
        $run.saturated += saturated;
        value
    }};
}
pub(crate) use with_sums;

#[cfg(test)]
mod tests;
