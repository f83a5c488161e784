//! Memory of a run: one size for each number of channels.

use crate::error::{Result, check_room};
use crate::locate::head::ANSWER_LEN;
use crate::ops::plane_len;
use crate::physics::{FRAME_SIDE, MAP_LEN, MAP_SIDE, RESPONSE_LEN, WINDOW};
use crate::weights::OFFSETS;

/// Pixels whose bilinear samples are held at once.
const SAMPLED: usize = crate::ops::SAMPLED_PIXELS;
/// Outputs of the layer with displacements, padded to the kernels' blocks.
const PADDED_OFFSETS: usize = OFFSETS.next_multiple_of(8);
/// Maps with one channel.
const SINGLE: usize = plane_len(MAP_SIDE, 1);

/// Numbers that each part of [`Scratch`] needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// The two planes.
    pub planes: [usize; 2],
    /// Packed weights: of one layer, and of another beside it.
    pub packed: [usize; 2],
    /// Sums of one row.
    pub sums: usize,
    /// Bilinear samples.
    pub patches: usize,
    /// A row on its way.
    pub line: usize,
    /// Displacements of one row.
    pub offsets: usize,
    /// Maps of few channels.
    pub small: usize,
}

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

impl Lengths {
    /// For the network with the map and `channels` channels.
    pub const fn map(channels: usize) -> Self {
        let stage = SINGLE + 3 * MAP_LEN + RESPONSE_LEN;
        let align = plane_len(MAP_SIDE, WINDOW) + 2 * SINGLE;
        Self {
            planes: [plane_len(MAP_SIDE, channels); 2],
            packed: [9 * channels * channels, 9 * channels * PADDED_OFFSETS],
            sums: MAP_SIDE * channels,
            patches: SAMPLED * 9 * channels,
            line: MAP_SIDE * channels,
            offsets: MAP_SIDE * OFFSETS,
            small: max(stage, align),
        }
    }

    /// For the offset head with `channels` channels: packed weights of eight outputs at a time, and
    /// faster with more.
    pub const fn head(channels: usize) -> Self {
        let plane = plane_len(FRAME_SIDE, channels);
        Self {
            planes: [plane, max(plane, ANSWER_LEN)],
            packed: [9 * channels * 8, 0],
            sums: FRAME_SIDE * channels,
            patches: 0,
            line: 0,
            offsets: 0,
            small: plane_len(FRAME_SIDE, WINDOW),
        }
    }
}

/// Memory of a run, the caller's.
#[derive(Debug)]
pub struct Scratch<'s> {
    /// Maps of all channels.
    pub planes: [&'s mut [i16]; 2],
    /// Weights as the kernels read them.
    pub packed: [&'s mut [i16]; 2],
    /// Sums of one row.
    pub sums: &'s mut [i32],
    /// Bilinear samples.
    pub patches: &'s mut [i16],
    /// A row on its way.
    pub line: &'s mut [i16],
    /// Displacements of one row.
    pub offsets: &'s mut [i16],
    /// Maps of few channels.
    pub small: &'s mut [i16],
}

impl Scratch<'_> {
    pub(super) fn check(&self, lengths: Lengths) -> Result<()> {
        for (plane, needed) in self.planes.iter().zip(lengths.planes) {
            check_room("scratch planes", needed, plane.len())?;
        }
        for (packed, needed) in self.packed.iter().zip(lengths.packed) {
            check_room("scratch for weights", needed, packed.len())?;
        }
        check_room("scratch for sums", lengths.sums, self.sums.len())?;
        check_room("scratch for samples", lengths.patches, self.patches.len())?;
        check_room("scratch for a row", lengths.line, self.line.len())?;
        check_room(
            "scratch for displacements",
            lengths.offsets,
            self.offsets.len(),
        )?;
        check_room("scratch for maps", lengths.small, self.small.len())
    }
}
