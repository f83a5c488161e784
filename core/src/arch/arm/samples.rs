//! Bilinear samples.
//!
//! The border of zeros serves corners left and right of the map; those above and below get weights
//! of 0 instead.

#![allow(unsafe_code)]

use core::arch::asm;

use super::super::scalar::{self, TAPS};
use super::super::{Sampling, TABLE_SIDE};
use crate::fixed::{SHARE_BITS, WHOLE};

/// One tap of one pixel: where its left corners start in the map, upper and lower, and the weights of
/// left and right corners.
struct Corners {
    starts: [usize; 2],
    weights: [[i32; 2]; 2],
}

impl Corners {
    /// `place` is that of the tap, `(row, column)`, with [`SHARE_BITS`] fraction bits.
    #[inline(always)]
    fn of(sampling: &Sampling, place: [i32; 2]) -> Self {
        let [row, column] = place.map(|place| place >> SHARE_BITS);
        let [down, right] = place.map(|place| place & (WHOLE - 1));
        let both = (down * right + WHOLE / 2) >> SHARE_BITS;
        let side = sampling.side as i32;
        let line = (side + 1) * sampling.channels as i32;
        let start = row * line + (column + 1) * sampling.channels as i32;
        let inside = (column + 1) as u32 <= side as u32;
        let mut corners = Self {
            starts: [0; 2],
            weights: [[0; 2]; 2],
        };
        if inside && (row as u32) < side as u32 {
            corners.starts[0] = start as usize;
            corners.weights[0] = [WHOLE - down - right + both, right - both];
        }
        if inside && ((row + 1) as u32) < side as u32 {
            corners.starts[1] = (start + line) as usize;
            corners.weights[1] = [down - both, both];
        }
        corners
    }
}

/// Samples with `blend`, which gets addresses of both left corners, the bytes from them to the right
/// ones, the weights, and the samples.
#[inline(always)]
pub(super) fn sample(
    sampling: &Sampling,
    patches: &mut [i16],
    blend: unsafe fn([*const i16; 2], usize, [[i32; 2]; 2], &mut [i16]),
) {
    let (side, channels) = (sampling.side, sampling.channels);
    // Every corner inside the map lies before its last pixel of zeros.
    let needed = (side * (side + 1) + 1).saturating_mul(channels);
    let usual = channels > 0 && channels.is_multiple_of(8) && (1..=TABLE_SIDE).contains(&side);
    if !usual || sampling.map.len() < needed {
        return scalar::sample(sampling, patches);
    }
    let up = SHARE_BITS - sampling.bits.min(SHARE_BITS);
    let place = |place: usize| (place as i32 - 1) << SHARE_BITS;
    let origin = sampling.map.as_ptr();
    let pixels = sampling.offsets.chunks(2 * TAPS).enumerate();
    for ((pixel, offsets), patch) in pixels.zip(patches.chunks_mut(TAPS * channels)) {
        let (top, left) = (place(sampling.row), place(sampling.column + pixel));
        let mut taps = offsets
            .as_chunks::<2>()
            .0
            .iter()
            .zip(patch.chunks_exact_mut(channels));
        for row in [top, top + WHOLE, top + 2 * WHOLE] {
            for (column, (offset, samples)) in (0..3).zip(&mut taps) {
                let [down, right] = offset.map(|offset| i32::from(offset) << up);
                let place = [row + down, left + column * WHOLE + right];
                let Corners { starts, weights } = Corners::of(sampling, place);
                let corners = starts.map(|start| origin.wrapping_add(start));
                // SAFETY: a left corner starts at 0 or in front of a pixel of the map, and the map
                // was seen to hold all channels of it and of the pixel to the right.
                unsafe { blend(corners, 2 * channels, weights, samples) };
            }
        }
    }
}

/// Two channels at a time, a multiple of eight of them.
///
/// # Safety
/// Both corners, and what lies `right` bytes further, hold as many numbers as `samples`, which are a
/// multiple of 8 above 0.
#[inline(always)]
pub(super) unsafe fn blend_dsp(
    [upper, lower]: [*const i16; 2],
    right: usize,
    weights: [[i32; 2]; 2],
    samples: &mut [i16],
) {
    let [above, below] = weights.map(|[a, b]| a & 0xffff | b << 16);
    let ends = samples.as_mut_ptr_range();
    macro_rules! two {
        () => {
            concat!(
                "ldr {t}, [{p}, {right}]\n",
                "smlabt {a}, {t}, {above}, {half}\n",
                "smlatt {b}, {t}, {above}, {half}\n",
                "ldr {t}, [{p}], #4\n",
                "smlabb {a}, {t}, {above}, {a}\n",
                "smlatb {b}, {t}, {above}, {b}\n",
                "ldr {t}, [{q}, {right}]\n",
                "smlabt {a}, {t}, {below}, {a}\n",
                "smlatt {b}, {t}, {below}, {b}\n",
                "ldr {t}, [{q}], #4\n",
                "smlabb {a}, {t}, {below}, {a}\n",
                "smlatb {b}, {t}, {below}, {b}\n",
                // The upper sample's bits move to the upper half.
                "lsls {b}, {b}, #{up}\n",
                "pkhtb {b}, {b}, {a}, asr #{bits}\n",
                "str {b}, [{out}], #4",
            )
        };
    }
    // SAFETY: the caller's.
    unsafe {
        asm!(
            "2:",
            two!(),
            two!(),
            two!(),
            two!(),
            "cmp {out}, {end}",
            "bne 2b",
            p = inout(reg) upper => _,
            q = inout(reg) lower => _,
            out = inout(reg) ends.start => _,
            end = in(reg) ends.end,
            right = in(reg) right,
            above = in(reg) above,
            below = in(reg) below,
            half = in(reg) WHOLE / 2,
            a = out(reg) _,
            b = out(reg) _,
            t = out(reg) _,
            bits = const SHARE_BITS,
            up = const 16 - SHARE_BITS,
            options(nostack),
        );
    }
}

/// Eight channels at a time: q0-q3 weights, q4 and q5 sums of even and odd channels, q6 a corner, q7
/// products.
///
/// # Safety
/// As for [`blend_dsp`].
#[cfg(derefnet_mve)]
#[inline(always)]
pub(super) unsafe fn blend_mve(
    [upper, lower]: [*const i16; 2],
    right: usize,
    [[a, b], [c, d]]: [[i32; 2]; 2],
    samples: &mut [i16],
) {
    let [other, under] = [upper, lower].map(|left| left.wrapping_byte_add(right));
    // SAFETY: the caller's.
    unsafe {
        asm!(
            "vdup.16 q0, {a}",
            "vdup.16 q1, {b}",
            "vdup.16 q2, {c}",
            "vdup.16 q3, {d}",
            "dls lr, lr",
            "2:",
            "vldrh.u16 q6, [r0], #16",
            "vmullb.s16 q4, q6, q0",
            "vmullt.s16 q5, q6, q0",
            "vldrh.u16 q6, [r1], #16",
            "vmullb.s16 q7, q6, q1",
            "vadd.i32 q4, q4, q7",
            "vmullt.s16 q7, q6, q1",
            "vadd.i32 q5, q5, q7",
            "vldrh.u16 q6, [r2], #16",
            "vmullb.s16 q7, q6, q2",
            "vadd.i32 q4, q4, q7",
            "vmullt.s16 q7, q6, q2",
            "vadd.i32 q5, q5, q7",
            "vldrh.u16 q6, [r3], #16",
            "vmullb.s16 q7, q6, q3",
            "vadd.i32 q4, q4, q7",
            "vmullt.s16 q7, q6, q3",
            "vadd.i32 q5, q5, q7",
            "vrshrnb.i32 q4, q4, #{bits}",
            "vrshrnt.i32 q4, q5, #{bits}",
            "vstrh.16 q4, [r12], #16",
            "le lr, 2b",
            a = in(reg) a,
            b = in(reg) b,
            c = in(reg) c,
            d = in(reg) d,
            inout("r0") upper => _,
            inout("r1") other => _,
            inout("r2") lower => _,
            inout("r3") under => _,
            inout("r12") samples.as_mut_ptr() => _,
            inout("lr") samples.len() / 8 => _,
            bits = const SHARE_BITS,
            out("d0") _, out("d1") _, out("d2") _, out("d3") _,
            out("d4") _, out("d5") _, out("d6") _, out("d7") _,
            out("d8") _, out("d9") _, out("d10") _, out("d11") _,
            out("d12") _, out("d13") _, out("d14") _, out("d15") _,
            options(nostack),
        );
    }
}
