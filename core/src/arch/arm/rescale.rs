//! Requantisation, four sums at a time, in 32-bit steps: shifts of 32 or more leave nothing of a
//! product's lower word but its carry.

#![allow(unsafe_code)]

use core::arch::asm;
use core::mem::MaybeUninit;

use super::super::{Finish, MAX_OUTPUTS, ProductShape, Scaling};

/// Pixel after pixel by `pixel`, which gets as many sums as results, 1..=64 of them, and tells how
/// many values it saturated.
#[cfg(derefnet_mve)]
#[inline(always)]
pub(super) fn pixels(
    sums: &[i32],
    outputs: usize,
    (out, stride): (&mut [i16], usize),
    mut pixel: impl FnMut(&[i32], &mut [i16]) -> u32,
) -> u32 {
    let rows = sums.chunks_exact(padded(outputs).max(1));
    let mut saturated = 0;
    for (sums, out) in rows.zip(out.chunks_mut(stride.max(1))) {
        let count = outputs.min(out.len()).min(MAX_OUTPUTS);
        if let (Some(sums @ [_, ..]), Some(out)) = (sums.get(..count), out.get_mut(..count)) {
            saturated += pixel(sums, out);
        }
    }
    saturated
}

/// Sums of a pixel.
const fn padded(outputs: usize) -> usize {
    let shape = ProductShape {
        outputs,
        segments: 1,
        run: 1,
    };
    shape.padded_outputs()
}

/// What the sums of one output are multiplied by, as the inner loops read it.
#[derive(Clone, Copy)]
#[repr(C)]
struct Factor {
    bias: i32,
    multiplier: i32,
    /// Half of the result's unit, in 64 bits.
    half: [u32; 2],
    /// Of the product's upper word.
    shift: u32,
}

impl Factor {
    fn of(scaling: &Scaling, output: usize) -> Self {
        let at = output % MAX_OUTPUTS;
        let shift = scaling.shift[at].wrapping_sub(32) as u32 & 31;
        let unit = 1u32 << shift;
        Self {
            bias: scaling.bias[at],
            multiplier: scaling.multiplier[at],
            half: [unit << 31, unit >> 1],
            shift,
        }
    }

    #[inline(always)]
    fn apply(&self, sum: i32) -> i32 {
        let [low, high] = self.half.map(i64::from);
        let product = i64::from(sum.wrapping_add(self.bias)) * i64::from(self.multiplier);
        (product.wrapping_add(high << 32 | low) >> 32) as i32 >> self.shift
    }
}

/// What the assembly rescales: the first outputs of every pixel, a multiple of four of them.
#[repr(C)]
struct Quads {
    sums: *const i32,
    factors: *const Factor,
    out: *mut i16,
    /// θ of [`Finish::Shrink`], 0 or more.
    theta: i32,
    /// Sums of four outputs of a pixel, 1 or more.
    quads: usize,
    /// Bytes from the end of these sums to those of the next pixel.
    sums_gap: usize,
    /// The same of the results.
    out_gap: usize,
    /// Pixels yet to come, 1 or more.
    pixels: usize,
    /// Saturated values so far.
    saturated: u32,
}

/// Rescales; `$before` takes a value, r4 on, to its end before saturation, `$after` one behind it,
/// r8 on.
///
/// r0 sums, r1 factors, r2 results, r3 θ, r12 quads yet to come, r4-r7 values, r8-r11 and lr the
/// factor, r8-r11 then results. The flag Q stays 0 until SSAT saturates. The stack holds the
/// address of [`Quads`].
macro_rules! rescale {
    ($name:ident, $before:ident, $after:ident) => {
        /// # Safety
        /// All that `work` says is there.
        #[inline(never)]
        unsafe fn $name(work: &mut Quads) {
            // SAFETY: the caller's; registers that a call must keep are kept.
            unsafe {
                asm!(
                    "push {{r4-r11}}",
                    "push {{r0, r1}}",
                    "mov lr, #0",
                    "msr APSR_nzcvq, lr",
                    "ldr r2, [r0, #8]",
                    "ldr r3, [r0, #12]",
                    "ldr r0, [r0]",
                    // One pixel.
                    "2:",
                    "ldr lr, [sp]",
                    "ldr r1, [lr, #4]",
                    "ldr r12, [lr, #16]",
                    "3:",
                    "ldm r0!, {{r4-r7}}",
                    rescale!(factor "r4"),
                    rescale!(factor "r5"),
                    rescale!(factor "r6"),
                    rescale!(factor "r7"),
                    rescale!($before "r4", "0"),
                    rescale!($before "r5", "2"),
                    rescale!($before "r6", "4"),
                    rescale!($before "r7", "6"),
                    "ssat r8, #16, r4",
                    "ssat r9, #16, r5",
                    "ssat r10, #16, r6",
                    "ssat r11, #16, r7",
                    "mrs lr, APSR",
                    "lsls lr, lr, #4",
                    "bmi 5f",
                    "4:",
                    rescale!($after "r8"),
                    rescale!($after "r9"),
                    rescale!($after "r10"),
                    rescale!($after "r11"),
                    "strh r9, [r2, #2]",
                    "strh r10, [r2, #4]",
                    "strh r11, [r2, #6]",
                    "strh r8, [r2], #8",
                    "subs r12, r12, #1",
                    "bne 3b",
                    "ldr r4, [sp]",
                    "ldr r5, [r4, #20]",
                    "ldr r6, [r4, #24]",
                    "ldr r7, [r4, #28]",
                    "add r0, r0, r5",
                    "add r2, r2, r6",
                    "subs r7, r7, #1",
                    "str r7, [r4, #28]",
                    "bne 2b",
                    "b 6f",
                    // Counts what was saturated.
                    "5:",
                    "ldr lr, [sp]",
                    "ldr r3, [lr, #32]",
                    rescale!(count "r4", "r8"),
                    rescale!(count "r5", "r9"),
                    rescale!(count "r6", "r10"),
                    rescale!(count "r7", "r11"),
                    "str r3, [lr, #32]",
                    "ldr r3, [lr, #12]",
                    "mov lr, #0",
                    "msr APSR_nzcvq, lr",
                    "b 4b",
                    "6:",
                    "add sp, sp, #8",
                    "pop {{r4-r11}}",
                    inout("r0") work => _,
                    out("r1") _, out("r2") _, out("r3") _, out("r12") _, out("lr") _,
                );
            }
        }
    };
    (factor $value:literal) => {
        concat!(
            "ldm r1!, {{r8-r11, lr}}\n",
            "add ", $value, ", ", $value, ", r8\n",
            "smlal r10, r11, ", $value, ", r9\n",
            "asr ", $value, ", r11, lr",
        )
    };
    (count $value:literal, $result:literal) => {
        concat!("cmp ", $value, ", ", $result, "\nit ne\naddne r3, r3, #1")
    };
    (nothing $value:literal $(, $place:literal)?) => {
        ""
    };
    (relu $value:literal, $place:literal) => {
        concat!("bic ", $value, ", ", $value, ", ", $value, ", asr #31")
    };
    (add $value:literal, $place:literal) => {
        concat!("ldrsh lr, [r2, #", $place, "]\nadd ", $value, ", ", $value, ", lr")
    };
    // max(v - θ, 0) + min(v + θ, 0)
    (shrink $value:literal) => {
        concat!(
            "sub r4, ", $value, ", r3\n",
            "bic r4, r4, r4, asr #31\n",
            "add ", $value, ", ", $value, ", r3\n",
            "and ", $value, ", ", $value, ", ", $value, ", asr #31\n",
            "add ", $value, ", ", $value, ", r4",
        )
    };
}

rescale!(plain, nothing, nothing);
rescale!(relu, relu, nothing);
rescale!(add, add, nothing);
rescale!(shrink, nothing, shrink);

pub(super) fn requantise(
    sums: &[i32],
    outputs: usize,
    scaling: &Scaling,
    finish: Finish,
    (out, stride): (&mut [i16], usize),
) -> u32 {
    let (padded, stride) = (padded(outputs).max(1), stride.max(1));
    // Outputs that every pixel has room for; the last pixel may have less.
    let all = outputs.min(stride).min(MAX_OUTPUTS);
    let whole = out.len().saturating_sub(all) / stride + usize::from(out.len() >= all);
    let pixels = whole.min(sums.len() / padded);
    let quads = if longer(finish) { 0 } else { all / 4 };
    let mut saturated = 0;
    if quads > 0 && pixels > 0 {
        let mut factors = [const { MaybeUninit::<Factor>::uninit() }; MAX_OUTPUTS];
        for (output, slot) in factors.iter_mut().enumerate().take(4 * quads) {
            slot.write(Factor::of(scaling, output));
        }
        let mut work = Quads {
            sums: sums.as_ptr(),
            factors: factors.as_ptr().cast(),
            out: out.as_mut_ptr(),
            theta: 0,
            quads,
            sums_gap: 4 * (padded - 4 * quads),
            out_gap: 2 * (stride - 4 * quads),
            pixels,
            saturated: 0,
        };
        // SAFETY: `pixels` of both slices hold `all` numbers, and 4·quads is no more than that, nor
        // than the factors written; the results are aligned to their size.
        unsafe {
            match finish {
                Finish::Plain => plain(&mut work),
                Finish::Relu => relu(&mut work),
                Finish::Add => add(&mut work),
                Finish::Shrink(theta) => {
                    // Beyond this nothing is left of any value.
                    work.theta = theta.min(1 << 16);
                    shrink(&mut work);
                }
            }
        }
        saturated = work.saturated;
    }
    // What is no quad, and a last pixel with little room.
    for output in 4 * quads..all {
        let to = (out.get_mut(output..).unwrap_or_default(), stride);
        let sums = (sums.get(output..).unwrap_or_default(), padded);
        let factor = Factor::of(scaling, output);
        saturated += one_output(&factor, finish, sums, to, pixels);
    }
    let last = out.chunks_mut(stride).nth(pixels).unwrap_or_default();
    let sums = sums.chunks_exact(padded).nth(pixels).unwrap_or_default();
    for (output, (sum, out)) in sums.iter().zip(last).enumerate().take(all) {
        let (value, clipped) = finish.apply(Factor::of(scaling, output).apply(*sum), *out);
        *out = value;
        saturated += u32::from(clipped);
    }
    saturated
}

/// Whether values become longer.
const fn longer(finish: Finish) -> bool {
    matches!(finish, Finish::Shrink(..0))
}

/// One output of all pixels.
fn one_output(
    factor: &Factor,
    finish: Finish,
    (sums, padded): (&[i32], usize),
    (out, stride): (&mut [i16], usize),
    pixels: usize,
) -> u32 {
    let mut saturated = 0;
    let sums = sums.iter().step_by(padded).take(pixels);
    for (sum, out) in sums.zip(out.iter_mut().step_by(stride)) {
        let (value, clipped) = finish.apply(factor.apply(*sum), *out);
        *out = value;
        saturated += u32::from(clipped);
    }
    saturated
}
