//! Backgrounds cut from the user's own frames.

use crate::raster::{self, Raster};
use crate::rng::Rng;
use crate::scene::backdrop::{self, Backdrop};
use crate::{Error, Result};
use derefnet_core::physics::FRAME_SIDE;
use std::path::{Path, PathBuf};

/// Frames that 11×11 backgrounds are cut from.
#[derive(Clone, Debug)]
pub struct Backgrounds {
    frames: Vec<Raster>,
    gain: f64,
}

impl Backgrounds {
    /// Loads every `*.png` of `folder`, in the order of the file names: 8 or 16 bits, grey or colour
    /// (turned into luma), at least 11×11. Counts are grey values times `gain`.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder or a file cannot be read, [`Error::Format`] if a file is broken or
    /// too small or the folder has no PNG, [`Error::Usage`] for a gain that is not positive.
    pub fn load(folder: &Path, gain: f64) -> Result<Self> {
        if !(gain.is_finite() && gain > 0.0) {
            return Err(Error::usage(format!(
                "background gain is {gain}, expected a positive number"
            )));
        }
        let frames = png_files(folder)?
            .iter()
            .map(|path| load_frame(path))
            .collect::<Result<Vec<_>>>()?;
        if frames.is_empty() {
            let message = "no *.png file, expected at least one background frame";
            return Err(Error::format(folder, message));
        }
        Ok(Self { frames, gain })
    }

    /// Frames loaded; never zero.
    pub fn count(&self) -> usize {
        self.frames.len()
    }

    /// Cuts the background of one trajectory: a uniformly chosen frame and a uniformly chosen window.
    ///
    /// Without `drift` the window stands still on whole pixels, so its values are those of the file.
    /// With it the window moves by a constant velocity, uniform in a disc of `drift` pixels per frame,
    /// interpolated bilinearly; frames too small for the whole path shorten it.
    pub fn draw(&self, frames: u32, drift: f64, rng: &mut Rng) -> Backdrop {
        let source = &self.frames[rng.below(self.frames.len() as u32) as usize];
        let room = [source.height - FRAME_SIDE, source.width - FRAME_SIDE];
        if drift == 0.0 {
            let [top, left] = room.map(|most| rng.below(most as u32 + 1) as usize);
            let at = |i, j| f64::from(source.samples[(top + i) * source.width + left + j]);
            let still = |_, _| backdrop::fill(|i, j| self.gain * at(i, j));
            return Backdrop::seen(frames, (0.0, 0.0), still);
        }
        let (vx, vy) = backdrop::velocity(drift, rng);
        let last = f64::from(frames.max(2) - 1);
        let [(top, vx), (left, vy)] = [(room[0], vx), (room[1], vy)].map(|(most, v)| {
            let most = most as f64;
            let travel = (v * last).clamp(-most, most);
            let start = rng.range((-travel).max(0.0), most - travel.max(0.0));
            (start, travel / last)
        });
        Backdrop::seen(frames, (vx, vy), |down, right| {
            let at = |i, j| bilinear(source, top + down + i as f64, left + right + j as f64);
            backdrop::fill(|i, j| self.gain * at(i, j))
        })
    }
}

/// Paths of the PNG files of a folder, sorted by name.
fn png_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let refuse = |source| Error::io(folder, source);
    let entries = std::fs::read_dir(folder).map_err(refuse)?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(refuse)?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension.is_some_and(|extension| extension.eq_ignore_ascii_case("png")) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn load_frame(path: &Path) -> Result<Raster> {
    let frame = raster::read(path)?;
    if frame.width < FRAME_SIDE || frame.height < FRAME_SIDE {
        let (width, height) = (frame.width, frame.height);
        return Err(Error::format(
            path,
            format!("size is {width}x{height}, expected at least 11x11"),
        ));
    }
    Ok(frame)
}

/// Value between pixels; coordinates are clamped to the frame.
fn bilinear(source: &Raster, row: f64, column: f64) -> f64 {
    let split = |u: f64, size: usize| {
        let u = u.clamp(0.0, (size - 1) as f64);
        let low = (u as usize).min(size - 2);
        (low, u - low as f64)
    };
    let (i, a) = split(row, source.height);
    let (j, b) = split(column, source.width);
    let at = |i: usize, j: usize| f64::from(source.samples[i * source.width + j]);
    let upper = at(i, j) * (1.0 - b) + at(i, j + 1) * b;
    let lower = at(i + 1, j) * (1.0 - b) + at(i + 1, j + 1) * b;
    upper * (1.0 - a) + lower * a
}
