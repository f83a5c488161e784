//! Recordings for the boards, out of the generator's data sets; their layout is described in
//! `firmware-example/src/recording.rs`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::shell::{cargo, output, root};

const PEDESTAL: i32 = 100;
/// Readings of a frame.
const READINGS: usize = 121;
const MOST_TARGETS: usize = 4;
/// Columns of the truth: trajectory, frame, x, y, intensity.
const COLUMNS: usize = 5;

/// What the golden frames are.
const GOLDEN: Scenes = Scenes {
    split: "val",
    trajectories: 13,
    noise: 2,
};
const GOLDEN_FILE: &str = "firmware-example/assets/golden.frames";

/// Trajectories by the published rules, seed 1.
#[derive(Clone, Copy, Debug)]
pub struct Scenes {
    pub split: &'static str,
    pub trajectories: usize,
    /// Standard deviation, counts.
    pub noise: u32,
}

/// Frames and truth of some scenes.
#[derive(Debug)]
pub struct Recording {
    /// As the boards read them.
    pub bytes: Vec<u8>,
    /// Targets `[x, y, intensity]` of every frame with a full window.
    pub truth: Value,
}

impl Scenes {
    /// Generates them.
    pub fn record(self) -> Result<Recording, String> {
        let name = format!("{}-{}", self.split, self.noise);
        let folder = root().join("target/xtask/firmware/scenes").join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        }
        let [trajectories, noise] = [self.trajectories, self.noise as usize].map(|n| n.to_string());
        let out = folder.to_string_lossy();
        derefnet(&[
            "simulate",
            "--split",
            self.split,
            "--trajectories",
            &trajectories,
            "--noise",
            &noise,
            "--seed",
            "1",
            "--out",
            &out,
        ])?;
        let file = |what: &str| folder.join(format!("{}_{what}.npy", self.split));
        let frames = Array::read(&file("frames"))?;
        let truth = Array::read(&file("truth"))?;
        convert(&frames, &truth).ok_or_else(|| format!("{out}: expected frames and their truth"))
    }
}

/// Answer of the program `derefnet` to `args`, one JSON object.
pub fn derefnet(args: &[&str]) -> Result<Value, String> {
    let run = ["run", "--quiet", "--release", "--locked", "--package"];
    let text = output(cargo(
        &[&run, &["derefnet", "--", "--json"][..], args].concat(),
    ))?;
    serde_json::from_str(&text).map_err(|error| format!("derefnet {}: {error}", args[0]))
}

/// `cargo xtask golden`: writes the golden frames.
pub fn write_golden() -> Result<bool, String> {
    let bytes = GOLDEN.record()?.bytes;
    let path = root().join(GOLDEN_FILE);
    std::fs::write(&path, bytes).map_err(|error| format!("{GOLDEN_FILE}: {error}"))?;
    println!("{GOLDEN_FILE}");
    Ok(true)
}

/// Whether the golden frames are those that the generator gives.
pub fn golden_is_current() -> Result<bool, String> {
    let there = std::fs::read(root().join(GOLDEN_FILE));
    Ok(there.map_err(|error| format!("{GOLDEN_FILE}: {error}"))? == GOLDEN.record()?.bytes)
}

/// A file of NumPy: its shape, and its numbers as bytes.
struct Array {
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Array {
    fn read(path: &PathBuf) -> Result<Self, String> {
        let fail = |why: &str| format!("{}: {why}", Path::new(path).display());
        let bytes = std::fs::read(path).map_err(|error| fail(&error.to_string()))?;
        Self::parse(&bytes).ok_or_else(|| fail("expected an npy file of version 1"))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(b"\x93NUMPY\x01\x00")?;
        let (length, rest) = rest.split_first_chunk()?;
        let (header, bytes) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
        let header = std::str::from_utf8(header).ok()?;
        let (_, shape) = header.split_once("'shape': (")?;
        let sizes = shape.split_once(')')?.0.split(',').map(str::trim);
        let sizes = sizes.filter(|size| !size.is_empty());
        Some(Self {
            shape: sizes.map(|size| size.parse().ok()).collect::<Option<_>>()?,
            bytes: bytes.to_owned(),
        })
    }
}

fn convert(frames: &Array, truth: &Array) -> Option<Recording> {
    let &[trajectories, length, ..] = &frames.shape[..] else {
        return None;
    };
    let counts = frames.bytes.as_chunks::<4>().0;
    let counts: Vec<i32> = counts.iter().map(|&b| i32::from_le_bytes(b)).collect();
    let rows = truth.bytes.as_chunks::<8>().0;
    let rows: Vec<f64> = rows.iter().map(|&b| f64::from_le_bytes(b)).collect();
    let mut targets = vec![Vec::new(); trajectories * length];
    for row in rows.as_chunks::<COLUMNS>().0 {
        let &[trajectory, frame, x, y, intensity] = row;
        let frame = trajectory as usize * length + frame as usize;
        targets.get_mut(frame)?.push([x, y, intensity]);
    }
    let mut bytes = Vec::new();
    for (counts, targets) in counts.chunks_exact(READINGS).zip(&targets) {
        let words = counts.iter().map(|count| (count + PEDESTAL) as u16);
        let places = targets.iter().flat_map(|&[x, y, _]| [x, y]);
        let places = places.map(|place| (place * 1000.0).round() as u16);
        let places = places.chain(std::iter::repeat(u16::MAX));
        let words = words.chain(places.take(2 * MOST_TARGETS));
        bytes.extend(words.flat_map(u16::to_le_bytes));
    }
    let middle = |at: usize| (2..length - 2).contains(&(at % length));
    let full = targets.iter().enumerate().filter(|&(at, _)| middle(at));
    let truth = json!(full.map(|(_, targets)| targets).collect::<Vec<_>>());
    Some(Recording { bytes, truth })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(shape: &str, bytes: Vec<u8>) -> Array {
        let header = format!("{{'descr': '<i4', 'fortran_order': False, 'shape': ({shape}), }}\n");
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((header.len() as u16).to_le_bytes());
        file.extend(header.bytes().chain(bytes));
        Array::parse(&file).unwrap()
    }

    #[test]
    fn frames_get_their_pedestal_and_their_truth() {
        let counts = (0..5 * READINGS as i32).flat_map(|i| (i % READINGS as i32 - 7).to_le_bytes());
        let frames = array("1, 5, 11, 11", counts.collect());
        let rows = [[0.0, 2.0, 4.5, 3.25, 230.0], [0.0, 3.0, 1.0, 1.0, 220.0]];
        let rows = rows.iter().flatten().flat_map(|x: &f64| x.to_le_bytes());
        let truth = array("2, 5", rows.collect());
        let recording = convert(&frames, &truth).unwrap();
        assert_eq!(recording.truth, json!([[[4.5, 3.25, 230.0]]]));
        let words = recording.bytes.as_chunks::<2>().0;
        let words: Vec<u16> = words.iter().map(|&b| u16::from_le_bytes(b)).collect();
        assert_eq!(words.len(), 5 * (READINGS + 8));
        let third = &words[2 * (READINGS + 8)..][..READINGS + 8];
        assert_eq!(third[..2], [93, 94]);
        assert_eq!(third[READINGS..][..3], [4500, 3250, u16::MAX]);
        assert_eq!(words[READINGS..][..8], [u16::MAX; 8]);
    }

    #[test]
    fn other_files_are_refused() {
        assert!(Array::parse(b"\x93NUMPY\x02\x00").is_none());
        assert!(Array::parse(b"\x93NUMPY\x01\x00\x04\x00{}").is_none());
        let flat = array("5", Vec::new());
        assert!(convert(&flat, &array("0, 5", Vec::new())).is_none());
    }
}
