//! Inputs for the program.

use std::fs;
use std::path::{Path, PathBuf};

use super::process::done;

/// The shipped models: the one in the program, with an offset head, and one without.
pub const EDGE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../host-train/models/edge.safetensors"
);
pub const PAPER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../host-train/models/paper.safetensors"
);

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

/// A model of one step of training: small, and all but untrained.
pub fn untrained(folder: &Path, name: &str, more: &str) -> PathBuf {
    untrained_as(folder, name, &(TINY.to_owned() + more))
}

/// The same by the definition `text`.
pub fn untrained_as(folder: &Path, name: &str, text: &str) -> PathBuf {
    let text = text
        .replace("steps = 60", "steps = 1")
        .replace("= 50", "= 10");
    let config = write(folder, &format!("{name}.toml"), text);
    let run = folder.join(name);
    done(&format!(
        "train --config {} --out {}",
        config.display(),
        run.display()
    ));
    run.join("model.safetensors")
}

/// What makes [`untrained`] a model with an offset head.
pub const HEAD: &str = "\
objective = 'offsets'
model.head.channels = 4
model.head.blocks = 1
";

/// A NumPy array of f4, all values 7.
pub fn npy(folder: &Path, name: &str, shape: &str) -> PathBuf {
    let sizes = shape.split(',').map(|s| s.trim().parse::<usize>().unwrap());
    let count: usize = sizes.product();
    npy_of(folder, name, shape, &vec![7.0; count])
}

/// A NumPy array of f4.
pub fn npy_of(folder: &Path, name: &str, shape: &str, values: &[f32]) -> PathBuf {
    let head = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((head.len() as u16).to_le_bytes());
    bytes.extend(head.as_bytes());
    for value in values {
        bytes.extend(value.to_le_bytes());
    }
    write(folder, name, bytes)
}

/// A grey 8-bit picture, all values 9.
pub fn png(path: &Path, width: u32, height: u32) {
    png_of(
        path,
        width,
        png::ColorType::Grayscale,
        &vec![9; (width * height) as usize],
    );
}

/// An 8-bit picture.
pub fn png_of(path: &Path, width: u32, colour: png::ColorType, samples: &[u8]) {
    let height = samples.len() / colour.samples() / width as usize;
    let file = fs::File::create(path).unwrap();
    let mut encoder = png::Encoder::new(file, width, height as u32);
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(samples).unwrap();
}

/// Whether `path` is a picture with something in it.
pub fn decodes(path: &Path) -> bool {
    let file = std::io::BufReader::new(fs::File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    pixels.iter().any(|&v| v != pixels[0])
}
