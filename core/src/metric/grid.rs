//! Readout of a high-resolution map: every bright cell is a detection at its centre.

use super::Detection;
use crate::error::{Error, Result, check_len, check_room};
use crate::physics::{MAP_SIDE, RATIO, cell_centre};

/// Counts from which a cell is a detection, as published for SeqCSIST.
///
/// About a third of the weakest target's 220 counts. The sister single-frame data set uses 50.
pub const GRID_THRESHOLD: f64 = 70.0;

/// Shape of a map: `rows`×`columns` cells, `ratio` (odd) cells per low-resolution pixel and axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapShape {
    /// Cells along `x`.
    pub rows: usize,
    /// Cells along `y`.
    pub columns: usize,
    /// Cells per pixel and axis.
    pub ratio: usize,
}

impl MapShape {
    /// The 33×33 map of SeqCSIST, `c = 3`.
    pub const SEQ_CSIST: Self = Self {
        rows: MAP_SIDE,
        columns: MAP_SIDE,
        ratio: RATIO,
    };
}

/// Writes a detection for every cell of `map` (row-major, counts) of at least `threshold` counts,
/// in row-major order, and returns their number. Cell `(i, j)` answers with its centre
/// ([`cell_centre`]) and its value as score; there is no search for local maxima.
///
/// `out` needs room for the cells found; as many as the map has cells always suffice.
///
/// # Errors
/// [`Error::Domain`] unless `ratio` is odd and `threshold` finite and positive (cells at zero are
/// never detections), [`Error::Length`] unless `map` has `rows·columns` elements,
/// [`Error::NotFinite`] for a NaN or infinite cell anywhere, [`Error::Capacity`] if `out` is too
/// small. `out` is unchanged after an error.
pub fn grid_detections<T: Copy + Into<f64>>(
    map: &[T],
    shape: MapShape,
    threshold: f64,
    out: &mut [Detection],
) -> Result<usize> {
    let found = count_cells(map, shape, threshold)?;
    check_room("grid detections", found, out.len())?;
    // An empty row would make the division below meaningless; an empty map has no cells to visit.
    let columns = shape.columns.max(1);
    let cells = map.iter().map(|&value| value.into()).enumerate();
    let bright = cells.filter(|&(_, value)| value >= threshold);
    for (slot, (cell, score)) in out.iter_mut().zip(bright) {
        *slot = Detection {
            x: cell_centre(cell / columns, shape.ratio),
            y: cell_centre(cell % columns, shape.ratio),
            score,
        };
    }
    Ok(found)
}

/// Checks everything and counts the cells that reach the threshold.
fn count_cells<T: Copy + Into<f64>>(map: &[T], shape: MapShape, threshold: f64) -> Result<usize> {
    let domain = |what, expected, got| {
        Err(Error::Domain {
            what,
            expected,
            got,
        })
    };
    if shape.ratio.is_multiple_of(2) {
        return domain(
            "ratio",
            "an odd number of cells per pixel",
            shape.ratio as f64,
        );
    }
    if !threshold.is_finite() || threshold <= 0.0 {
        return domain("threshold", "a positive number of counts", threshold);
    }
    check_len("map", shape.rows.saturating_mul(shape.columns), map.len())?;
    let mut found = 0;
    for (index, &value) in map.iter().enumerate() {
        let value: f64 = value.into();
        if !value.is_finite() {
            return Err(Error::NotFinite { what: "map", index });
        }
        found += usize::from(value >= threshold);
    }
    Ok(found)
}
