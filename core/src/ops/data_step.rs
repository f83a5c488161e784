//! The gradient step of an unfolded stage, `R = H - ρ(ΦᵀΦH - ΦᵀL)` (SeqCSIST, Eq. 8), separable:
//! `ΦᵀL` is `AᵀLA` and `ΦᵀΦH` is `GHG` with `G = AᵀA`.

use super::Places;
use crate::arch::Kernels;
use crate::fixed::{rounded_shift, saturate};
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
    kernels: Kernels,
    stage: &Stage,
    [map, back, gram]: [&[i16]; 3],
    across: &mut [i16],
    out: &mut [i16],
) -> u32 {
    let mut saturated = 0;
    let mut keep = |value: i64| {
        let bounded = value.clamp(i16::MIN.into(), i16::MAX.into());
        saturated += u32::from(bounded != value);
        bounded as i16
    };
    let mut sums = [0; MAP_SIDE];
    for (row, out) in map
        .chunks_exact(MAP_SIDE)
        .zip(across.chunks_exact_mut(MAP_SIDE))
    {
        kernels.multiply(row, gram, &mut sums);
        for (out, &sum) in out.iter_mut().zip(&sums) {
            *out = keep(stage.across.apply(sum).into());
        }
    }
    let places = Places::bordered(MAP_SIDE, 1);
    let rows = map.chunks_exact(MAP_SIDE).zip(back.chunks_exact(MAP_SIDE));
    let rows = rows.zip(gram.chunks_exact(MAP_SIDE)).enumerate();
    for (index, ((map, back), gram)) in rows {
        kernels.multiply(gram, across, &mut sums);
        let cells = map.iter().zip(back).zip(&sums);
        let out = places.row_of(out, index);
        for (out, ((&h, &back), &sum)) in out.iter_mut().zip(cells) {
            let down = keep(stage.down.apply(sum).into());
            let distance = i64::from(down) - i64::from(back);
            let kept = i64::from(h) * i64::from(stage.keep);
            let step = kept - distance * i64::from(stage.pull);
            *out = keep(rounded_shift(step, stage.shift));
        }
    }
    saturated
}
