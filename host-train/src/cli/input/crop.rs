//! The 11×11 region of larger frames.
//!
//! A region that would cross the border of the frame is moved inside; its origin tells.
//!
//! `auto` follows the brightest blob by this rule:
//!
//! 1. In each frame, the mean of every 3×3 box minus the median of the 15×15 pixels around it
//!    (both cut at the border); the largest is the blob, the first one in reading order of equals.
//!    The box mutes single hot pixels, the median removes background and clutter wider than it.
//! 2. Row and column are smoothed by a running median over five frames, so that a blob elsewhere
//!    in up to two frames does not count.
//! 3. The region stays where it is until the smoothed blob is more than two pixels off its centre,
//!    and is then centred anew: a region that jittered with the noise would look like motion.

use std::path::Path;
use std::str::FromStr;

use derefnet_core::physics::FRAME_SIDE;
use ndarray::{Array2, Array3, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::{Cut, Sequence};
use crate::{Error, Result};

/// Where the region lies in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Row and column of its central pixel.
    Centre([usize; 2]),
    /// Around the brightest blob.
    Auto,
}

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if text.trim() == "auto" {
            return Ok(Self::Auto);
        }
        let place = || {
            let (row, column) = text.split_once(',')?;
            let number = |text: &str| text.trim().parse::<usize>().ok();
            Some(Self::Centre([number(row)?, number(column)?]))
        };
        place().ok_or_else(|| format!("{text:?}, expected ROW,COL in whole pixels, or auto"))
    }
}

/// Half a region: pixels on either side of the central one.
const HALF: usize = FRAME_SIDE / 2;
/// Half of the box that finds a blob.
const BOX: usize = 1;
/// Half of the neighbourhood that counts as background.
const AROUND: usize = 7;
/// Frames on either side that smooth a position.
const SMOOTH: usize = 2;
/// The blob may be this far off the centre before the region moves.
const SLACK: usize = 2;

/// Frames of one sequence before the cut.
///
/// They are asked for one by one, and twice by `auto`, which looks before it cuts: all together
/// may be too large to keep.
pub struct Source<'a> {
    /// Number of frames.
    pub count: usize,
    /// File of a frame, for complaints.
    pub file: &'a dyn Fn(usize) -> &'a Path,
    /// Reads a frame.
    pub frame: &'a dyn Fn(usize) -> Result<Array2<f32>>,
}

impl Source<'_> {
    /// Complaint about frame `index`.
    fn wrong(&self, index: usize, message: impl std::fmt::Display) -> Error {
        Error::format((self.file)(index), format!("frame {index}: {message}"))
    }

    /// Frame `index`, mended, if it has the right `size` and every value is a number.
    fn checked(&self, index: usize, size: (usize, usize), cut: &Cut) -> Result<Array2<f32>> {
        let mut frame = (self.frame)(index)?;
        let (rows, columns) = frame.dim();
        if (rows, columns) != size {
            let message = format!("{rows}x{columns} pixels, expected {}x{}", size.0, size.1);
            return Err(self.wrong(index, message + " as in frame 0"));
        }
        if let Some(mask) = cut.mask {
            mask.mend(&mut frame);
        }
        let mut values = frame.indexed_iter();
        if let Some(((row, column), value)) = values.find(|(_, value)| !value.is_finite()) {
            let message = format!("row {row}, column {column}: {value}, expected a number");
            return Err(self.wrong(index, message));
        }
        Ok(frame)
    }

    /// Size of the frames, if a region fits and if it is clear which.
    fn size(&self, cut: &Cut) -> Result<(usize, usize)> {
        let (rows, columns) = (self.frame)(0)?.dim();
        let least = "expected at least 11x11";
        if rows < FRAME_SIDE || columns < FRAME_SIDE {
            return Err(self.wrong(0, format!("{rows}x{columns} pixels, {least}")));
        }
        if cut.at.is_empty() && (rows, columns) != (FRAME_SIDE, FRAME_SIDE) {
            let message = format!("{rows}x{columns} pixels, expected 11x11 or the option --at");
            return Err(self.wrong(0, message));
        }
        cut.mask
            .map_or(Ok(()), |mask| mask.check((rows, columns)))?;
        Ok((rows, columns))
    }
}

/// Cuts the region out of every frame.
pub fn sequence(name: String, cut: &Cut, source: &Source) -> Result<Sequence> {
    let size = source.size(cut)?;
    let centres = centres(size, cut, source)?;
    let origin: Vec<[usize; 2]> = centres.iter().map(|&centre| corner(centre, size)).collect();
    let shape = (source.count, FRAME_SIDE, FRAME_SIDE);
    let mut frames = Array3::zeros(shape);
    let mut excluded = cut.mask.map(|_| Array3::from_elem(shape, false));
    for (index, &[row, column]) in origin.iter().enumerate() {
        let whole = source.checked(index, size, cut)?;
        let region = whole.slice(s![row..row + FRAME_SIDE, column..column + FRAME_SIDE]);
        frames.index_axis_mut(Axis(0), index).assign(&region);
        if let (Some(mask), Some(all)) = (cut.mask, &mut excluded) {
            all.index_axis_mut(Axis(0), index)
                .assign(&mask.region([row, column])?);
        }
    }
    Ok(Sequence {
        name,
        frames,
        excluded,
        origin,
    })
}

/// Central pixel of the region in every frame.
fn centres(size: (usize, usize), cut: &Cut, source: &Source) -> Result<Vec<[usize; 2]>> {
    match *cut.at {
        [] => Ok(vec![[HALF, HALF]; source.count]),
        [At::Auto] => {
            let blob = |index: usize| {
                brightest(source.checked(index, size, cut)?.view()).ok_or_else(|| {
                    let message = "nothing above its surroundings, expected a blob for --at auto";
                    source.wrong(index, message)
                })
            };
            let blobs = (0..source.count).map(blob).collect::<Result<Vec<_>>>()?;
            Ok(steady(&smooth(&blobs)))
        }
        _ => given(size, source.count, cut.at),
    }
}

/// Positions as the user gave them: one for all frames, or one for each.
fn given(size: (usize, usize), count: usize, at: &[At]) -> Result<Vec<[usize; 2]>> {
    let place = |at: &At| match *at {
        At::Centre([row, column]) if row < size.0 && column < size.1 => Ok([row, column]),
        At::Centre([row, column]) => Err(Error::usage(format!(
            "--at {row},{column}: outside the frame of {}x{} pixels",
            size.0, size.1
        ))),
        At::Auto => Err(Error::usage("--at: auto stands alone, without positions")),
    };
    let places = at.iter().map(place).collect::<Result<Vec<_>>>()?;
    match places.len() {
        1 => Ok(vec![places[0]; count]),
        found if found == count => Ok(places),
        found => Err(Error::usage(format!(
            "--at: {found} positions, expected 1 or one for each of {count} frames"
        ))),
    }
}

/// First pixel of the region around `centre`, moved inside the frame.
fn corner(centre: [usize; 2], size: (usize, usize)) -> [usize; 2] {
    let along = |centre: usize, side: usize| centre.saturating_sub(HALF).min(side - FRAME_SIDE);
    [along(centre[0], size.0), along(centre[1], size.1)]
}

/// Row and column of the brightest blob, if any rises above its surroundings (rule 1).
fn brightest(frame: ArrayView2<f32>) -> Option<[usize; 2]> {
    let (rows, columns) = frame.dim();
    let best_of_row = |row: usize| {
        let mut best = (f32::NEG_INFINITY, [row, 0]);
        let mut scratch = Vec::with_capacity((2 * AROUND + 1).pow(2));
        for column in 0..columns {
            let score = mean(near(&frame, row, column, BOX))
                - median(near(&frame, row, column, AROUND), &mut scratch);
            if score > best.0 {
                best = (score, [row, column]);
            }
        }
        best
    };
    let of_rows: Vec<_> = (0..rows).into_par_iter().map(best_of_row).collect();
    let first = (0.0, [0, 0]);
    let best = of_rows
        .into_iter()
        .fold(first, |best, row| if row.0 > best.0 { row } else { best });
    (best.0 > 0.0).then_some(best.1)
}

/// Pixels within `half` of a place, cut at the border.
fn near<'a>(
    frame: &'a ArrayView2<f32>,
    row: usize,
    column: usize,
    half: usize,
) -> ArrayView2<'a, f32> {
    let range = |at: usize, side: usize| at.saturating_sub(half)..(at + half + 1).min(side);
    let (rows, columns) = frame.dim();
    frame.slice(s![range(row, rows), range(column, columns)])
}

fn mean(values: ArrayView2<f32>) -> f32 {
    values.sum() / values.len() as f32
}

/// Upper median.
fn median(values: ArrayView2<f32>, scratch: &mut Vec<f32>) -> f32 {
    scratch.clear();
    scratch.extend(values.iter());
    let middle = scratch.len() / 2;
    *scratch.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// Running median of rows and of columns (rule 2).
fn smooth(blobs: &[[usize; 2]]) -> Vec<[usize; 2]> {
    let around = |index: usize| {
        let end = blobs.len().min(index + SMOOTH + 1);
        let near = &blobs[index.saturating_sub(SMOOTH)..end];
        std::array::from_fn(|axis| {
            let mut places: Vec<usize> = near.iter().map(|blob| blob[axis]).collect();
            places.sort_unstable();
            places[places.len() / 2]
        })
    };
    (0..blobs.len()).map(around).collect()
}

/// Holds the centre until the blob leaves its slack (rule 3).
fn steady(blobs: &[[usize; 2]]) -> Vec<[usize; 2]> {
    let mut centre = blobs.first().copied().unwrap_or([HALF, HALF]);
    let follow = |&blob: &[usize; 2]| {
        if blob[0].abs_diff(centre[0]) > SLACK || blob[1].abs_diff(centre[1]) > SLACK {
            centre = blob;
        }
        centre
    };
    blobs.iter().map(follow).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_parse() {
        assert_eq!("auto".parse(), Ok(At::Auto));
        assert_eq!("40, 52".parse(), Ok(At::Centre([40, 52])));
        for bad in ["", "40", "40,", "40,5.5", "-1,3", "1,2,3"] {
            assert!(bad.parse::<At>().is_err(), "{bad}");
        }
    }

    #[test]
    fn region_stays_inside() {
        assert_eq!(corner([20, 20], (40, 50)), [15, 15]);
        assert_eq!(corner([0, 49], (40, 50)), [0, 39]);
        assert_eq!(corner([5, 5], (11, 11)), [0, 0]);
    }

    #[test]
    fn hot_pixel_and_bright_ground_do_not_win() {
        let mut frame = Array2::from_shape_fn((48, 64), |(row, _)| 10.0 * row as f32);
        for ((row, column), value) in frame.slice_mut(s![19..22, 29..32]).indexed_iter_mut() {
            *value += 200.0 / (1 + row.abs_diff(1) + column.abs_diff(1)) as f32;
        }
        frame[(8, 50)] += 600.0;
        assert_eq!(brightest(frame.view()), Some([20, 30]));
    }

    #[test]
    fn flat_frame_has_no_blob() {
        assert_eq!(brightest(Array2::from_elem((20, 20), 7.0).view()), None);
    }

    #[test]
    fn wild_frames_are_smoothed_and_noise_does_not_move_the_region() {
        let mut blobs: Vec<[usize; 2]> = (0..20).map(|t| [20 + t / 2, 30 + t % 2]).collect();
        blobs[7] = [5, 60];
        let centres = steady(&smooth(&blobs));
        assert!(centres.iter().all(|centre| centre[1].abs_diff(30) <= 1));
        for (centre, time) in centres.iter().zip(0..) {
            assert!(centre[0].abs_diff(20 + time / 2) <= SLACK + 1, "{time}");
        }
        let moves = centres.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!((1..=4).contains(&moves), "{moves}");
    }
}
