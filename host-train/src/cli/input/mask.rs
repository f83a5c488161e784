//! Pixels to leave out: dead, hot or saturated ones.

use std::path::{Path, PathBuf};

use derefnet_core::physics::FRAME_SIDE;
use ndarray::{Array2, ArrayView2, s};

use super::{Kind, kind, npy};
use crate::{Error, Result, raster};

/// Pixels of a sensor that are not to be believed, the same in every frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask {
    path: PathBuf,
    excluded: Array2<bool>,
}

impl Mask {
    /// Reads a grey PNG or an `.npy` array of (rows, columns): what is not zero is excluded.
    ///
    /// # Errors
    /// [`Error::Io`] for what cannot be opened, [`Error::Format`] for colours, other shapes and types,
    /// values that are no numbers, and a mask that leaves nothing.
    pub fn read(path: &Path) -> Result<Self> {
        let excluded = match kind(path)? {
            Kind::Picture => picture(path)?,
            Kind::Array => npy::read_plane(path)?.mapv(|value| value != 0.0),
            Kind::Folder => {
                let message = "a folder, expected a grey PNG or an .npy array of (rows, columns)";
                return Err(Error::format(path, message));
            }
        };
        if excluded.iter().all(|&flag| flag) {
            return Err(Error::format(
                path,
                "excludes every pixel, expected some left",
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            excluded,
        })
    }

    /// Refuses a mask of another size than the frames.
    pub(super) fn check(&self, size: (usize, usize)) -> Result<()> {
        let (rows, columns) = self.excluded.dim();
        if (rows, columns) != size {
            let expected = format!("expected {}x{} as the frames", size.0, size.1);
            let message = format!("mask of {rows}x{columns} pixels, {expected}");
            return Err(Error::format(&self.path, message));
        }
        Ok(())
    }

    /// Puts the mean of the nearest pixels that count in place of each one that does not: a network
    /// knows no gaps, and the search for a blob must not find a hot pixel.
    pub(super) fn mend(&self, frame: &mut Array2<f32>) {
        let broken = frame.clone();
        let flagged = self.excluded.indexed_iter().filter(|(_, flag)| **flag);
        for (place, _) in flagged {
            frame[place] = self.around(broken.view(), place);
        }
    }

    /// Mean of the pixels that count in the smallest square around `place` that holds any.
    fn around(&self, frame: ArrayView2<f32>, (row, column): (usize, usize)) -> f32 {
        let (rows, columns) = frame.dim();
        for half in 1..rows.max(columns) {
            let range = |at: usize, side: usize| at.saturating_sub(half)..(at + half + 1).min(side);
            let square = s![range(row, rows), range(column, columns)];
            let (near, flags) = (frame.slice(square), self.excluded.slice(square));
            let good = near.iter().zip(flags);
            let good = good.filter(|(value, flag)| !**flag && value.is_finite());
            let (number, sum) =
                good.fold((0.0, 0.0), |(n, sum), (value, _)| (n + 1.0, sum + value));
            if number > 0.0 {
                return sum / number;
            }
        }
        0.0
    }

    /// Flags of the region whose first pixel is `origin`.
    pub(super) fn region(&self, [row, column]: [usize; 2]) -> Result<ArrayView2<'_, bool>> {
        let square = s![row..row + FRAME_SIDE, column..column + FRAME_SIDE];
        let flags = self.excluded.slice(square);
        if flags.iter().all(|&flag| flag) {
            let message = format!(
                "excludes all of the 11x11 region at row {row}, column {column}, expected some left"
            );
            return Err(Error::format(&self.path, message));
        }
        Ok(flags)
    }
}

fn picture(path: &Path) -> Result<Array2<bool>> {
    let raster = raster::read(path)?;
    if raster.colour != "grey" {
        let message = format!("mask in {}, expected grey", raster.colour);
        return Err(Error::format(path, message));
    }
    let excluded = raster.samples.iter().map(|&value| value != 0).collect();
    Array2::from_shape_vec((raster.height, raster.width), excluded)
        .map_err(|error| Error::format(path, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(size: usize, places: &[(usize, usize)]) -> Mask {
        let mut excluded = Array2::from_elem((size, size), false);
        for &place in places {
            excluded[place] = true;
        }
        Mask {
            path: "mask.png".into(),
            excluded,
        }
    }

    #[test]
    fn gaps_take_the_mean_of_their_neighbours() {
        let mut frame = Array2::from_shape_fn((5, 5), |(row, column)| (10 * row + column) as f32);
        frame[(2, 2)] = f32::NAN;
        frame[(0, 0)] = 900.0;
        mask(5, &[(2, 2), (0, 0)]).mend(&mut frame);
        assert_eq!(frame[(2, 2)], 22.0);
        assert_eq!(frame[(0, 0)], (1.0 + 10.0 + 11.0) / 3.0);
        assert_eq!(frame[(3, 3)], 33.0);
    }

    #[test]
    fn wide_gaps_reach_farther_and_gaps_do_not_fill_gaps() {
        let block: Vec<_> = (0..9).map(|index| (index / 3, index % 3)).collect();
        let mut frame = Array2::from_elem((5, 5), 4.0);
        block.iter().for_each(|&place| frame[place] = -7.0);
        mask(5, &block).mend(&mut frame);
        assert!(frame.iter().all(|&value| value == 4.0));
    }

    #[test]
    fn sizes_and_empty_regions_are_refused() {
        let block: Vec<_> = (0..121).map(|index| (index / 11, index % 11)).collect();
        let mask = mask(20, &block);
        let message = mask.check((20, 21)).unwrap_err().to_string();
        assert!(
            message.contains("mask.png") && message.contains("20x20"),
            "{message}"
        );
        assert!(message.contains("expected 20x21"), "{message}");
        assert!(mask.check((20, 20)).is_ok());
        assert!(mask.region([1, 0]).is_ok_and(|flags| !flags[(10, 0)]));
        let message = mask.region([0, 0]).unwrap_err().to_string();
        assert!(message.contains("row 0, column 0"), "{message}");
    }
}
