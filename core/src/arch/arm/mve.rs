//! VMLADAVA: the products of eight 16-bit lanes an instruction, added to a 32-bit sum.
//!
//! Packed weights: `(output, run, input)`. The loops are predicated at their tails, so runs
//! of any length need no padding, and nothing has to lie on words.

#![allow(unsafe_code)]

use core::arch::asm;

use super::super::{Finish, Scaling};
use super::rescale;
use super::tile::{Routines, Tile};

pub(super) const ROUTINES: Routines = Routines {
    pack,
    place,
    add_outputs,
    add_single,
};

fn pack(rows: [&[u8]; 2], segment: usize, run: usize, slots: &mut [i16]) {
    let outputs = slots.split_at_mut(slots.len() / 2);
    for (row, slots) in rows.iter().zip([outputs.0, outputs.1]) {
        let slots = slots.get_mut(segment * run..).unwrap_or_default();
        if row.is_empty() || slots.len() < row.len() {
            continue;
        }
        // SAFETY: as many slots as bytes, one at least; the loop's tail is predicated.
        unsafe {
            asm!(
                "dlstp.16 lr, lr",
                "2:",
                "vldrb.s16 q0, [r0], #8",
                "vstrh.16 q0, [r1], #16",
                "letp lr, 2b",
                inout("r0") row.as_ptr() => _,
                inout("r1") slots.as_mut_ptr() => _,
                inout("lr") row.len() => _,
                out("d0") _, out("d1") _,
                options(nostack),
            );
        }
    }
}

fn place(output: usize, k: usize, row: usize) -> usize {
    output * row + k
}

fn add_outputs(tile: &mut Tile) {
    let routine = if tile.is_lone { add_pixel } else { add_pixels };
    // SAFETY: Tile::first saw that all that the loops read and write lies inside its slices, and that
    // a run is not empty.
    unsafe { routine(tile) }
}

/// An inner loop over [`Tile`]; `$second` holds what the second pixel adds to it.
///
/// r0 the tile, r9 the address of its next run, r1 and r3 addresses of the pixels' inputs, r12, r5
/// and r7 of both outputs' weights, r4 and r6 sums of the first pixel, r8 and r10 of the second, r2
/// numbers of a run.
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
                    "ldr r12, [r0]",
                    "ldr r2, [r0, #16]",
                    // Two outputs.
                    "2:",
                    "add r9, r0, #24",
                    "mov r4, #0",
                    "mov r6, #0",
                    "mov r8, #0",
                    "mov r10, #0",
                    "b 5f",
                    "4:",
                    "ldr r7, [r0, #20]",
                    "mov r5, r12",
                    "add r7, r7, r12",
                    "add r12, r12, r2, lsl #1",
                    "dlstp.16 lr, r2",
                    "3:",
                    "vldrh.u16 q0, [r1], #16",
                    "vldrh.u16 q1, [r5], #16",
                    "vmladava.s16 r4, q0, q1",
                    "vldrh.u16 q2, [r7], #16",
                    "vmladava.s16 r6, q0, q2",
                    $second,
                    "letp lr, 3b",
                    "5:",
                    "ldm r9!, {{r1, r3, r11}}",
                    "add r12, r12, r11",
                    "cmp r1, #0",
                    "bne 4b",
                    "ldrd r5, r7, [r0, #4]",
                    // The first pixel last: a lone one is also the second, whose sums are stale.
                    "strd r8, r10, [r7], #8",
                    "strd r4, r6, [r5], #8",
                    "strd r5, r7, [r0, #4]",
                    // The weights of the second output have been read as well.
                    "ldr r7, [r0, #20]",
                    "add r12, r12, r7",
                    "ldr r7, [r0, #12]",
                    "cmp r5, r7",
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

/// A single output of both pixels: registers as in [`inner_loop`].
fn add_single(tile: &mut Tile) {
    // SAFETY: as in `add_outputs`; registers that a call must keep are kept.
    unsafe {
        asm!(
            "push {{r4-r11}}",
            "ldr r12, [r0]",
            "ldr r2, [r0, #16]",
            "add r9, r0, #24",
            "mov r4, #0",
            "mov r8, #0",
            "b 5f",
            "4:",
            "mov r5, r12",
            "add r12, r12, r2, lsl #1",
            "dlstp.16 lr, r2",
            "3:",
            "vldrh.u16 q1, [r5], #16",
            "vldrh.u16 q0, [r1], #16",
            "vmladava.s16 r4, q0, q1",
            "vldrh.u16 q2, [r3], #16",
            "vmladava.s16 r8, q2, q1",
            "letp lr, 3b",
            "5:",
            "ldm r9!, {{r1, r3, r11}}",
            "add r12, r12, r11",
            "cmp r1, #0",
            "bne 4b",
            "ldrd r5, r7, [r0, #4]",
            "str r8, [r7], #8",
            "str r4, [r5], #8",
            "strd r5, r7, [r0, #4]",
            "pop {{r4-r11}}",
            inout("r0") tile => _,
            out("r1") _, out("r2") _, out("r3") _, out("r12") _, out("lr") _,
            out("d0") _, out("d1") _, out("d2") _, out("d3") _, out("d4") _, out("d5") _,
        );
    }
}

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
