//! The authors' layout, as in their `track_5000_20`: `{train,val,test}/{image,annotation}`.
//!
//! `image/image_<n>.png` (grey, 11×11) and `annotation/COS<n>.xml` (see
//! [`annotation`]) belong together; `n` counts frames from 0, trajectory
//! after trajectory. Files are taken in the order of the first run of digits in their names.
//!
//! A PNG holds no negative counts. Noise therefore needs a `pedestal`, which is added on writing,
//! recorded in each file's text chunk [`PEDESTAL`] (and in the manifest) and subtracted on reading; or
//! negative counts are clipped. Depth is 8 bits for `bits = 8`, otherwise 16; the authors' own files,
//! with neither chunk nor manifest, have pedestal 0.

use crate::dataset::{Manifest, Source, Split, Tick, annotation};
use crate::raster::{self, PEDESTAL, Raster};
use crate::scene::{SceneConfig, Target, Trajectory};
use crate::{Error, Result};
use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE};
use ndarray::{Array3, ArrayView2, Axis};
use rayon::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

/// Frames of a trajectory where no manifest says otherwise.
const FRAMES: usize = 20;

/// Splits that `dir` has a folder `image` for.
pub(crate) fn present(dir: &Path) -> Vec<Split> {
    let held = |split: &Split| dir.join(split.name()).join("image").is_dir();
    Split::ALL.into_iter().filter(held).collect()
}

/// Writes one split into `dir`.
///
/// # Errors
/// [`Error::Usage`] if a count does not fit the container, [`Error::Io`] if a file cannot be written,
/// and whatever `tick` returns.
pub(crate) fn write(
    dir: &Path,
    manifest: &Manifest,
    split: Split,
    source: &Source,
    tick: &Tick,
) -> Result<()> {
    let [images, annotations] =
        ["image", "annotation"].map(|what| dir.join(split.name()).join(what));
    for folder in [&images, &annotations] {
        fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
    }
    let config = &manifest.config;
    (0..manifest.trajectories.of(split))
        .into_par_iter()
        .try_for_each(|index| {
            let Trajectory { frames, truth } = source(split, index);
            let first = index * u64::from(config.frames);
            for ((frame, targets), number) in frames.axis_iter(Axis(0)).zip(&truth).zip(first..) {
                let raster = to_raster(config, frame).map_err(|message| {
                    Error::usage(format!("{} frame {number}: {message}", split.name()))
                })?;
                raster::write(&images.join(format!("image_{number}.png")), &raster)?;
                let path = annotations.join(format!("COS{number}.xml"));
                fs::write(&path, annotation::to_xml(number, targets))
                    .map_err(|source| Error::io(&path, source))?;
            }
            tick(1)
        })
}

/// Puts signed counts into an unsigned picture.
fn to_raster(config: &SceneConfig, frame: ArrayView2<i32>) -> core::result::Result<Raster, String> {
    let full = config.full_scale();
    let store = |&count: &i32| {
        let stored = count.saturating_add(config.pedestal);
        if (0..=full).contains(&stored) {
            return Ok(stored as u16);
        }
        Err(format!(
            "count {count} with pedestal {} is outside 0 to {full}; choose a pedestal, clip at zero \
             or saturate",
            config.pedestal
        ))
    };
    let samples: core::result::Result<Vec<u16>, String> = frame.iter().map(store).collect();
    let note = (PEDESTAL.to_owned(), config.pedestal.to_string());
    Ok(Raster {
        width: FRAME_SIDE,
        height: FRAME_SIDE,
        bits: if config.bits == 8 { 8 } else { 16 },
        colour: "grey",
        samples: samples?,
        texts: Vec::from_iter((config.pedestal != 0).then_some(note)),
    })
}

/// Reads one split of `dir`.
///
/// # Errors
/// [`Error::Io`] or [`Error::Format`], naming the file, the field, found and expected value.
pub(crate) fn read(
    dir: &Path,
    manifest: Option<&Manifest>,
    split: Split,
) -> Result<Vec<Trajectory>> {
    let folder = dir.join(split.name());
    let per_trajectory = manifest.map_or(FRAMES, |manifest| manifest.config.frames as usize);
    let images = numbered(&folder.join("image"))?;
    let expected = match manifest {
        Some(manifest) => manifest.trajectories.of(split) as usize * per_trajectory,
        None => images.len().next_multiple_of(per_trajectory),
    };
    if images.is_empty() || images.len() != expected {
        return Err(Error::format(
            folder.join("image"),
            format!(
                "{} images, expected {expected}, trajectories of {per_trajectory} frames",
                images.len()
            ),
        ));
    }
    let annotations = folder.join("annotation");
    images
        .par_chunks(per_trajectory)
        .map(|images| read_trajectory(images, &annotations))
        .collect()
}

/// PNG files of a folder with the first number in their names, in numeric order without a gap.
fn numbered(folder: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let refuse = |source| Error::io(folder, source);
    let mut images = Vec::new();
    for entry in fs::read_dir(folder).map_err(refuse)? {
        let path = entry.map_err(refuse)?.path();
        if path.extension().is_some_and(|extension| extension == "png") {
            let number = first_number(&path).ok_or_else(|| {
                Error::format(&path, "no number in the file name, expected image_<n>.png")
            })?;
            images.push((number, path));
        }
    }
    images.sort();
    for pair in images.windows(2) {
        let [(before, _), (number, path)] = pair else {
            continue;
        };
        if *number != before + 1 {
            return Err(Error::format(
                path,
                format!(
                    "frame number {number} follows {before}, expected {}",
                    before + 1
                ),
            ));
        }
    }
    Ok(images)
}

/// Value of the first run of digits in the file name.
fn first_number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let start = name.find(|c: char| c.is_ascii_digit())?;
    let digits = &name[start..];
    let end = digits.find(|c: char| !c.is_ascii_digit());
    digits[..end.unwrap_or(digits.len())].parse().ok()
}

fn read_trajectory(images: &[(u64, PathBuf)], annotations: &Path) -> Result<Trajectory> {
    let mut counts = Vec::with_capacity(images.len() * FRAME_LEN);
    let mut truth: Vec<Vec<Target>> = Vec::with_capacity(images.len());
    for (number, path) in images {
        append_image(path, &mut counts)?;
        let annotation = annotations.join(format!("COS{number}.xml"));
        truth.push(annotation::read(&annotation)?);
    }
    let shape = (images.len(), FRAME_SIDE, FRAME_SIDE);
    let frames = Array3::from_shape_vec(shape, counts)
        .map_err(|error| Error::format(annotations, error.to_string()))?;
    Ok(Trajectory { frames, truth })
}

/// Appends the 121 counts of one picture, pedestal subtracted.
fn append_image(path: &Path, counts: &mut Vec<i32>) -> Result<()> {
    let found = raster::read_counts(path)?;
    let (rows, columns) = found.dim();
    if (rows, columns) != (FRAME_SIDE, FRAME_SIDE) {
        let message = format!("picture is {columns}x{rows}, expected 11x11");
        return Err(Error::format(path, message));
    }
    counts.extend(found);
    Ok(())
}
