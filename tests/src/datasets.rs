//! Small data sets on disk, for the suites that read and spoil them.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use derefnet::Result;
use derefnet::dataset::{self, Counts, Layout, Manifest};
use derefnet::raster::Raster;
use derefnet::scene::{SceneConfig, generate};
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};

/// Trajectories of every small data set.
pub const COUNTS: Counts = Counts {
    train: 3,
    val: 1,
    test: 2,
};

/// Noise around zero, so that the PNG layout needs its pedestal.
pub fn noisy() -> SceneConfig {
    SceneConfig {
        noise: [1.0, 5.0],
        pedestal: 64,
        frames: 6,
        ..SceneConfig::default()
    }
}

/// Describes a small data set.
pub fn manifest(layout: Layout, config: SceneConfig) -> Manifest {
    Manifest::new(layout, 9, config, COUNTS)
}

/// Writes what the manifest describes.
///
/// # Errors
/// As [`dataset::write`].
pub fn write(dir: &Path, manifest: &Manifest) -> Result<()> {
    let source = |split, index| generate(&manifest.config, manifest.seed, split, index);
    dataset::write(dir, manifest, &source, &|_| Ok(()), |_| Ok(()))
}

/// A written data set; the folder goes when the first value does.
///
/// # Panics
/// If it cannot be written.
pub fn written(layout: Layout, config: SceneConfig) -> (TempDir, PathBuf) {
    let scratch = tempdir().expect("a scratch folder");
    let dir = scratch.path().join("set");
    write(&dir, &manifest(layout, config)).expect("a data set");
    (scratch, dir)
}

/// A picture of some 60 bytes whose head claims 2^51 pixels.
///
/// # Panics
/// If the encoder refuses.
pub fn claims_all_memory() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 1 << 20, (1 << 31) - 1);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Sixteen);
    let mut writer = encoder.write_header().expect("a head");
    writer.write_chunk(png::chunk::IDAT, &[]).expect("no data");
    drop(writer);
    bytes
}

/// Asserts an error whose message holds all `words`.
///
/// # Panics
/// If the result is no error, or its message lacks one of them.
#[track_caller]
pub fn refused<T>(result: Result<T>, words: &[&str]) {
    let Err(error) = result else {
        panic!("accepted, expected an error with {words:?}")
    };
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "'{word}' is not in: {message}");
    }
}

/// A grey picture of 16 bits with one value everywhere.
pub fn flat_picture(width: usize, height: usize, value: u16) -> Raster {
    Raster {
        width,
        height,
        bits: 16,
        colour: "grey",
        samples: vec![value; width * height],
        texts: Vec::new(),
    }
}
