//! One layer in a model file, and the reader that cuts the body into them.

use super::LoadError;
use crate::arch::{ProductShape, Scaling};
use crate::fixed::Requant;

/// Bytes of an output's bias, multiplier and shift.
const SCALING_BYTES: usize = 9;
/// Parts of the body begin at multiples of this.
pub(super) const ALIGNMENT: usize = 4;

/// A layer: sums of products and what takes them to the scale of the next layer.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'m> {
    /// Shape of the sums: a 3×3 convolution of C channels has three segments of 3C weights.
    pub shape: ProductShape,
    /// `i8` weights `(outputs, segments, run)`: output channel, kernel row, kernel column, input
    /// channel.
    pub weights: &'m [u8],
    /// Bias (`i32`), multiplier (`i32`) and shift (`u8`) of every output, little endian.
    scaling: &'m [[u8; SCALING_BYTES]],
}

impl<'m> Layer<'m> {
    /// A layer without weights.
    pub const NONE: Self = Self {
        shape: ProductShape {
            outputs: 0,
            segments: 1,
            run: 0,
        },
        weights: &[],
        scaling: &[],
    };

    /// Bias and factor of every output.
    pub fn scaling(&self) -> impl Iterator<Item = (i32, Requant)> {
        self.scaling.iter().map(|bytes| {
            let &[a, b, c, d, e, f, g, h, shift] = bytes;
            let bias = i32::from_le_bytes([a, b, c, d]);
            let multiplier = i32::from_le_bytes([e, f, g, h]);
            // Checked when the file was read.
            let factor = Requant::new(multiplier, shift).unwrap_or(Requant::ZERO);
            (bias, factor)
        })
    }

    /// Fills `scaling` with the numbers of the outputs and pads with factors of 0.
    pub fn fill_scaling(&self, scaling: &mut Scaling) {
        *scaling = Scaling::ZERO;
        for (output, (bias, factor)) in self.scaling().enumerate() {
            scaling.set(output, bias, factor);
        }
    }

    /// The layer's outputs from `first` on, `count` of them at most.
    pub fn outputs(&self, first: usize, count: usize) -> Self {
        let per_output = self.shape.segments * self.shape.run;
        let first = first.min(self.shape.outputs);
        let count = count.min(self.shape.outputs - first);
        let weights = self.weights.get(first * per_output..);
        let weights = weights.and_then(|w| w.get(..count * per_output));
        let scaling = self.scaling.get(first..).and_then(|s| s.get(..count));
        Self {
            shape: ProductShape {
                outputs: count,
                ..self.shape
            },
            weights: weights.unwrap_or(&[]),
            scaling: scaling.unwrap_or(&[]),
        }
    }

    /// Weights of one output.
    pub fn weights_of(&self, output: usize) -> &'m [u8] {
        let per_output = self.shape.segments * self.shape.run;
        let weights = self.weights.get(output * per_output..);
        weights.and_then(|w| w.get(..per_output)).unwrap_or(&[])
    }

    /// Whether every factor is in range and no sum of products with `i16` inputs can leave 32 bits.
    fn is_in_range(&self) -> bool {
        let factors = self.scaling.iter().all(|bytes| {
            let &[.., e, f, g, h, shift] = bytes;
            Requant::new(i32::from_le_bytes([e, f, g, h]), shift).is_ok()
        });
        let sums = self.scaling().enumerate().all(|(output, (bias, _))| {
            let weights = self.weights_of(output).iter();
            let sum: i64 = weights.map(|&w| i64::from((w as i8).unsigned_abs())).sum();
            sum * 32_768 + i64::from(bias.unsigned_abs()) <= i64::from(i32::MAX)
        });
        factors && sums
    }
}

/// Takes parts off the front of the body.
pub(super) struct Reader<'m> {
    rest: &'m [u8],
    part: &'static str,
}

impl<'m> Reader<'m> {
    pub(super) const fn new(rest: &'m [u8]) -> Self {
        Self { rest, part: "" }
    }

    /// Names the part that follows, for messages.
    pub(super) fn part(&mut self, part: &'static str) -> &mut Self {
        self.part = part;
        self
    }

    /// The next `len` bytes, and those that pad them.
    pub(super) fn bytes(&mut self, len: usize) -> Result<&'m [u8], LoadError> {
        let padded = len.next_multiple_of(ALIGNMENT);
        let error = LoadError::Body { part: self.part };
        let (bytes, rest) = self.rest.split_at_checked(padded).ok_or(error)?;
        self.rest = rest;
        bytes.get(..len).ok_or(error)
    }

    /// A table of 16-bit numbers, little endian.
    pub(super) fn table(&mut self, len: usize) -> Result<&'m [[u8; 2]], LoadError> {
        Ok(self.bytes(2 * len)?.as_chunks().0)
    }

    /// A layer: weights, then scaling.
    pub(super) fn layer(
        &mut self,
        outputs: usize,
        segments: usize,
        run: usize,
    ) -> Result<Layer<'m>, LoadError> {
        let shape = ProductShape {
            outputs,
            segments,
            run,
        };
        let layer = Layer {
            shape,
            weights: self.bytes(shape.weights_len())?,
            scaling: self.bytes(SCALING_BYTES * outputs)?.as_chunks().0,
        };
        self.check(layer.is_in_range())?;
        Ok(layer)
    }

    /// A 3×3 convolution.
    pub(super) fn conv2d(&mut self, inputs: usize, outputs: usize) -> Result<Layer<'m>, LoadError> {
        self.layer(outputs, 3, 3 * inputs)
    }

    /// Refuses what is out of range in this part.
    pub(super) fn check(&self, holds: bool) -> Result<(), LoadError> {
        let error = LoadError::Range { part: self.part };
        holds.then_some(()).ok_or(error)
    }

    /// Refuses bytes after the last part.
    pub(super) fn end(self) -> Result<(), LoadError> {
        let error = LoadError::Body { part: "end" };
        self.rest.is_empty().then_some(()).ok_or(error)
    }
}
