//! Frames to unmix: folders and lists of PNG pictures, or `.npy` arrays.
//!
//! - A folder is one sequence: its `.png` files in time order.
//! - PNG files given one by one form one sequence, in time order too: a shell lists `image_10`
//!   before `image_2`. Time order is that of the first number in the name; among equals, of the
//!   further numbers.
//! - Pictures are read by [`raster::read_counts`], which takes their pedestal off.
//! - An `.npy` file holds `(frames, rows, columns)` or `(sequences, frames, rows, columns)`.
//!
//! Frames larger than 11×11 need [`At`] to say where to look. A [`Mask`] says which pixels not to
//! believe.

use std::cmp::Ordering;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use derefnet_core::physics::WINDOW;
use ndarray::{Array3, Axis};

use crate::{Error, Result, raster};

pub use crop::At;
pub use mask::Mask;

mod crop;
mod mask;
mod npy;

/// Where the frames come from.
#[derive(Clone, Debug, clap::Args)]
pub struct InputArgs {
    /// A folder of PNG frames, PNG frames in time order (grey, 8 or 16 bit), or an .npy file of
    /// (frames, 11, 11) or (sequences, frames, 11, 11).
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Centre of the 11x11 region in larger frames: ROW,COL once for all frames or once per frame
    /// (repeat the option or separate by ';'), or 'auto' to follow the brightest blob. Moved inside
    /// where it would cross the border.
    #[arg(long, value_name = "ROW,COL|auto", value_delimiter = ';')]
    pub at: Vec<At>,
    /// Pixels to leave out, dead ones say: a grey picture or an array of (rows, columns) of the
    /// frames' size, not zero where a pixel is not to be believed.
    #[arg(long, value_name = "F.png|F.npy")]
    pub mask: Option<PathBuf>,
}

impl InputArgs {
    /// Reads everything asked for.
    ///
    /// # Errors
    ///
    /// As [`read`].
    pub fn read(&self) -> Result<Vec<Sequence>> {
        let mask = self.mask.as_deref().map(Mask::read).transpose()?;
        read(
            &self.paths,
            &Cut {
                at: &self.at,
                mask: mask.as_ref(),
            },
        )
    }
}

/// What to take out of every frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cut<'a> {
    /// Where the region lies; nothing for frames of 11×11.
    pub at: &'a [At],
    /// Pixels not to believe.
    pub mask: Option<&'a Mask>,
}

/// Consecutive 11×11 frames around one blob.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// Folder or file, with the index in a file of several sequences.
    pub name: String,
    /// Counts, `(frames, 11, 11)`, at least five frames, all finite; excluded pixels are mended.
    pub frames: Array3<f32>,
    /// Excluded pixels, `(frames, 11, 11)`.
    pub excluded: Option<Array3<bool>>,
    /// Row and column of each crop's first pixel in the original frame; add them to a target's
    /// `x` and `y` for its place there.
    pub origin: Vec<[usize; 2]>,
}

impl Sequence {
    /// Median of all counts that are not excluded: the background, if targets cover less than half of
    /// the frames.
    pub fn median(&self) -> f32 {
        let flags = self.excluded.as_ref().map(|flags| flags.iter().copied());
        let flags = flags.into_iter().flatten().chain(std::iter::repeat(false));
        let counts = self.frames.iter().zip(flags);
        let good = counts.filter(|(_, excluded)| !excluded);
        let mut good: Vec<f32> = good.map(|(&count, _)| count).collect();
        let middle = good.len() / 2;
        match good.is_empty() {
            true => 0.0,
            false => *good.select_nth_unstable_by(middle, f32::total_cmp).1,
        }
    }
}

/// Reads all sequences that `paths` name, in their order; loose pictures come first.
///
/// # Errors
///
/// [`Error::Io`] for what cannot be opened; [`Error::Format`] naming file, found and expected for
/// too few frames, wrong sizes, colours, types, truncation and non-finite values; [`Error::Usage`]
/// if `cut.at` does not fit.
pub fn read(paths: &[PathBuf], cut: &Cut) -> Result<Vec<Sequence>> {
    let mut pictures = Vec::new();
    let mut sequences = Vec::new();
    for path in paths {
        match kind(path)? {
            Kind::Folder => {
                let name = stem(&fs::canonicalize(path).map_err(|source| Error::io(path, source))?);
                sequences.push(from_pictures(path, name, list_folder(path)?, cut)?);
            }
            Kind::Picture => pictures.push(path.clone()),
            Kind::Array => sequences.extend(from_array(path, cut)?),
        }
    }
    if let Some(first) = pictures.first().cloned() {
        let loose = from_pictures(&first, stem(&first), pictures, cut)?;
        sequences.insert(0, loose);
    }
    Ok(sequences)
}

enum Kind {
    Folder,
    Picture,
    Array,
}

/// Tells files apart by their first bytes; names lie.
fn kind(path: &Path) -> Result<Kind> {
    let fail = |source| Error::io(path, source);
    if fs::metadata(path).map_err(fail)?.is_dir() {
        return Ok(Kind::Folder);
    }
    let mut start = Vec::new();
    let file = File::open(path).map_err(fail)?;
    file.take(8).read_to_end(&mut start).map_err(fail)?;
    if start.starts_with(b"\x89PNG") {
        Ok(Kind::Picture)
    } else if start.starts_with(b"\x93NUMPY") {
        Ok(Kind::Array)
    } else {
        let message = "neither a PNG picture nor an .npy array, expected one of them or a folder";
        Err(Error::format(path, message))
    }
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or(path.as_os_str());
    stem.to_string_lossy().into_owned()
}

/// PNG files of a folder, without hidden ones.
fn list_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let fail = |source| Error::io(folder, source);
    let mut pictures = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let png = path
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
        if png && !hidden {
            pictures.push(path);
        }
    }
    if pictures.is_empty() {
        return Err(Error::format(
            folder,
            "no .png files, expected the frames of one sequence",
        ));
    }
    Ok(pictures)
}

/// Puts pictures into time order and cuts out the region.
fn from_pictures(
    path: &Path,
    name: String,
    mut pictures: Vec<PathBuf>,
    cut: &Cut,
) -> Result<Sequence> {
    pictures.sort_by(|a, b| time_order(&stem(a), &stem(b)));
    for pair in pictures.windows(2) {
        if time_order(&stem(&pair[0]), &stem(&pair[1])) == Ordering::Equal {
            let message = format!(
                "same place in time as {}, expected different numbers (one folder per sequence)",
                pair[0].display()
            );
            return Err(Error::format(&pair[1], message));
        }
    }
    enough_frames(path, pictures.len())?;
    let source = crop::Source {
        count: pictures.len(),
        file: &|index| pictures[index].as_path(),
        frame: &|index| Ok(raster::read_counts(&pictures[index])?.mapv(|count| count as f32)),
    };
    crop::sequence(name, cut, &source)
}

fn from_array(path: &Path, cut: &Cut) -> Result<Vec<Sequence>> {
    let values = npy::read(path)?;
    let (count, frames) = (values.len_of(Axis(0)), values.len_of(Axis(1)));
    if count == 0 {
        return Err(Error::format(path, "0 sequences, expected at least 1"));
    }
    enough_frames(path, frames)?;
    let sequence = |index: usize| {
        let mut name = stem(path);
        if count > 1 {
            name += &format!("[{index}]");
        }
        let one = values.index_axis(Axis(0), index);
        let source = crop::Source {
            count: frames,
            file: &|_| path,
            frame: &|time| Ok(one.index_axis(Axis(0), time).to_owned()),
        };
        crop::sequence(name, cut, &source)
    };
    (0..count).map(sequence).collect()
}

fn enough_frames(path: &Path, found: usize) -> Result<()> {
    if found < WINDOW {
        let message = format!("{found} frames, expected at least {WINDOW}");
        return Err(Error::format(path, message));
    }
    Ok(())
}

/// Orders by the first number, then by all text and numbers in turn; names without number last.
fn time_order(a: &str, b: &str) -> Ordering {
    let (left, right) = (pieces(a), pieces(b));
    let first = |pieces: &[Piece]| pieces.iter().find_map(Piece::number);
    let by_first = match (first(&left), first(&right)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    by_first.then_with(|| left.cmp(&right))
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Piece {
    /// Length and digits without leading zeros: ordered like the number, however long.
    Number(usize, String),
    Text(String),
}

impl Piece {
    fn number(&self) -> Option<(usize, String)> {
        match self {
            Self::Number(length, digits) => Some((*length, digits.clone())),
            Self::Text(_) => None,
        }
    }
}

/// Splits a name into runs of digits and of other characters.
fn pieces(name: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let digit = first.is_ascii_digit();
        let end = rest
            .find(|letter: char| letter.is_ascii_digit() != digit)
            .unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        pieces.push(if digit {
            let digits = run.trim_start_matches('0').to_owned();
            Piece::Number(digits.len(), digits)
        } else {
            Piece::Text(run.to_owned())
        });
        rest = after;
    }
    pieces
}

#[cfg(test)]
mod tests;
