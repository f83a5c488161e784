//! Requantisation in 32-bit steps: shifts of 32 or more leave nothing of a product's lower word but
//! its carry.

use super::super::{Finish, MAX_OUTPUTS, ProductShape, Scaling};

/// Pixel after pixel by `pixel`, which gets as many sums as results, 1..=64 of them, and tells how
/// many values it saturated.
#[inline(always)]
pub(super) fn pixels(
    sums: &[i32],
    outputs: usize,
    (out, stride): (&mut [i16], usize),
    mut pixel: impl FnMut(&[i32], &mut [i16]) -> u32,
) -> u32 {
    let shape = ProductShape {
        outputs,
        segments: 1,
        run: 1,
    };
    let rows = sums.chunks_exact(shape.padded_outputs().max(1));
    let mut saturated = 0;
    for (sums, out) in rows.zip(out.chunks_mut(stride.max(1))) {
        let count = outputs.min(out.len()).min(MAX_OUTPUTS);
        if let (Some(sums @ [_, ..]), Some(out)) = (sums.get(..count), out.get_mut(..count)) {
            saturated += pixel(sums, out);
        }
    }
    saturated
}

/// What the sums of one output are multiplied by, as the inner loops read it.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Factor {
    bias: i32,
    multiplier: i32,
    /// Half of the result's unit, in 64 bits.
    half: [u32; 2],
    /// Of the product's upper word.
    shift: u32,
}

impl Factor {
    const ZERO: Self = Self {
        bias: 0,
        multiplier: 0,
        half: [0; 2],
        shift: 0,
    };

    /// The factors of a layer.
    pub(super) fn table(scaling: &Scaling, outputs: usize) -> [Self; MAX_OUTPUTS] {
        let mut table = [Self::ZERO; MAX_OUTPUTS];
        let factors = scaling.multiplier.iter().zip(&scaling.shift);
        let numbers = scaling.bias.iter().zip(factors).take(outputs);
        for (slot, (&bias, (&multiplier, &shift))) in table.iter_mut().zip(numbers) {
            let shift = shift.wrapping_sub(32) as u32 & 31;
            let unit = 1u32 << shift;
            *slot = Self {
                bias,
                multiplier,
                half: [unit << 31, unit >> 1],
                shift,
            };
        }
        table
    }

    #[inline(always)]
    fn apply(&self, sum: i32) -> i32 {
        let [low, high] = self.half.map(i64::from);
        let product = i64::from(sum.wrapping_add(self.bias)) * i64::from(self.multiplier);
        (product.wrapping_add(high << 32 | low) >> 32) as i32 >> self.shift
    }
}

/// One pixel without assembly.
pub(super) fn pixel(table: &[Factor], finish: Finish, sums: &[i32], out: &mut [i16]) -> u32 {
    let mut saturated = 0;
    for ((factor, &sum), out) in table.iter().zip(sums).zip(out) {
        let (value, clipped) = finish.apply(factor.apply(sum), *out);
        *out = value;
        saturated += u32::from(clipped);
    }
    saturated
}
