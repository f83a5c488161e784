//! The native layout: two NumPy files per split beside `manifest.json`.
//!
//! | file | dtype | shape |
//! | --- | --- | --- |
//! | `<split>_frames.npy` | `<i4` | `(trajectories, frames, 11, 11)`: signed counts, pedestal subtracted |
//! | `<split>_truth.npy` | `<f8` | `(targets, 5)`: trajectory, frame, x, y, intensity; sorted by the first two |

use crate::dataset::{Manifest, Source, Split, Tick};
use crate::scene::{Target, Trajectory};
use crate::{Error, Result};
use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE};
use ndarray::Array3;
use npyz::WriterBuilder;
use rayon::prelude::*;
use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};

/// Trajectories generated in parallel before they are written in order.
const CHUNK: u64 = 64;
/// Columns of the truth file.
const COLUMNS: usize = 5;

fn paths(dir: &Path, split: Split) -> (PathBuf, PathBuf) {
    let file = |what: &str| dir.join(format!("{}_{what}.npy", split.name()));
    (file("frames"), file("truth"))
}

/// Writes one split into `dir`.
///
/// # Errors
/// [`Error::Io`] if a file cannot be written, and whatever `tick` returns.
pub(crate) fn write(
    dir: &Path,
    manifest: &Manifest,
    split: Split,
    source: &Source,
    tick: &Tick,
) -> Result<()> {
    let (frames_path, truth_path) = paths(dir, split);
    let (count, frames) = (manifest.trajectories.of(split), manifest.config.frames);
    let side = FRAME_SIDE as u64;
    let refuse = |source| Error::io(&frames_path, source);
    let mut counts = create::<i32>(&frames_path, &[count, u64::from(frames), side, side])?;
    let mut truth = Vec::new();
    let mut start = 0;
    while start < count {
        let end = count.min(start + CHUNK);
        let made: Vec<Trajectory> = (start..end)
            .into_par_iter()
            .map(|index| source(split, index))
            .collect();
        for (index, trajectory) in (start..).zip(made) {
            counts
                .extend(trajectory.frames.iter().copied())
                .map_err(refuse)?;
            append_truth(index, &trajectory, &mut truth);
        }
        tick(end - start)?;
        start = end;
    }
    counts.finish().map_err(refuse)?;
    let rows = (truth.len() / COLUMNS) as u64;
    let mut file = create::<f64>(&truth_path, &[rows, COLUMNS as u64])?;
    file.extend(truth)
        .and_then(|()| file.finish())
        .map_err(|source| Error::io(&truth_path, source))
}

type NpyWriter<T> = npyz::NpyWriter<T, BufWriter<File>>;

fn create<T: npyz::Serialize + npyz::AutoSerialize>(
    path: &Path,
    shape: &[u64],
) -> Result<NpyWriter<T>> {
    let begin = |file| {
        npyz::WriteOptions::new()
            .default_dtype()
            .shape(shape)
            .writer(BufWriter::new(file))
            .begin_nd()
    };
    File::create(path)
        .and_then(begin)
        .map_err(|source| Error::io(path, source))
}

fn append_truth(index: u64, trajectory: &Trajectory, rows: &mut Vec<f64>) {
    for (frame, targets) in trajectory.truth.iter().enumerate() {
        for target in targets {
            let Target { x, y, intensity } = *target;
            rows.extend([index as f64, frame as f64, x, y, intensity]);
        }
    }
}

/// Reads one split of `dir`.
///
/// # Errors
/// [`Error::Io`] if a file is missing, [`Error::Format`] if it does not fit the manifest.
pub(crate) fn read(dir: &Path, manifest: &Manifest, split: Split) -> Result<Vec<Trajectory>> {
    let (frames_path, truth_path) = paths(dir, split);
    let (count, frames) = (manifest.trajectories.of(split), manifest.config.frames);
    let side = FRAME_SIDE as u64;
    let shape = [count, u64::from(frames), side, side];
    let counts = open(
        &frames_path,
        "frames",
        |found| found == shape,
        &format!("{shape:?}"),
    )?;
    let counts: Vec<i32> = values(&frames_path, counts)?;
    let fits = |found: &[u64]| found.len() == 2 && found[1] == COLUMNS as u64;
    let rows = open(&truth_path, "truth", fits, "(targets, 5)")?;
    let rows: Vec<f64> = values(&truth_path, rows)?;
    let frames = frames as usize;
    let truth = parse_truth(&rows, count as usize, frames)
        .map_err(|message| Error::format(&truth_path, message))?;
    let blocks = counts.chunks_exact(frames * FRAME_LEN);
    let build = |(block, truth): (&[i32], Vec<Vec<Target>>)| Trajectory {
        frames: Array3::from_shape_fn((frames, FRAME_SIDE, FRAME_SIDE), |(t, i, j)| {
            block[t * FRAME_LEN + i * FRAME_SIDE + j]
        }),
        truth,
    };
    Ok(blocks.zip(truth).map(build).collect())
}

type NpyFile = npyz::NpyFile<BufReader<File>>;

/// Opens a file and checks its order and shape.
fn open(path: &Path, what: &str, fits: impl Fn(&[u64]) -> bool, expected: &str) -> Result<NpyFile> {
    let file = File::open(path).map_err(|source| Error::io(path, source))?;
    let npy = npyz::NpyFile::new(BufReader::new(file)).map_err(|source| broken(path, source))?;
    if npy.order() != npyz::Order::C || !fits(npy.shape()) {
        return Err(Error::format(
            path,
            format!(
                "shape of {what} is {:?} in {:?} order, expected {expected} in C order",
                npy.shape(),
                npy.order()
            ),
        ));
    }
    Ok(npy)
}

fn values<T: npyz::Deserialize>(path: &Path, npy: NpyFile) -> Result<Vec<T>> {
    npy.into_vec().map_err(|source| broken(path, source))
}

fn broken(path: &Path, source: io::Error) -> Error {
    let message = match source.kind() {
        io::ErrorKind::UnexpectedEof => "bad npy: the file ends too early".to_owned(),
        _ => format!("bad npy: {source}"),
    };
    Error::format(path, message)
}

/// Sorts rows into `[trajectory][frame][target]`.
fn parse_truth(
    rows: &[f64],
    count: usize,
    frames: usize,
) -> core::result::Result<Vec<Vec<Vec<Target>>>, String> {
    let mut truth = vec![vec![Vec::new(); frames]; count];
    let mut last = (0, 0);
    for (row, values) in rows.chunks_exact(COLUMNS).enumerate() {
        let place = |column: usize, name: &str, most: usize| {
            let value = values[column];
            let whole = value as usize;
            if whole as f64 == value && whole < most {
                return Ok(whole);
            }
            Err(format!(
                "row {row}: {name} is {value}, expected a whole number below {most}"
            ))
        };
        let at = (place(0, "trajectory", count)?, place(1, "frame", frames)?);
        if at < last {
            return Err(format!(
                "row {row}: trajectory and frame are {at:?} after {last:?}, expected sorted rows"
            ));
        }
        last = at;
        if let Some(bad) = values[2..].iter().find(|value| !value.is_finite()) {
            return Err(format!("row {row}: found {bad}, expected finite numbers"));
        }
        truth[at.0][at.1].push(Target {
            x: values[2],
            y: values[3],
            intensity: values[4],
        });
    }
    Ok(truth)
}
