//! The gradient step of an unfolded stage, `R = H - ρ(ΦᵀΦH - ΦᵀL)` (SeqCSIST, Eq. 8), separable:
//! `ΦᵀL` is `AᵀLA` and `ΦᵀΦH` is `GHG` with `G = AᵀA`.

use super::Places;
use crate::fixed::{Requant, rounded_shift, saturate};
use crate::physics::{FRAME_LEN, FRAME_SIDE, MAP_SIDE, RESPONSE_LEN};
use crate::weights::Stage;

/// Fraction bits of `A`.
const RESPONSE_BITS: u32 = 15;

/// Reads a table of the model file into `i16`s.
pub(crate) fn read_table(table: &[[u8; 2]], out: &mut [i16]) {
    for (out, &bytes) in out.iter_mut().zip(table) {
        *out = i16::from_le_bytes(bytes);
    }
}

/// Adds `factor · row` to the sums.
#[inline(always)]
fn add_row(sums: &mut [i32; MAP_SIDE], factor: i16, row: &[i16]) {
    for (sum, &x) in sums.iter_mut().zip(row) {
        *sum += i32::from(factor) * i32::from(x);
    }
}

/// `ΦᵀL` in the step of the frame: `back = Aᵀ(LA)`, `(33, 33)`; `response` is `A (11, 33)`, `half`
/// holds `LA (11, 33)`.
pub(crate) fn back_project(
    frame: &[i16; FRAME_LEN],
    response: &[[u8; 2]],
    half: &mut [i16],
    back: &mut [i16],
) -> u32 {
    let mut a = [0; RESPONSE_LEN];
    read_table(response, &mut a);
    let round = |sum: i32| saturate((sum + (1 << (RESPONSE_BITS - 1))) >> RESPONSE_BITS);
    let mut saturated = 0;
    let mut store = |sums: &[i32; MAP_SIDE], out: &mut [i16]| {
        for (out, &sum) in out.iter_mut().zip(sums) {
            let (value, clipped) = round(sum);
            *out = value;
            saturated += u32::from(clipped);
        }
    };
    for (row, out) in frame
        .chunks_exact(FRAME_SIDE)
        .zip(half.chunks_exact_mut(MAP_SIDE))
    {
        let mut sums = [0; MAP_SIDE];
        for (&x, a) in row.iter().zip(a.chunks_exact(MAP_SIDE)) {
            add_row(&mut sums, x, a);
        }
        store(&sums, out);
    }
    for (cell, out) in back.chunks_exact_mut(MAP_SIDE).enumerate() {
        let mut sums = [0; MAP_SIDE];
        for (a, half) in a.chunks_exact(MAP_SIDE).zip(half.chunks_exact(MAP_SIDE)) {
            let factor = a.get(cell).map_or(0, |&x| x);
            add_row(&mut sums, factor, half);
        }
        store(&sums, out);
    }
    saturated
}

/// `R` of a stage, to the border map `out`; `map` is `H`, `back` is `ΦᵀL`, `gram` is `G`, `across`
/// holds `HG`, all `(33, 33)`. Returns how many values were saturated.
pub(crate) fn data_step(
    stage: &Stage,
    map: &[i16],
    back: &[i16],
    gram: &[i16],
    across: &mut [i16],
    out: &mut [i16],
) -> u32 {
    let mut saturated = 0;
    let mut keep = |factor: Requant, sum: i32| {
        let (value, clipped) = saturate(factor.apply(sum));
        saturated += u32::from(clipped);
        value
    };
    for (row, out) in map
        .chunks_exact(MAP_SIDE)
        .zip(across.chunks_exact_mut(MAP_SIDE))
    {
        let sums = products(row, gram);
        for (out, &sum) in out.iter_mut().zip(&sums) {
            *out = keep(stage.across, sum);
        }
    }
    let places = Places::bordered(MAP_SIDE, 1);
    let rows = map.chunks_exact(MAP_SIDE).zip(back.chunks_exact(MAP_SIDE));
    let rows = rows.zip(gram.chunks_exact(MAP_SIDE)).enumerate();
    let mut clipped_steps = 0;
    for (index, ((map, back), gram)) in rows {
        let sums = products(gram, across);
        let cells = map.iter().zip(back).zip(&sums);
        let out = places.row_of(out, index);
        for (out, ((&h, &back), &sum)) in out.iter_mut().zip(cells) {
            let distance = i64::from(keep(stage.down, sum)) - i64::from(back);
            let kept = i64::from(h) * i64::from(stage.keep);
            let step = kept - distance * i64::from(stage.pull);
            let (value, clipped) = saturate(bounded(rounded_shift(step, stage.shift)));
            *out = value;
            clipped_steps += u32::from(clipped);
        }
    }
    saturated + clipped_steps
}

/// `value`, or the nearer end of 32 bits.
fn bounded(value: i64) -> i32 {
    value.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// `row · matrix`, `(33)`.
#[inline(always)]
fn products(row: &[i16], matrix: &[i16]) -> [i32; MAP_SIDE] {
    let mut sums = [0; MAP_SIDE];
    for (&factor, other) in row.iter().zip(matrix.chunks_exact(MAP_SIDE)) {
        add_row(&mut sums, factor, other);
    }
    sums
}
