//! Requantisation in 32-bit steps: shifts of 32 or more leave nothing of a product's lower word but
//! its carry.

use super::super::{Finish, ProductShape, Scaling};

pub(super) fn requantise(
    sums: &[i32],
    outputs: usize,
    scaling: &Scaling,
    finish: Finish,
    out: (&mut [i16], usize),
) -> u32 {
    // One loop for each way to finish.
    match finish {
        Finish::Plain => rows(sums, outputs, scaling, out, |v, there| {
            Finish::Plain.apply(v, there)
        }),
        Finish::Relu => rows(sums, outputs, scaling, out, |v, there| {
            Finish::Relu.apply(v, there)
        }),
        Finish::Add => rows(sums, outputs, scaling, out, |v, there| {
            Finish::Add.apply(v, there)
        }),
        Finish::Shrink(_) => rows(sums, outputs, scaling, out, |v, there| {
            finish.apply(v, there)
        }),
    }
}

#[inline(always)]
fn rows(
    sums: &[i32],
    outputs: usize,
    scaling: &Scaling,
    (out, stride): (&mut [i16], usize),
    finish: impl Fn(i32, i16) -> (i16, bool),
) -> u32 {
    let shape = ProductShape {
        outputs,
        segments: 1,
        run: 1,
    };
    let pixels = sums.chunks_exact(shape.padded_outputs().max(1));
    let mut saturated = 0;
    for (sums, out) in pixels.zip(out.chunks_mut(stride.max(1))) {
        let factors = scaling.multiplier.iter().zip(&scaling.shift);
        let numbers = sums.iter().zip(&scaling.bias).zip(factors);
        for (((&sum, bias), (&multiplier, &shift)), out) in
            numbers.take(outputs).zip(out.iter_mut())
        {
            let value = rescale(sum.wrapping_add(*bias), multiplier, shift);
            let (value, clipped) = finish(value, *out);
            *out = value;
            saturated += u32::from(clipped);
        }
    }
    saturated
}

/// `round(sum · multiplier · 2^-shift)`, for the numbers of a [`crate::fixed::Requant`].
#[inline(always)]
fn rescale(sum: i32, multiplier: i32, shift: i32) -> i32 {
    let beyond = (shift - 32) as u32 & 31;
    let half = i64::from(1u32 << beyond) << 31;
    let product = i64::from(sum) * i64::from(multiplier) + half;
    (product >> 32) as i32 >> beyond
}
