//! The body of a model file, cut into the layers of the network.

use heapless::Vec;

use super::header::{HeadHeader, MAX_BLOCKS, MAX_STAGES, MapHeader};
use super::layer::{Layer, Reader};
use super::{Header, LoadError};
use crate::fixed::Requant;
use crate::locate::head::CHANNELS;
use crate::physics::{FRAME_LEN, MAP_LEN, MAP_SIDE, RATIO, RESPONSE_LEN, WINDOW};

/// Displacements per pixel of a deformable 3×3 convolution.
pub const OFFSETS: usize = 18;
/// Outputs of the head per pixel: nine cells times seven numbers.
pub const HEAD_OUTPUTS: usize = RATIO * RATIO * CHANNELS;
/// Shifts of a stage's data step.
pub const STEP_SHIFTS: core::ops::RangeInclusive<u8> = 16..=46;
/// Thresholds of a stage: beyond them everything is 0, or nothing is left but the sign.
pub const THRESHOLDS: core::ops::RangeInclusive<i32> = -65_535..=65_535;
/// Bytes of a stage's numbers for its data step.
const STEP_BYTES: usize = 23;

/// A model file, checked and cut into parts; nothing is copied.
#[derive(Clone, Debug)]
pub struct Model<'m> {
    /// Its header.
    pub header: Header<'m>,
    /// The network with the map.
    pub map: Option<MapNetwork<'m>>,
    /// The offset head.
    pub head: Option<HeadNetwork<'m>>,
}

/// The network with the map (SeqCSIST, Eq. 5–17).
#[derive(Clone, Debug)]
pub struct MapNetwork<'m> {
    /// Sizes and scales.
    pub header: MapHeader,
    /// `A (11, 33)`, `i16` with 15 fraction bits.
    pub response: &'m [[u8; 2]],
    /// `AᵀA (33, 33)`, `i16` with 14 fraction bits.
    pub gram: &'m [[u8; 2]],
    /// `Q_init` of the cells of [`MapHeader::cells`], row by row: an output each, 121 weights.
    pub start: Layer<'m>,
    /// Unfolded stages.
    pub stages: Vec<Stage<'m>, MAX_STAGES>,
    /// Bias and slope of the position code, `(1089)` each, `i16` with [`MapHeader::gate_bits`]:
    /// cell `i` at time `t` of the window is gated by `sigmoid(bias[i] + t·slope[i])`.
    pub gates: [&'m [[u8; 2]]; 2],
    /// Features: 3×3, 1 → C.
    pub feature: Layer<'m>,
    /// Selective attention: 1×1, C → C/2, of the centre's and of the reference's features.
    pub halves: [Layer<'m>; 2],
    /// Selective attention: 3×3, 2 → 2, whose outputs have 12 fraction bits.
    pub squeeze: Layer<'m>,
    /// Displacements (3×3, C → 18) and kernel (C → C) of both deformable convolutions.
    pub deforms: [[Layer<'m>; 2]; 2],
    /// Aligned map: 3×3, C → 1.
    pub merge: Layer<'m>,
    /// Tail: 3×3, 5 → C.
    pub tail: Layer<'m>,
    /// Residual blocks.
    pub blocks: Vec<[Layer<'m>; 2], MAX_BLOCKS>,
    /// Answer: 3×3, C → 1.
    pub answer: Layer<'m>,
}

/// One unfolded stage (Eq. 8 and 15).
#[derive(Clone, Copy, Debug)]
pub struct Stage<'m> {
    /// Takes sums of `H·G` to the scale of that product.
    pub across: Requant,
    /// Takes sums of `G·(H·G)` to the scale of `ΦᵀL`, which has [`Header::input_bits`].
    pub down: Requant,
    /// `R = H·keep - (G·H·G - ΦᵀL)·pull`, both times `2^-shift`.
    pub keep: i32,
    /// See [`Self::keep`]; its sign is that of ρ.
    pub pull: i32,
    /// Rounds both at once; within [`STEP_SHIFTS`].
    pub shift: u8,
    /// Threshold θ, in steps of the layer it follows.
    pub theta: i32,
    /// 3×3 convolutions 1 → C, C → C, C → C and C → 1.
    pub layers: [Layer<'m>; 4],
}

/// The offset head.
#[derive(Clone, Debug)]
pub struct HeadNetwork<'m> {
    /// Sizes and scales.
    pub header: HeadHeader,
    /// 3×3, 5 → C.
    pub input: Layer<'m>,
    /// Residual blocks.
    pub blocks: Vec<[Layer<'m>; 2], MAX_BLOCKS>,
    /// 3×3, C → 63.
    pub output: Layer<'m>,
}

impl<'m> Model<'m> {
    /// Cuts `body` into the parts that `header` says.
    pub(super) fn read(header: Header<'m>, body: &'m [u8]) -> Result<Self, LoadError> {
        let mut reader = Reader::new(body);
        let map = header.map.map(|map| MapNetwork::read(map, &mut reader));
        let map = map.transpose()?;
        let head = header.head.map(|head| HeadNetwork::read(head, &mut reader));
        let head = head.transpose()?;
        reader.end()?;
        Ok(Self { header, map, head })
    }
}

impl<'m> MapNetwork<'m> {
    fn read(header: MapHeader, reader: &mut Reader<'m>) -> Result<Self, LoadError> {
        let c = usize::from(header.channels);
        let [top, bottom, left, right] = header.cells.map(usize::from);
        let cells = (bottom - top) * (right - left);
        let response = reader.part("response").table(RESPONSE_LEN)?;
        reader.check(columns_fit(response))?;
        let gram = reader.part("gram").table(MAP_LEN)?;
        reader.check(rows_fit(gram) && columns_fit(gram))?;
        let start = reader.part("start").layer(cells, 1, FRAME_LEN)?;
        let mut stages = Vec::new();
        for _ in 0..header.stages {
            let stage = Stage::read(c, reader.part("stages"))?;
            // There is room: the header was checked.
            let _ = stages.push(stage);
        }
        reader.part("gates");
        let gates = [reader.table(MAP_LEN)?, reader.table(MAP_LEN)?];
        reader.part("alignment");
        let feature = reader.conv2d(1, c)?;
        let halves = [reader.layer(c / 2, 1, c)?, reader.layer(c / 2, 1, c)?];
        let squeeze = reader.conv2d(2, 2)?;
        let mut deform = || Ok([reader.conv2d(c, OFFSETS)?, reader.layer(c, 1, 9 * c)?]);
        let deforms = [deform()?, deform()?];
        Ok(Self {
            header,
            response,
            gram,
            start,
            stages,
            gates,
            feature,
            halves,
            squeeze,
            deforms,
            merge: reader.conv2d(c, 1)?,
            tail: reader.part("tail").conv2d(WINDOW, c)?,
            blocks: read_blocks(header.residual_blocks, c, reader)?,
            answer: reader.conv2d(c, 1)?,
        })
    }
}

impl<'m> Stage<'m> {
    fn read(c: usize, reader: &mut Reader<'m>) -> Result<Self, LoadError> {
        let numbers: Option<&[u8; STEP_BYTES]> = reader.bytes(STEP_BYTES)?.first_chunk();
        let numbers = numbers.ok_or(LoadError::Body { part: "stages" })?;
        let mut rest = numbers.as_slice();
        let mut word = || {
            let (word, tail) = rest.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
            rest = tail;
            i32::from_le_bytes(*word)
        };
        let [across, down, keep, pull, theta] = [word(), word(), word(), word(), word()];
        let &[.., s, t, u] = numbers;
        let factor = |multiplier, shift| {
            Requant::new(multiplier, shift).map_err(|_| LoadError::Range { part: "stages" })
        };
        reader.check(STEP_SHIFTS.contains(&u) && THRESHOLDS.contains(&theta))?;
        Ok(Self {
            across: factor(across, s)?,
            down: factor(down, t)?,
            keep,
            pull,
            shift: u,
            theta,
            layers: [
                reader.conv2d(1, c)?,
                reader.conv2d(c, c)?,
                reader.conv2d(c, c)?,
                reader.conv2d(c, 1)?,
            ],
        })
    }
}

impl<'m> HeadNetwork<'m> {
    fn read(header: HeadHeader, reader: &mut Reader<'m>) -> Result<Self, LoadError> {
        let c = usize::from(header.channels);
        Ok(Self {
            header,
            input: reader.part("head").conv2d(WINDOW, c)?,
            blocks: read_blocks(header.residual_blocks, c, reader)?,
            output: reader.conv2d(c, HEAD_OUTPUTS)?,
        })
    }
}

fn read_blocks<'m>(
    count: u8,
    c: usize,
    reader: &mut Reader<'m>,
) -> Result<Vec<[Layer<'m>; 2], MAX_BLOCKS>, LoadError> {
    let mut blocks = Vec::new();
    for _ in 0..count {
        let block = [reader.conv2d(c, c)?, reader.conv2d(c, c)?];
        // There is room: the header was checked.
        let _ = blocks.push(block);
    }
    Ok(blocks)
}

/// Whether sums of products of `i16` with any column of a table of 33 columns fit 32 bits.
fn columns_fit(table: &[[u8; 2]]) -> bool {
    let fits = |column: usize| {
        let rows = table.chunks_exact(MAP_SIDE);
        let elements = rows.filter_map(|row| row.get(column));
        elements.map(|&e| magnitude(e)).sum::<u32>() <= 65_535
    };
    (0..MAP_SIDE).all(fits)
}

/// The same of its rows.
fn rows_fit(table: &[[u8; 2]]) -> bool {
    let mut rows = table.chunks_exact(MAP_SIDE);
    rows.all(|row| row.iter().map(|&e| magnitude(e)).sum::<u32>() <= 65_535)
}

fn magnitude(element: [u8; 2]) -> u32 {
    i16::from_le_bytes(element).unsigned_abs().into()
}
