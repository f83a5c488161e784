//! VMLADAVA: the products of eight 16-bit lanes an instruction, added to a 32-bit sum.
//!
//! Packed weights of a segment: `(output, input)`. The loops are predicated at their tails, so runs
//! of any length need no padding, and nothing has to lie on words.

#![allow(unsafe_code)]

use core::arch::asm;

use super::super::{Finish, Scaling};
use super::rescale;
use super::tile::{Routines, Tile};

pub(super) const ROUTINES: Routines = Routines { pack, place, add };

fn pack(rows: [&[u8]; 2], slots: &mut [i16]) {
    let run = slots.len() / 2;
    for (row, slots) in rows.iter().zip(slots.chunks_exact_mut(run.max(1))) {
        for (&byte, slot) in row.iter().zip(slots) {
            *slot = i16::from(byte as i8);
        }
    }
}

fn place(output: usize, k: usize, run: usize) -> usize {
    output * run + k
}

fn add(tile: &mut Tile) {
    let routine = if tile.is_single() {
        add_pixel
    } else {
        add_pixels
    };
    // SAFETY: Tile::new saw that all that the loops read and write lies inside its slices, and that
    // a run is not empty.
    unsafe { routine(tile) }
}

/// An inner loop over [`Tile`]; `$second` holds what the second pixel adds to it.
///
/// r1 and r3 addresses of the pixels' inputs, r5 and r7 of both outputs' weights, r9 and r11 of the
/// pixels' sums, r12 the end of the first pixel's sums, r4 and r6 sums of the first pixel, r8 and
/// r10 of the second, r2 numbers of a run, r0 how far the loop takes an address.
macro_rules! inner_loop {
    ($name:ident, $second:literal) => {
        /// # Safety
        /// The slices of `tile` hold all that it says.
        #[inline(never)]
        unsafe fn $name(tile: &mut Tile) {
            // SAFETY: the caller's; registers that a call must keep are kept.
            unsafe {
                asm!(
                    "push {{r4-r11}}",
                    "ldrd r2, r3, [r0, #20]",
                    "ldrd r9, r11, [r0, #12]",
                    "add r12, r9, r3, lsl #2",
                    "ldr r5, [r0, #8]",
                    "add r7, r5, r2, lsl #1",
                    "ldrd r1, r3, [r0]",
                    "add r0, r2, #7",
                    "lsr r0, r0, #3",
                    "lsl r0, r0, #4",
                    // Two outputs.
                    "2:",
                    "ldrd r4, r6, [r9]",
                    "ldrd r8, r10, [r11]",
                    "dlstp.16 lr, r2",
                    "3:",
                    "vldrh.u16 q0, [r1], #16",
                    "vldrh.u16 q1, [r5], #16",
                    "vmladava.s16 r4, q0, q1",
                    "vldrh.u16 q2, [r7], #16",
                    "vmladava.s16 r6, q0, q2",
                    $second,
                    "letp lr, 3b",
                    // The first pixel last: a lone one is also the second, whose sums are stale.
                    "strd r8, r10, [r11], #8",
                    "strd r4, r6, [r9], #8",
                    "sub r1, r1, r0",
                    "sub r3, r3, r0",
                    // On by two rows of weights.
                    "rsb r4, r0, r2, lsl #2",
                    "add r5, r5, r4",
                    "add r7, r7, r4",
                    "cmp r9, r12",
                    "bne 2b",
                    "pop {{r4-r11}}",
                    inout("r0") tile => _,
                    out("r1") _, out("r2") _, out("r3") _, out("r12") _, out("lr") _,
                    out("d0") _, out("d1") _, out("d2") _, out("d3") _,
                    out("d4") _, out("d5") _, out("d6") _, out("d7") _,
                );
            }
        }
    };
}

inner_loop!(
    add_pixels,
    "vldrh.u16 q3, [r3], #16\nvmladava.s16 r8, q3, q1\nvmladava.s16 r10, q3, q2"
);
inner_loop!(add_pixel, "");

/// Requantisation that ends in [`Finish::Plain`], [`Finish::Relu`] or [`Finish::Add`].
pub(super) fn requantise(
    sums: &[i32],
    outputs: usize,
    scaling: &Scaling,
    finish: Finish,
    out: (&mut [i16], usize),
) -> u32 {
    let floor = if finish == Finish::Relu { 0 } else { i32::MIN };
    let keep = if finish == Finish::Add { -1 } else { 0 };
    rescale::pixels(sums, outputs, out, |sums, out| {
        // SAFETY: as many sums as results, at most as many as the scaling has numbers, and one at
        // least.
        unsafe { pixel(sums, scaling, [floor, keep], out) }
    })
}

/// Four outputs at a time: `max(requant(sum + bias) + (there & keep), floor)`, saturated.
///
/// The upper word of the doubled product is `floor(sum · multiplier · 2^-31)`: it holds the bit that
/// decides about rounding even for a shift of 32, and a rounding shift of it gives the result.
/// q0 values, q1 operands, q2 31, q3 `keep`, q4 `floor`, q5 ones.
///
/// # Safety
/// As many results as sums, 1 to 64.
// The loop changes VPR, which no operand can name; a call may change it.
#[inline(never)]
unsafe fn pixel(sums: &[i32], scaling: &Scaling, [floor, keep]: [i32; 2], out: &mut [i16]) -> u32 {
    let mut saturated = 0;
    // SAFETY: the caller's; the loop's tail is predicated.
    unsafe {
        asm!(
            "vdup.32 q3, r8",
            "vdup.32 q4, r5",
            "vmov.i32 q2, #31",
            "vmov.i32 q5, #1",
            "dlstp.32 lr, lr",
            "2:",
            "vldrw.u32 q0, [r0], #16",
            "vldrw.u32 q1, [r1], #16",
            "vadd.i32 q0, q0, q1",
            "vldrw.u32 q1, [r2], #16",
            "vqdmulh.s32 q0, q0, q1",
            "vldrw.u32 q1, [r3], #16",
            "vsub.i32 q1, q2, q1",
            "vrshl.s32 q0, q0, q1",
            "vldrh.s32 q1, [r4]",
            "vand q1, q1, q3",
            "vadd.i32 q0, q0, q1",
            "vmax.s32 q0, q0, q4",
            "vqmovnb.s32 q1, q0",
            "vmovlb.s16 q1, q1",
            "vpt.i32 ne, q0, q1",
            "vaddvat.u32 r12, q5",
            "vstrh.32 q1, [r4], #8",
            "letp lr, 2b",
            inout("r0") sums.as_ptr() => _,
            inout("r1") scaling.bias.as_ptr() => _,
            inout("r2") scaling.multiplier.as_ptr() => _,
            inout("r3") scaling.shift.as_ptr() => _,
            inout("r4") out.as_mut_ptr() => _,
            in("r5") floor,
            in("r8") keep,
            inout("r12") saturated,
            inout("lr") sums.len() => _,
            out("d0") _, out("d1") _, out("d2") _, out("d3") _,
            out("d4") _, out("d5") _, out("d6") _, out("d7") _,
            out("d8") _, out("d9") _, out("d10") _, out("d11") _,
            options(nostack),
        );
    }
    saturated
}
