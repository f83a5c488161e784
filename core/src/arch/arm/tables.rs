//! Rows of numbers times a table.

#![allow(unsafe_code)]

use core::arch::asm;

use super::super::{TABLE_SIDE, scalar};

/// Sums of some columns: `sums[j] = Σ_k factors[k] · table[k][j]`.
///
/// # Safety
/// There is a factor at least. The lines of the table, [`TABLE_SIDE`] numbers apart, are as many as
/// the factors, and lines and sums hold as many numbers as the routine has columns.
type Columns = unsafe fn(factors: &[i16], table: *const i16, sums: *mut i32);

/// The product by `columns`, which takes `WIDTH` of them; the last ones overlap those before.
#[inline(always)]
pub(super) fn multiply<const WIDTH: usize>(
    columns: Columns,
    rows: &[i16],
    table: &[i16],
    sums: &mut [i32],
) {
    if table.len() < TABLE_SIDE * TABLE_SIDE {
        return scalar::multiply(rows, table, sums);
    }
    let sums = sums.as_chunks_mut::<TABLE_SIDE>().0;
    for (row, sums) in rows.as_chunks::<TABLE_SIDE>().0.iter().zip(sums) {
        // Tables are narrow bands: what counts lies together.
        let Some(first) = row.iter().position(|&x| x != 0) else {
            *sums = [0; TABLE_SIDE];
            continue;
        };
        let last = row.iter().rposition(|&x| x != 0).unwrap_or(first);
        let factors = row.get(first..=last).unwrap_or(row);
        for column in (0..TABLE_SIDE).step_by(WIDTH) {
            let column = column.min(TABLE_SIDE - WIDTH);
            let line = table.as_ptr().wrapping_add(first * TABLE_SIDE + column);
            // SAFETY: the table has TABLE_SIDE lines, and `WIDTH` columns from `column` on lie within
            // a line and within the sums.
            unsafe { columns(factors, line, sums.as_mut_ptr().add(column)) };
        }
    }
}

/// Eight columns: r0 factors, r2 their end, r1 a line, r3 sums, r4-r11 the sums, r12 a factor, lr two
/// numbers of the line.
///
/// # Safety
/// That of [`Columns`].
#[inline(never)]
pub(super) unsafe fn eight_dsp(factors: &[i16], table: *const i16, sums: *mut i32) {
    macro_rules! two {
        ($address:literal, $a:literal, $b:literal) => {
            concat!(
                "ldr lr, ",
                $address,
                "\n",
                "smlabb ",
                $a,
                ", lr, r12, ",
                $a,
                "\n",
                "smlatb ",
                $b,
                ", lr, r12, ",
                $b,
            )
        };
    }
    let ends = factors.as_ptr_range();
    // SAFETY: the caller's; registers that a call must keep are kept.
    unsafe {
        asm!(
            "push {{r4-r11}}",
            "mov r4, #0",
            "mov r5, #0",
            "mov r6, #0",
            "mov r7, #0",
            "mov r8, #0",
            "mov r9, #0",
            "mov r10, #0",
            "mov r11, #0",
            "2:",
            "ldrsh r12, [r0], #2",
            two!("[r1, #4]", "r6", "r7"),
            two!("[r1, #8]", "r8", "r9"),
            two!("[r1, #12]", "r10", "r11"),
            two!("[r1], #66", "r4", "r5"),
            "cmp r0, r2",
            "bne 2b",
            "stm r3, {{r4-r11}}",
            "pop {{r4-r11}}",
            inout("r0") ends.start => _,
            inout("r1") table => _,
            in("r2") ends.end,
            in("r3") sums,
            out("r12") _, out("lr") _,
        );
    }
}

/// Twenty columns: q0-q4 sums, q5 four numbers of the line.
///
/// # Safety
/// That of [`Columns`].
#[cfg(derefnet_mve)]
#[inline(never)]
pub(super) unsafe fn twenty_mve(factors: &[i16], table: *const i16, sums: *mut i32) {
    // SAFETY: the caller's.
    unsafe {
        asm!(
            "vmov.i32 q0, #0",
            "vmov.i32 q1, #0",
            "vmov.i32 q2, #0",
            "vmov.i32 q3, #0",
            "vmov.i32 q4, #0",
            "dls lr, lr",
            "2:",
            "ldrsh r12, [r0], #2",
            "vldrh.s32 q5, [r1, #8]",
            "vmla.i32 q1, q5, r12",
            "vldrh.s32 q5, [r1, #16]",
            "vmla.i32 q2, q5, r12",
            "vldrh.s32 q5, [r1, #24]",
            "vmla.i32 q3, q5, r12",
            "vldrh.s32 q5, [r1, #32]",
            "vmla.i32 q4, q5, r12",
            "vldrh.s32 q5, [r1], #66",
            "vmla.i32 q0, q5, r12",
            "le lr, 2b",
            "vstrw.32 q0, [r3]",
            "vstrw.32 q1, [r3, #16]",
            "vstrw.32 q2, [r3, #32]",
            "vstrw.32 q3, [r3, #48]",
            "vstrw.32 q4, [r3, #64]",
            inout("r0") factors.as_ptr() => _,
            inout("r1") table => _,
            in("r3") sums,
            out("r12") _,
            inout("lr") factors.len() => _,
            out("d0") _, out("d1") _, out("d2") _, out("d3") _,
            out("d4") _, out("d5") _, out("d6") _, out("d7") _,
            out("d8") _, out("d9") _, out("d10") _, out("d11") _,
            options(nostack),
        );
    }
}
