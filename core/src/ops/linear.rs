//! Initialisation: `H⁰ = Q_init L` (SeqCSIST, Eq. 5–6), for the cells where `Q_init` is not zero.

use crate::fixed::saturate;
use crate::physics::{FRAME_LEN, MAP_LEN, MAP_SIDE};
use crate::weights::Layer;

/// Fills `map (33, 33)` from a frame; rows and columns of `cells` are those of the layer's outputs.
/// Returns how many values were saturated.
pub(crate) fn start_map(
    layer: &Layer,
    cells: [u8; 4],
    frame: &[i16; FRAME_LEN],
    map: &mut [i16; MAP_LEN],
) -> u32 {
    let [top, bottom, left, right] = cells.map(usize::from);
    let mut saturated = 0;
    map.fill(0);
    let rows = map.chunks_exact_mut(MAP_SIDE).take(bottom).skip(top);
    let cells = rows.flat_map(|row| row.iter_mut().take(right).skip(left));
    for ((cell, (bias, factor)), output) in cells.zip(layer.scaling()).zip(0..) {
        let terms = layer.weights_of(output).iter().zip(frame);
        let sum: i32 = terms
            .map(|(&w, &x)| i32::from(w as i8) * i32::from(x))
            .sum();
        let (value, clipped) = saturate(factor.apply(sum + bias));
        *cell = value;
        saturated += u32::from(clipped);
    }
    saturated
}
