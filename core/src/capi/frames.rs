//! A stream as C sees it, whatever its memory.

use core::mem::MaybeUninit;

use super::codes::{Code, DREF_ERROR_NO_MAP};
use super::types::{DREF_FRAME_READINGS, DREF_MAP_CELLS, DREF_WINDOW_READINGS, DrefAnswer};
use crate::stream::{Memory, Readout, Stream};

/// The functions of a stream.
pub(super) trait Frames {
    /// Takes a frame; nothing before the fifth.
    fn push(
        &mut self,
        readings: &[u16; DREF_FRAME_READINGS],
        dead: Option<&[bool; DREF_FRAME_READINGS]>,
    ) -> Result<Option<DrefAnswer>, Code>;

    /// The answer for one window.
    fn window(
        &mut self,
        readings: &[u16; DREF_WINDOW_READINGS],
        dead: Option<&[bool; DREF_WINDOW_READINGS]>,
    ) -> Result<DrefAnswer, Code>;

    /// Forgets all frames.
    fn reset(&mut self);

    /// The last answer's map, counts. Only meaningful right after an answer.
    fn map(&mut self, cells: &mut [MaybeUninit<f32>; DREF_MAP_CELLS]) -> Result<(), Code>;
}

impl<M: Memory> Frames for Stream<'_, M> {
    fn push(
        &mut self,
        readings: &[u16; DREF_FRAME_READINGS],
        dead: Option<&[bool; DREF_FRAME_READINGS]>,
    ) -> Result<Option<DrefAnswer>, Code> {
        let answer = Self::push(self, readings, dead.map(<[bool; _]>::as_slice))?;
        Ok(answer.map(|answer| (&answer).into()))
    }

    fn window(
        &mut self,
        readings: &[u16; DREF_WINDOW_READINGS],
        dead: Option<&[bool; DREF_WINDOW_READINGS]>,
    ) -> Result<DrefAnswer, Code> {
        let answer = Self::window(self, readings, dead.map(<[bool; _]>::as_slice))?;
        Ok((&answer).into())
    }

    fn reset(&mut self) {
        Self::reset(self);
    }

    fn map(&mut self, cells: &mut [MaybeUninit<f32>; DREF_MAP_CELLS]) -> Result<(), Code> {
        if self.config().readout != Readout::Grid {
            return Err(Code(DREF_ERROR_NO_MAP));
        }
        let map = Self::map(self).ok_or(Code(DREF_ERROR_NO_MAP))?;
        for (cell, count) in cells.iter_mut().zip(map.counts()) {
            cell.write(count);
        }
        Ok(())
    }
}
