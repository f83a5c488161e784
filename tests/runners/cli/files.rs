//! Inputs for the program.

use std::fs;
use std::path::{Path, PathBuf};

use super::process::done;

/// A network and a run small enough for many runs: 6 frames, so 2 windows a step.
pub const TINY: &str = "\
steps = 60
qinit_trajectories = 50
validate_every = 20
validate_trajectories = 2
checkpoint_every = 7
ema = 0.9
model.stages = 1
model.channels = 4
model.residual_blocks = 0
scene.frames = 6
";

/// Writes `text` to `folder/name`.
pub fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

/// A data set of `layout` in `folder/layout`, with all splits: 14, 3 and 3 trajectories.
pub fn data_set(folder: &Path, layout: &str) -> PathBuf {
    let out = folder.join(layout);
    let words = format!("simulate --trajectories 20 --seed 5 --layout {layout} --out");
    done(&format!("{words} {}", out.display()));
    out
}

/// A model file of the shipped weights, with checksum.
pub fn model(folder: &Path) -> PathBuf {
    let out = folder.join("shipped.safetensors");
    done(&format!("export --out {}", out.display()));
    out
}

/// A NumPy array of f4, all values 7.
pub fn npy(folder: &Path, name: &str, shape: &str) -> PathBuf {
    let sizes = shape.split(',').map(|s| s.trim().parse::<usize>().unwrap());
    let count: usize = sizes.product();
    let head = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((head.len() as u16).to_le_bytes());
    bytes.extend(head.as_bytes());
    for _ in 0..count {
        bytes.extend(7.0_f32.to_le_bytes());
    }
    write(folder, name, bytes)
}

/// A grey 8-bit picture.
pub fn png(path: &Path, width: u32, height: u32) {
    let file = fs::File::create(path).unwrap();
    let mut encoder = png::Encoder::new(file, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().unwrap();
    let samples = vec![9; (width * height) as usize];
    writer.write_image_data(&samples).unwrap();
}
