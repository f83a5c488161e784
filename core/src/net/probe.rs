//! Looking at the network's tensors while it runs: for calibration, reports and tests.

use crate::ops::Places;

/// A tensor of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tensor {
    /// `H⁰`, 1 channel.
    Start,
    /// `ΦᵀL`, 1 channel.
    Back,
    /// `R` of a stage, 1 channel.
    Step(u8),
    /// Output of one of the first three convolutions of a stage; the second after the threshold.
    Hidden(u8, u8),
    /// Output of a stage, 1 channel.
    Stage(u8),
    /// Stage output of a frame of the window times its gate, 1 channel.
    Coded(u8),
    /// Features of a frame of the window.
    Feature(u8),
    /// Aggregate of the centre and a frame of the window.
    Aggregate(u8),
    /// Displacements of the first or second deformable convolution, 18 channels, one row.
    Offsets(u8, u8),
    /// Output of the first or second deformable convolution.
    Deformed(u8, u8),
    /// Aligned maps with the coded centre among them, 5 channels.
    Stack,
    /// First convolution of the tail.
    Tail,
    /// Inner convolution of a residual block of the tail, then its output.
    Block(u8, u8),
    /// The answer, 1 channel.
    Map,
    /// First convolution of the head.
    HeadInput,
    /// Inner convolution of a residual block of the head, then its output.
    HeadBlock(u8, u8),
    /// The head's answer, 63 channels.
    HeadAnswer,
}

/// A tensor's values where they lie.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    pub(crate) data: &'a [i16],
    pub(crate) places: Places,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) channels: usize,
}

impl<'a> Picture<'a> {
    /// Rows, columns, channels.
    pub const fn shape(&self) -> [usize; 3] {
        [self.rows, self.columns, self.channels]
    }

    /// All values as `(row, column, channel)`.
    pub fn values(self) -> impl Iterator<Item = i16> + 'a {
        let pixel = move |row: usize, column: usize| {
            let places = self.places;
            let first = places.first + row * places.row + column * places.pixel;
            let pixel = self.data.get(first..).unwrap_or(&[]);
            pixel.iter().copied().take(self.channels)
        };
        (0..self.rows).flat_map(move |row| (0..self.columns).flat_map(move |c| pixel(row, c)))
    }
}

/// Sees every tensor once it is there; `()` looks at nothing.
pub trait Probe {
    /// Called with each tensor.
    fn see(&mut self, tensor: Tensor, picture: Picture<'_>);
}

impl Probe for () {
    fn see(&mut self, _: Tensor, _: Picture<'_>) {}
}
