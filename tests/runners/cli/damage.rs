//! Half-written, altered and mistaken model files and checkpoints.

use std::fs;
use std::path::Path;

use tempfile::{TempDir, tempdir};

use super::files::{TINY, model, npy, write};
use super::process::{done, refused};

/// A folder with `run`, whose checkpoint stands at its end after one step.
fn one_step() -> TempDir {
    let folder = tempdir().unwrap();
    let text = TINY.replace("steps = 60", "steps = 1");
    let config = write(folder.path(), "one.toml", text);
    let run = folder.path().join("run");
    done(&format!(
        "train --config {} --out {}",
        config.display(),
        run.display()
    ));
    folder
}

/// Where the tensors begin.
fn head(bytes: &[u8]) -> usize {
    8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize
}

#[test]
fn damaged_checkpoints_are_not_resumed() {
    let folder = one_step();
    let run = folder.path().join("run");
    let path = run.join("checkpoint.safetensors");
    let whole = fs::read(&path).unwrap();
    let words = format!("train --resume --out {}", run.display());
    let (start, end) = (head(&whole), whole.len());
    for length in [0, 7, 8, 100, start - 1, start, end / 2, end - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let parts = ["checkpoint.safetensors", "not a whole safetensors file"];
        refused(&words, &parts, folder.path());
    }
    for (place, bit) in [(start, 0), (start + 3, 7), (end / 2, 3), (end - 1, 6)] {
        let mut altered = whole.clone();
        altered[place] ^= 1 << bit;
        fs::write(&path, &altered).unwrap();
        refused(
            &words,
            &["checkpoint.safetensors", "damaged: crc32"],
            folder.path(),
        );
    }
    fs::write(&path, &whole).unwrap();
    done(&words);
}

/// Every command that reads a model.
fn readers(folder: &Path, file: &Path) -> [String; 4] {
    let array = npy(folder, "frames.npy", "5, 11, 11");
    let (file, array, out) = (
        file.display(),
        array.display(),
        folder.join("out.safetensors"),
    );
    [
        format!("info {file}"),
        format!("eval --limit 1 --model {file}"),
        format!("unmix --model {file} {array}"),
        format!("export --model {file} --out {}", out.display()),
    ]
}

#[test]
fn damaged_models_are_refused_by_every_command() {
    let folder = tempdir().unwrap();
    let path = model(folder.path());
    let whole = fs::read(&path).unwrap();
    let commands = readers(folder.path(), &path);
    let (start, end) = (head(&whole), whole.len());
    let mut cases: Vec<(Vec<u8>, &str)> = [0, 60, start, end / 2, end - 1]
        .map(|length| (whole[..length].to_vec(), "not a whole safetensors file"))
        .into();
    for place in [start, end / 3, end - 1] {
        let mut altered = whole.clone();
        altered[place] ^= 0x10;
        cases.push((altered, "damaged: crc32"));
    }
    cases.push(([&whole[..], &[0]].concat(), "not a whole safetensors file"));
    for (bytes, part) in cases {
        fs::write(&path, bytes).unwrap();
        for words in &commands {
            refused(words, &["shipped.safetensors", part], folder.path());
        }
    }
}

#[test]
fn models_and_checkpoints_are_told_apart() {
    let folder = one_step();
    let run = folder.path().join("run");
    let checkpoint = run.join("checkpoint.safetensors");
    for words in readers(folder.path(), &checkpoint) {
        refused(
            &words,
            &["checkpoint.safetensors", "expected those of a model"],
            folder.path(),
        );
    }
    fs::copy(run.join("model.safetensors"), &checkpoint).unwrap();
    let words = format!("train --resume --out {}", run.display());
    refused(
        &words,
        &["checkpoint.safetensors", "expected those of a checkpoint"],
        folder.path(),
    );

    let golden = Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = golden.join("golden/derefnet_seed1_small.safetensors");
    for words in readers(folder.path(), &golden) {
        refused(&words, &["not a file of this program"], folder.path());
    }
    let words = format!(
        "parity --golden {}",
        run.join("model.safetensors").display()
    );
    refused(&words, &["model.safetensors", "is missing"], folder.path());
}
