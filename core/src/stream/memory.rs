//! Memory of a stream: one value of fixed size for each number of channels, all zeros at first, so
//! that a `static` of it takes no flash.

use crate::locate::Workspace;
use crate::locate::head::ANSWER_LEN;
use crate::net::{Lengths, Scratch};
use crate::physics::{FRAME_SIDE, MAP_LEN, MAP_SIDE, WINDOW};

/// Pixels of a map of cells with its border.
const CELLS: usize = MAP_SIDE * (MAP_SIDE + 1) + 1;
/// Pixels of a map of pixels with its border.
const PIXELS: usize = FRAME_SIDE * (FRAME_SIDE + 1) + 1;
/// Numbers of the maps with few channels.
const SMALL: usize = Lengths::map(8).small;
const SMALL_HEAD: usize = Lengths::head(8).small;
const OFFSETS: usize = Lengths::map(8).offsets;

/// Memory that a stream works in.
pub trait Memory {
    /// Channels of the network with the map that fits; 0 for none.
    const MAP_CHANNELS: usize;
    /// Channels of the offset head that fits at most.
    const HEAD_CHANNELS: usize;

    /// Scratch memory of the network, and the stage outputs of the last five frames.
    fn run(&mut self) -> Option<(Scratch<'_>, &mut [[i16; MAP_LEN]])>;

    /// Memory of the fit, in the place of a part of the network's.
    fn fit(&mut self) -> Option<&mut Workspace>;
}

/// What either the network or the fit needs, never both.
///
/// The tag is part of the layout: memory of zeros is a run of zeros.
#[derive(Debug)]
#[repr(u8)]
#[allow(
    clippy::large_enum_variant,
    reason = "both lie in one place on purpose"
)]
enum Shared<R> {
    Run(R) = 0,
    Fit(Workspace) = 1,
}

/// What has a value of zeros. A constant is written in its place; a new value would lie on the stack
/// first.
trait Zero {
    const ZERO: Self;
}

impl<R: Zero> Shared<R> {
    fn run(&mut self) -> Option<&mut R> {
        if let Self::Fit(_) = self {
            *self = const { Self::Run(R::ZERO) };
        }
        match self {
            Self::Run(run) => Some(run),
            Self::Fit(_) => None,
        }
    }

    /// Apart, so that the stack holds the new value only until it is in its place; as a constant it
    /// would take flash.
    #[inline(never)]
    fn make_fit(&mut self) {
        *self = Self::Fit(Workspace::new());
    }

    fn fit(&mut self) -> Option<&mut Workspace> {
        if let Self::Run(_) = self {
            self.make_fit();
        }
        match self {
            Self::Fit(workspace) => Some(workspace),
            Self::Run(_) => None,
        }
    }
}

/// Memory for the network with the map and `C` channels, and for an offset head of up to 2C (C below
/// 16).
#[derive(Debug)]
pub struct MapMemory<const C: usize> {
    planes: [[[i16; C]; CELLS]; 2],
    small: [i16; SMALL],
    stages: [[i16; MAP_LEN]; WINDOW],
    shared: Shared<MapRun<C>>,
}

/// What of it the fit does not need at the same time.
#[derive(Debug)]
struct MapRun<const C: usize> {
    first: [[[i16; C]; 9]; C],
    second: [[[i16; C]; 9]; 24],
    sums: [[i32; C]; MAP_SIDE],
    patches: [[[i16; C]; 9]; 11],
    line: [[i16; C]; MAP_SIDE],
    offsets: [i16; OFFSETS],
}

impl<const C: usize> Zero for MapRun<C> {
    const ZERO: Self = Self {
        first: [[[0; C]; 9]; C],
        second: [[[0; C]; 9]; 24],
        sums: [[0; C]; MAP_SIDE],
        patches: [[[0; C]; 9]; 11],
        line: [[0; C]; MAP_SIDE],
        offsets: [0; OFFSETS],
    };
}

impl<const C: usize> MapMemory<C> {
    /// Bytes.
    pub const BYTES: usize = size_of::<Self>();

    /// Fresh memory, all zeros; its content never matters.
    pub const fn new() -> Self {
        const { assert!(C.is_multiple_of(8) && C >= 8 && C <= 64) };
        Self {
            planes: [[[0; C]; CELLS]; 2],
            small: [0; SMALL],
            stages: [[0; MAP_LEN]; WINDOW],
            shared: Shared::Run(MapRun::ZERO),
        }
    }
}

impl<const C: usize> Default for MapMemory<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const C: usize> Memory for MapMemory<C> {
    const MAP_CHANNELS: usize = C;
    // Packed weights of eight outputs of the head go where a layer of the map has its own.
    const HEAD_CHANNELS: usize = if C < 16 { C } else { 2 * C };

    fn run(&mut self) -> Option<(Scratch<'_>, &mut [[i16; MAP_LEN]])> {
        let [a, b] = &mut self.planes;
        let run = self.shared.run()?;
        let scratch = Scratch {
            planes: [a.as_flattened_mut(), b.as_flattened_mut()],
            packed: [
                run.first.as_flattened_mut().as_flattened_mut(),
                run.second.as_flattened_mut().as_flattened_mut(),
            ],
            sums: run.sums.as_flattened_mut(),
            patches: run.patches.as_flattened_mut().as_flattened_mut(),
            line: run.line.as_flattened_mut(),
            offsets: &mut run.offsets,
            small: &mut self.small,
        };
        Some((scratch, &mut self.stages))
    }

    fn fit(&mut self) -> Option<&mut Workspace> {
        self.shared.fit()
    }
}

/// Memory for an offset head of `C` channels alone.
#[derive(Debug)]
pub struct HeadMemory<const C: usize> {
    x: [[i16; C]; PIXELS],
    answer: [i16; ANSWER_LEN],
    small: [i16; SMALL_HEAD],
    shared: Shared<HeadRun<C>>,
}

/// What of it the fit does not need at the same time.
#[derive(Debug)]
struct HeadRun<const C: usize> {
    packed: [[[i16; C]; 9]; C],
    sums: [[i32; C]; FRAME_SIDE],
}

impl<const C: usize> Zero for HeadRun<C> {
    const ZERO: Self = Self {
        packed: [[[0; C]; 9]; C],
        sums: [[0; C]; FRAME_SIDE],
    };
}

impl<const C: usize> HeadMemory<C> {
    /// Bytes.
    pub const BYTES: usize = size_of::<Self>();

    /// Fresh memory, all zeros; its content never matters.
    pub const fn new() -> Self {
        // Up to 56 channels an inner map fits where the answer goes.
        const { assert!(C.is_multiple_of(8) && C >= 8 && C <= 56) };
        Self {
            x: [[0; C]; PIXELS],
            answer: [0; ANSWER_LEN],
            small: [0; SMALL_HEAD],
            shared: Shared::Run(HeadRun::ZERO),
        }
    }
}

impl<const C: usize> Default for HeadMemory<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const C: usize> Memory for HeadMemory<C> {
    const MAP_CHANNELS: usize = 0;
    const HEAD_CHANNELS: usize = C;

    fn run(&mut self) -> Option<(Scratch<'_>, &mut [[i16; MAP_LEN]])> {
        let run = self.shared.run()?;
        let scratch = Scratch {
            planes: [self.x.as_flattened_mut(), &mut self.answer],
            packed: [run.packed.as_flattened_mut().as_flattened_mut(), &mut []],
            sums: run.sums.as_flattened_mut(),
            patches: &mut [],
            line: &mut [],
            offsets: &mut [],
            small: &mut self.small,
        };
        Some((scratch, &mut []))
    }

    fn fit(&mut self) -> Option<&mut Workspace> {
        self.shared.fit()
    }
}
