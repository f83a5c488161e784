//! The 33×33 map that networks regress.

use crate::scene::Target;
use derefnet_core::physics::{MAP_LEN, MAP_SIDE, RATIO, cell_centre, cell_of};

/// Square of half a cell's diagonal, the farthest that a target lies from its cell's centre, px².
const FARTHEST_SQUARE: f64 = 0.5 / (RATIO * RATIO) as f64;

/// Cell index `33·row + column` of a target, or nothing outside the map.
pub fn cell_index(target: &Target) -> Option<usize> {
    let axis = |u| usize::try_from(cell_of(u, RATIO)).ok();
    let (row, column) = (axis(target.x)?, axis(target.y)?);
    (row < MAP_SIDE && column < MAP_SIDE).then_some(MAP_SIDE * row + column)
}

/// Label map of one frame, row-major: each target's intensity in its cell, zero elsewhere.
///
/// Assignment, not sum: of two targets in one cell the later one stays, as in the authors' code.
/// Targets outside the map are left out.
pub fn label_map(targets: &[Target]) -> [f32; MAP_LEN] {
    ranked_label_map(targets, 0.0)
}

/// [`label_map`] with each value times `1 + centerness · (1 - d²/d_max²)`, where `d` is the distance
/// from the target to its cell's centre and `d_max` half the cell's diagonal.
///
/// Detections are ranked by their cells' values, and a cell's answer is off by `d`: such a value
/// tells how good the answer is, where intensity alone does not. It is never below the intensity: a
/// target near a border, which a network spreads over two cells, would fall below the threshold of
/// detections. The name is from detectors that weigh scores so (Tian et al., FCOS, ICCV 2019, arXiv
/// 1904.01355).
pub fn ranked_label_map(targets: &[Target], centerness: f64) -> [f32; MAP_LEN] {
    let mut map = [0.0; MAP_LEN];
    for target in targets {
        if let Some(cell) = cell_index(target) {
            let weight = 1.0 + centerness * (1.0 - off_centre(target, cell));
            map[cell] = (target.intensity * weight) as f32;
        }
    }
    map
}

/// `d²/d_max²` of a target in `cell`: 0 at its centre, ½ amid a border, 1 in a corner.
fn off_centre(target: &Target, cell: usize) -> f64 {
    let x = target.x - cell_centre(cell / MAP_SIDE, RATIO);
    let y = target.y - cell_centre(cell % MAP_SIDE, RATIO);
    (x * x + y * y) / FARTHEST_SQUARE
}

/// The non-zero cells of [`label_map`] with their values, in the targets' order.
pub fn label_cells(targets: &[Target]) -> Vec<(usize, f64)> {
    let mut cells: Vec<(usize, f64)> = Vec::with_capacity(targets.len());
    for target in targets {
        let Some(cell) = cell_index(target) else {
            continue;
        };
        let value = f64::from(target.intensity as f32);
        match cells.iter_mut().find(|(taken, _)| *taken == cell) {
            Some((_, old)) => *old = value,
            None => cells.push((cell, value)),
        }
    }
    cells
}
