//! Cutting an 11×11 slice out of a larger frame.

use crate::error::{Error, Result, check_len};
use crate::physics::{FRAME_LEN, FRAME_SIDE};

/// A slice of a larger frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Row and column of its first pixel in the larger frame.
    pub origin: [usize; 2],
    /// Readings `(11, 11)`.
    pub readings: [u16; FRAME_LEN],
}

/// Cuts the 11×11 slice around `centre`, row and column of a detector's blob, out of `frame (rows,
/// columns)`.
///
/// Near an edge the slice moves inwards, so that it always lies inside the frame;
/// [`Slice::origin`] tells where. Add it to a target's position to have its position in the frame.
/// Frames of one stream must be cut at one place: choose it once, when the detector finds the blob.
///
/// # Errors
/// [`Error::Length`] if `frame` has another number of readings, [`Error::Domain`] for a frame smaller
/// than 11×11 and for a centre outside it.
pub fn slice(frame: &[u16], [rows, columns]: [usize; 2], centre: [usize; 2]) -> Result<Slice> {
    let domain = |what, expected, got: usize| {
        Err(Error::Domain {
            what,
            expected,
            got: got as f64,
        })
    };
    check_len("frame", rows.saturating_mul(columns), frame.len())?;
    let [row, column] = centre;
    if rows.min(columns) < FRAME_SIDE {
        return domain("frame side", "11 pixels or more", rows.min(columns));
    }
    if row >= rows {
        return domain("centre row", "a row of the frame", row);
    }
    if column >= columns {
        return domain("centre column", "a column of the frame", column);
    }
    let first = |at: usize, side: usize| {
        let most = side.saturating_sub(FRAME_SIDE);
        at.saturating_sub(FRAME_SIDE / 2).min(most)
    };
    let origin = [first(row, rows), first(column, columns)];
    let mut readings = [0; FRAME_LEN];
    let lines = frame.chunks_exact(columns).skip(origin[0]);
    for (to, line) in readings.chunks_exact_mut(FRAME_SIDE).zip(lines) {
        let from = line.iter().skip(origin[1]);
        to.iter_mut().zip(from).for_each(|(to, &x)| *to = x);
    }
    Ok(Slice { origin, readings })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(rows: usize, columns: usize) -> std::vec::Vec<u16> {
        (0..rows * columns).map(|i| i as u16).collect()
    }

    #[test]
    fn slices_lie_about_their_centre_or_inside_the_edge() {
        let frame = frame(20, 30);
        for (centre, origin) in [
            ([10, 15], [5, 10]),
            ([0, 0], [0, 0]),
            ([19, 29], [9, 19]),
            ([4, 26], [0, 19]),
        ] {
            let cut = slice(&frame, [20, 30], centre).unwrap();
            assert_eq!(cut.origin, origin);
            let at = |r: usize, c: usize| frame[(origin[0] + r) * 30 + origin[1] + c];
            assert_eq!(cut.readings[0], at(0, 0));
            assert_eq!(cut.readings[FRAME_LEN - 1], at(10, 10));
            assert_eq!(cut.readings[FRAME_SIDE + 3], at(1, 3));
        }
    }

    #[test]
    fn bad_frames_are_refused() {
        let all = frame(20, 30);
        assert!(slice(&all, [20, 29], [0, 0]).is_err());
        assert!(slice(&all[..300], [10, 30], [0, 0]).is_err());
        assert!(slice(&all, [20, 30], [20, 0]).is_err());
        assert!(slice(&all, [20, 30], [0, 30]).is_err());
        assert!(slice(&[], [usize::MAX, 2], [0, 0]).is_err());
    }
}
