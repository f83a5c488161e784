//! Rows of sums on their way to requantised numbers.

use super::super::{MAX_OUTPUTS, ProductShape, Scaling};
use crate::fixed::Requant;

/// Rows of which every number is there, with shifts of which the upper word of a product suffices.
pub(super) struct Rows<'a> {
    sums: &'a [i32],
    /// Numbers from one row of sums to the next, a multiple of 8, at most 64.
    padded: usize,
    /// Outputs per row, at most `padded`.
    pub(super) outputs: usize,
    pub(super) scaling: &'a Scaling,
    out: &'a mut [i16],
    /// Numbers from one row of the result to the next.
    stride: usize,
    /// Rows.
    len: usize,
}

/// Where 16 outputs of every row are.
pub(super) struct Block {
    pub(super) sums: *const i32,
    pub(super) padded: usize,
    pub(super) out: *mut i16,
    pub(super) stride: usize,
    pub(super) rows: usize,
}

impl<'a> Rows<'a> {
    /// The rows, or none where the scalar kernel must say what happens.
    pub(super) fn new(
        sums: &'a [i32],
        outputs: usize,
        scaling: &'a Scaling,
        (out, stride): (&'a mut [i16], usize),
    ) -> Option<Self> {
        // A single output is not padded to a vector.
        if !(2..=MAX_OUTPUTS).contains(&outputs) || stride < outputs {
            return None;
        }
        let (segments, run) = (1, 1);
        let shape = ProductShape {
            outputs,
            segments,
            run,
        };
        let padded = shape.padded_outputs();
        let len = (sums.len() / padded).min(out.len().div_ceil(stride));
        let least = i32::from(*Requant::SHIFTS.start());
        let most = i32::from(*Requant::SHIFTS.end());
        let usual = |&shift: &i32| (least..=most).contains(&shift);
        let mut shifts = scaling.shift.iter().take(padded);
        if !shifts.all(usual) || len > 0 && out.len() - (len - 1) * stride < outputs {
            return None;
        }
        Some(Self {
            sums,
            padded,
            outputs,
            scaling,
            out,
            stride,
            len,
        })
    }

    /// The 16 outputs from `first` on, where there are as many: the first sum and the first result
    /// with the distances of the next, and the number of rows. All of them are there.
    #[inline]
    pub(super) fn full_block(&mut self, first: usize) -> Option<Block> {
        (first + 16 <= self.outputs).then(|| Block {
            sums: self.sums.as_ptr().wrapping_add(first),
            padded: self.padded,
            out: self.out.as_mut_ptr().wrapping_add(first),
            stride: self.stride,
            rows: self.len,
        })
    }

    /// The `N` outputs from `first` on, row by row: sums with their padding, results without.
    #[inline]
    pub(super) fn block<const N: usize>(
        &mut self,
        first: usize,
    ) -> impl Iterator<Item = (&[i32], &mut [i16])> {
        let sums = self.sums.chunks_exact(self.padded);
        let out = self.out.chunks_mut(self.stride);
        let from = first..(first + N).min(self.padded);
        let to = first..(first + N).min(self.outputs);
        let rows = sums.zip(out);
        rows.filter_map(move |(sums, out)| {
            Some((sums.get(from.clone())?, out.get_mut(to.clone())?))
        })
    }
}
