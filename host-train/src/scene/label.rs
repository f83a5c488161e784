//! The 33×33 map that networks regress.

use crate::scene::Target;
use derefnet_core::physics::{MAP_LEN, MAP_SIDE, RATIO, cell_of};

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
    let mut map = [0.0; MAP_LEN];
    for target in targets {
        if let Some(cell) = cell_index(target) {
            map[cell] = target.intensity as f32;
        }
    }
    map
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
