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
}

/// Whether the shifts of the first `padded` outputs leave nothing but the upper words of products.
pub(super) fn has_usual_shifts(scaling: &Scaling, padded: usize) -> bool {
    let least = i32::from(*Requant::SHIFTS.start());
    let most = i32::from(*Requant::SHIFTS.end());
    let usual = |&shift: &i32| (least..=most).contains(&shift);
    scaling.shift.iter().take(padded).all(usual)
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
        if !has_usual_shifts(scaling, padded) || len > 0 && out.len() - (len - 1) * stride < outputs
        {
            return None;
        }
        Some(Self {
            sums,
            padded,
            outputs,
            scaling,
            out,
            stride,
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
