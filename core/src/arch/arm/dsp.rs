//! SMLAD: two products of 16-bit halves an instruction, added to a 32-bit sum.
//!
//! Packed weights: `(pair of outputs, run, pair of inputs, output of the pair, input of the pair)`, so
//! one LDM fetches what two outputs need for four inputs.

#![allow(unsafe_code)]

use core::arch::asm;

use super::tile::{Routines, Tile};

pub(super) const ROUTINES: Routines = Routines {
    pack,
    place,
    add_outputs,
    add_single,
};

fn pack(rows: [&[u8]; 2], segment: usize, run: usize, slots: &mut [i16]) {
    let slots = slots.get_mut(2 * segment * run..).unwrap_or_default();
    let fours = rows[0].len().min(rows[1].len()).min(slots.len() / 2) / 4;
    if fours > 0 {
        // SAFETY: the rows hold so many times four bytes, the slots two times that.
        unsafe { pack_fours(rows, fours, slots) };
    }
    // What is left; a pair may lack its second output.
    for (output, row) in rows.iter().enumerate() {
        for (k, &byte) in row.iter().enumerate().skip(4 * fours) {
            if let Some(slot) = slots.get_mut(place(output, k, run)) {
                *slot = i16::from(byte as i8);
            }
        }
    }
}

/// Four weights of both outputs at a time.
///
/// # Safety
/// `fours` is above 0; rows hold four times as many weights, slots eight times.
unsafe fn pack_fours([first, second]: [&[u8]; 2], fours: usize, slots: &mut [i16]) {
    macro_rules! four {
        ($from:literal) => {
            concat!(
                "ldr {w}, [",
                $from,
                "], #4\n",
                "sxtb16 {even}, {w}\n",
                "sxtb16 {odd}, {w}, ror #8\n",
                "pkhbt {w}, {even}, {odd}, lsl #16\n",
                "pkhtb {odd}, {odd}, {even}, asr #16\n",
                "str {odd}, [{slots}, #8]\n",
                "str {w}, [{slots}], #4",
            )
        };
    }
    // SAFETY: the caller's.
    unsafe {
        asm!(
            "2:",
            four!("{a}"),
            four!("{b}"),
            "add {slots}, {slots}, #8",
            "subs {n}, {n}, #1",
            "bne 2b",
            a = inout(reg) first.as_ptr() => _,
            b = inout(reg) second.as_ptr() => _,
            slots = inout(reg) slots.as_mut_ptr() => _,
            n = inout(reg) fours => _,
            w = out(reg) _,
            even = out(reg) _,
            odd = out(reg) _,
            options(nostack),
        );
    }
}

fn place(output: usize, k: usize, _row: usize) -> usize {
    k / 2 * 4 + output * 2 + k % 2
}

fn add_outputs(tile: &mut Tile) {
    let routine = match (tile.is_lone, tile.is_aligned) {
        (false, true) => add_pixels,
        (false, false) => add_pixels_unaligned,
        (true, true) => add_pixel,
        (true, false) => add_pixel_unaligned,
    };
    // SAFETY: Tile::first saw that all that the loops read and write lies inside its slices; the
    // aligned ones get addresses on words.
    unsafe { routine(tile) }
}

fn add_single(tile: &mut Tile) {
    let routine = if tile.is_aligned {
        add_output
    } else {
        add_output_unaligned
    };
    // SAFETY: as in `add_outputs`.
    unsafe { routine(tile) }
}

/// All inputs of a run, sixteen at a time, from r7 and r8 on; `$four` holds the steps of four
/// inputs, `$two` those of two. lr is the number of pairs less 8, and the flags are those of the
/// subtraction; goes to 7 backwards when done.
macro_rules! run {
    ($four:expr, $two:expr) => {
        concat!(
            "blo 5f\n4:\n",
            $four,
            "\n",
            $four,
            "\n",
            $four,
            "\n",
            $four,
            "\nsubs lr, lr, #8\nbhs 4b\ncmn lr, #8\nbeq 7b\n5:\nadds lr, lr, #6\nbmi 6f\n8:\n",
            $four,
            "\nsubs lr, lr, #2\nbpl 8b\n6:\ncmn lr, #1\nbne 7b\n",
            $two,
            "\nb 7b",
        )
    };
}

/// An inner loop over [`Tile`]; `$four` holds the steps of four inputs, `$two` those of two.
///
/// r0-r3 weights, r4 their address, r5 and r6 inputs, r7 and r8 their addresses, r9 and r10 sums of
/// the first pixel, r11 and r12 of the second, lr pairs of inputs yet to come. The stack holds the
/// addresses of the tile and of its next run, and the pairs of a run.
macro_rules! inner_loop {
    ($name:ident, $four:expr, $two:expr) => {
        /// # Safety
        /// The slices of `tile` hold all that it says.
        #[inline(never)]
        unsafe fn $name(tile: &mut Tile) {
            // SAFETY: the caller's; registers that a call must keep are kept.
            unsafe {
                asm!(
                    "push {{r4-r11}}",
                    "ldr r4, [r0]",
                    "ldr r2, [r0, #16]",
                    "lsr r2, r2, #1",
                    "push {{r0-r2, r3}}",
                    // Two outputs.
                    "2:",
                    "add r1, r0, #24",
                    "mov r9, #0",
                    "mov r10, #0",
                    "mov r11, #0",
                    "mov r12, #0",
                    "b 3f",
                    "7:",
                    "ldr r1, [sp, #4]",
                    "3:",
                    "ldm r1!, {{r7, r8, lr}}",
                    "add r4, r4, lr, lsl #1",
                    "cmp r7, #0",
                    "beq 9f",
                    "str r1, [sp, #4]",
                    "ldr lr, [sp, #8]",
                    "subs lr, lr, #8",
                    run!($four, $two),
                    "9:",
                    "ldr r0, [sp]",
                    "ldrd r5, r6, [r0, #4]",
                    // The first pixel last: a lone one is also the second, whose sums are stale.
                    "strd r11, r12, [r6], #8",
                    "strd r9, r10, [r5], #8",
                    "strd r5, r6, [r0, #4]",
                    "ldr r7, [r0, #12]",
                    "cmp r5, r7",
                    "bne 2b",
                    "add sp, sp, #16",
                    "pop {{r4-r11}}",
                    inout("r0") tile => _,
                    out("r1") _, out("r2") _, out("r3") _, out("r12") _, out("lr") _,
                );
            }
        }
    };
}

/// The inner loop of a single output; registers are those of [`inner_loop`], r9 and r10 the sums of
/// both pixels, r11 the address of the next run, r12 the pairs of a run.
macro_rules! single_loop {
    ($name:ident, $four:expr, $two:expr) => {
        /// # Safety
        /// The slices of `tile` hold all that it says.
        #[inline(never)]
        unsafe fn $name(tile: &mut Tile) {
            // SAFETY: the caller's; registers that a call must keep are kept.
            unsafe {
                asm!(
                    "push {{r4-r11}}",
                    "ldr r4, [r0]",
                    "ldr r12, [r0, #16]",
                    "lsr r12, r12, #1",
                    "add r11, r0, #24",
                    "push {{r0, r1}}",
                    "mov r9, #0",
                    "mov r10, #0",
                    "7:",
                    "ldm r11!, {{r7, r8, lr}}",
                    "add r4, r4, lr",
                    "cmp r7, #0",
                    "beq 9f",
                    "subs lr, r12, #8",
                    run!($four, $two),
                    "9:",
                    "pop {{r0, r1}}",
                    "ldrd r5, r6, [r0, #4]",
                    "str r10, [r6], #8",
                    "str r9, [r5], #8",
                    "strd r5, r6, [r0, #4]",
                    "pop {{r4-r11}}",
                    inout("r0") tile => _,
                    out("r1") _, out("r2") _, out("r3") _, out("r12") _, out("lr") _,
                );
            }
        }
    };
}

/// Two or four weights of both outputs, to r0-r3.
macro_rules! weights {
    (4, aligned) => {
        "ldm r4!, {{r0-r3}}"
    };
    (4, unaligned) => {
        concat!(
            weights!(2, unaligned),
            "\nldr r2, [r4], #4\nldr r3, [r4], #4"
        )
    };
    (2, aligned) => {
        "ldm r4!, {{r0, r1}}"
    };
    (2, unaligned) => {
        "ldr r0, [r4], #4\nldr r1, [r4], #4"
    };
}

/// Inputs of the pixel at `$from`, to r5 and r6, times r0-r3, added to the sums `$a` and `$b`.
macro_rules! products {
    (4, $alignment:ident, $from:literal, $a:literal, $b:literal) => {
        concat!(
            products!(load $alignment, $from), "\n",
            products!("r5", "r0", "r1", $a, $b), "\n",
            products!("r6", "r2", "r3", $a, $b),
        )
    };
    (2, $alignment:ident, $from:literal, $a:literal, $b:literal) => {
        concat!(
            "ldr r5, [", $from, "], #4\n",
            products!("r5", "r0", "r1", $a, $b),
        )
    };
    (load aligned, $from:literal) => {
        concat!("ldrd r5, r6, [", $from, "], #8")
    };
    (load unaligned, $from:literal) => {
        concat!("ldr r5, [", $from, "], #4\nldr r6, [", $from, "], #4")
    };
    ($x:literal, $u:literal, $v:literal, $a:literal, $b:literal) => {
        concat!(
            "smlad ", $a, ", ", $x, ", ", $u, ", ", $a, "\n",
            "smlad ", $b, ", ", $x, ", ", $v, ", ", $b,
        )
    };
}

/// `$count` inputs of two pixels for a single output.
macro_rules! single_step {
    (4, aligned) => {
        concat!(
            "ldrd r0, r1, [r4], #8\n",
            single_step!(products aligned, "r7", "r9"), "\n",
            single_step!(products aligned, "r8", "r10"),
        )
    };
    (4, unaligned) => {
        concat!(
            "ldr r0, [r4], #4\nldr r1, [r4], #4\n",
            single_step!(products unaligned, "r7", "r9"), "\n",
            single_step!(products unaligned, "r8", "r10"),
        )
    };
    (2) => {
        concat!(
            "ldr r0, [r4], #4\nldr r5, [r7], #4\nldr r6, [r8], #4\n",
            "smlad r9, r5, r0, r9\nsmlad r10, r6, r0, r10",
        )
    };
    (products $alignment:ident, $from:literal, $sum:literal) => {
        concat!(
            products!(load $alignment, $from), "\n",
            "smlad ", $sum, ", r5, r0, ", $sum, "\n",
            "smlad ", $sum, ", r6, r1, ", $sum,
        )
    };
}

/// `$count` inputs of one or two pixels.
macro_rules! step {
    (1, $count:tt, $alignment:ident) => {
        concat!(
            weights!($count, $alignment),
            "\n",
            products!($count, $alignment, "r7", "r9", "r10"),
        )
    };
    (2, $count:tt, $alignment:ident) => {
        concat!(
            step!(1, $count, $alignment),
            "\n",
            products!($count, $alignment, "r8", "r11", "r12"),
        )
    };
}

inner_loop!(add_pixels, step!(2, 4, aligned), step!(2, 2, aligned));
inner_loop!(
    add_pixels_unaligned,
    step!(2, 4, unaligned),
    step!(2, 2, unaligned)
);
inner_loop!(add_pixel, step!(1, 4, aligned), step!(1, 2, aligned));
inner_loop!(
    add_pixel_unaligned,
    step!(1, 4, unaligned),
    step!(1, 2, unaligned)
);

single_loop!(add_output, single_step!(4, aligned), single_step!(2));
single_loop!(
    add_output_unaligned,
    single_step!(4, unaligned),
    single_step!(2)
);
