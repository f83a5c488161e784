//! Operators of the integer network in terms of the kernels of [`crate::arch`].
//!
//! Maps are `(side, side, channels)` and have a border: a column of zeros in front of each row and
//! one pixel of zeros at the end. So the three pixels that a kernel's row covers lie in one run, and
//! the end of a row reads the zeros in front of the next. Rows above and below the map are left out.

mod conv2d;
mod data_step;
mod deform_conv2d;
mod linear;
mod sigmoid;

pub(crate) use conv2d::{Prepared, Sums, conv2d};
pub(crate) use data_step::{back_project, data_step, read_table};
pub(crate) use deform_conv2d::{PIXELS as SAMPLED_PIXELS, deform_conv2d};
pub(crate) use linear::start_map;
pub use sigmoid::{FRACTION as SIGMOID_FRACTION, sigmoid};

/// Numbers of a map with its border; one more for an odd number of channels, whose runs read ahead.
pub const fn plane_len(side: usize, channels: usize) -> usize {
    (side * (side + 1) + 1) * channels + channels % 2
}

/// Where the pixels of a map lie in a slice: pixel `(r, c)` starts at `first + r·row + c·pixel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// Start of pixel (0, 0).
    pub first: usize,
    /// From one row to the next.
    pub row: usize,
    /// From one pixel to the next.
    pub pixel: usize,
}

impl Places {
    /// A map without border.
    pub const fn dense(side: usize, channels: usize) -> Self {
        Self {
            first: 0,
            row: side * channels,
            pixel: channels,
        }
    }

    /// A map with its border.
    pub const fn bordered(side: usize, channels: usize) -> Self {
        Self {
            first: channels,
            row: (side + 1) * channels,
            pixel: channels,
        }
    }

    /// The same pixels from channel `channel` on.
    pub const fn channel(self, channel: usize) -> Self {
        Self {
            first: self.first + channel,
            ..self
        }
    }

    /// The rest of `data` from the first pixel of row `row`.
    pub(crate) fn row_of(self, data: &mut [i16], row: usize) -> &mut [i16] {
        data.get_mut(self.first + row * self.row..)
            .unwrap_or_default()
    }
}

/// A map with its border.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plane<'a> {
    pub(crate) data: &'a [i16],
    pub(crate) side: usize,
    pub(crate) channels: usize,
}

impl<'a> Plane<'a> {
    /// What the kernel's three rows read for the pixels of `row`; nothing outside the map.
    pub(crate) fn runs(&self, row: usize) -> [Option<&'a [i16]>; 3] {
        [0, 1, 2].map(|tap| {
            let row = (row + tap).checked_sub(1).filter(|&row| row < self.side)?;
            self.data.get(row * (self.side + 1) * self.channels..)
        })
    }

    /// The pixels of `row`, from its first one.
    pub(crate) fn pixels(&self, row: usize) -> Option<&'a [i16]> {
        let first = (row * (self.side + 1) + 1) * self.channels;
        self.data.get(first..)
    }
}

/// Zeros in the border of a map, where another map may have lain before.
pub(crate) fn clear_border(data: &mut [i16], side: usize, channels: usize) {
    let row = ((side + 1) * channels).max(1);
    for row in data.chunks_mut(row).take(side + 1) {
        row.iter_mut().take(channels).for_each(|x| *x = 0);
    }
    // The number that the last run of an odd number of channels reads ahead.
    if let Some(last) = data.get_mut(plane_len(side, channels).saturating_sub(1)) {
        *last = 0;
    }
}

/// Cuts the first `len` numbers off `rest`; as many as there are, where they are fewer.
pub(crate) fn carve<'a, T>(rest: &mut &'a mut [T], len: usize) -> &'a mut [T] {
    let all = core::mem::take(rest);
    let (part, tail) = all.split_at_mut(len.min(all.len()));
    *rest = tail;
    part
}
