//! Wrong options, configurations and places to write: exit code 2, and nothing is touched.

use std::path::Path;

use tempfile::tempdir;

use super::files::{PAPER, TINY, model, npy, write};
use super::process::{derefnet, refused};

#[test]
fn bad_usage_is_explained() {
    let folder = tempdir().unwrap();
    let out = folder.path().join("q");
    let out = out.display();
    for (words, part) in [
        ("frobnicate".to_owned(), "frobnicate"),
        ("train --frobnicate".to_owned(), "--frobnicate"),
        ("train".to_owned(), "--out"),
        ("unmix".to_owned(), "<PATH>"),
        ("metric --detections x.json".to_owned(), "--truth"),
        ("parity".to_owned(), "--golden"),
        (
            "eval --limit 0".to_owned(),
            "--limit is 0, expected at least 1",
        ),
        (
            "eval --split tests".to_owned(),
            "expected train, val or test",
        ),
        ("eval --data d --noise 2".to_owned(), "--noise"),
        ("eval --noise -3".to_owned(), "-3"),
        (
            format!("eval --model {PAPER} --readout head-fit --limit 1"),
            "needs a model with an offset head",
        ),
        (
            "eval --calibration-plot c.png --limit 1".to_owned(),
            "--calibration-plot: grid cells predict no ellipses",
        ),
        (
            "eval --readout offgrid --efficiency-plot e.png --limit 1".to_owned(),
            "--arrangement free",
        ),
        (
            "eval --arrangement free --efficiency-plot e.png --limit 1".to_owned(),
            "expected --readout offgrid",
        ),
        ("eval --seed one".to_owned(), "--seed"),
        (
            "info --threads 9999".to_owned(),
            "--threads: 9999, expected 0 to 1024",
        ),
        (format!("demo --out {out} --noise nan"), "noise is"),
        (
            format!("train --out {out} --minutes 0"),
            "--minutes is 0, expected a positive",
        ),
        (
            format!("train --out {out} --epochs nan"),
            "--epochs is NaN, expected a positive",
        ),
        (format!("train --out {out} --resume --epochs 3"), "--epochs"),
        (
            format!("train --out {out} --resume --config c.toml"),
            "--config",
        ),
        (
            format!("train --out {out} --resume --preset edge"),
            "--preset",
        ),
        (
            format!("simulate --out {out} --targets 4-2"),
            "targets is 4-2, expected A-B",
        ),
        (
            format!("simulate --out {out} --bits 40"),
            "bits is 40, expected 8 to 16",
        ),
        (
            format!("simulate --out {out} --trajectories 0"),
            "--trajectories",
        ),
        (format!("simulate --out {out} --layout zip"), "zip"),
        (
            format!("export --out {out}.dref"),
            "expected .safetensors or .onnx",
        ),
        (
            format!("export --authors --out {out}.onnx"),
            "expected .safetensors with --authors",
        ),
    ] {
        refused(&words, &[part], folder.path());
    }
}

#[test]
fn bad_configuration_names_file_and_field() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("bad.toml");
    for (text, part) in [
        ("stepz = 3", "stepz"),
        ("steps = 'many'", "steps"),
        ("steps = 0", "steps is 0, expected at least 1"),
        ("model.channels = 7", "model.channels is 7, expected even"),
        (
            "[scene]\nframes = 4",
            "scene.frames is 4, expected at least 5",
        ),
        ("[scene", "line 1"),
    ] {
        write(folder.path(), "bad.toml", text);
        let (config, out) = (path.display(), folder.path().join("run"));
        let words = format!("train --config {config} --out {}", out.display());
        refused(&words, &["bad.toml", part], folder.path());
    }
    let words = format!(
        "train --config {}/none.toml --out x",
        folder.path().display()
    );
    refused(&words, &["none.toml"], folder.path());
}

/// Permission bits do not stop an administrator, but nobody can write below a file or in `/proc`.
#[test]
fn places_that_cannot_be_written_are_named() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "file", "mine");
    let config = write(folder.path(), "tiny.toml", TINY);
    let array = npy(folder.path(), "frames.npy", "5, 11, 11");
    let below = file.join("sub");
    let mut places = vec![below.clone()];
    if Path::new("/proc/self").exists() {
        places.push("/proc/derefnet-has-no-place-here".into());
    }
    for place in places.iter().map(|place| place.display()) {
        let named = place.to_string();
        for words in [
            format!("simulate --trajectories 20 --out {place}"),
            format!("train --config {} --out {place}", config.display()),
            format!("demo --out {place}"),
            format!("eval --limit 1 --plot {place}/pr.png"),
            format!("unmix {} --plot {place}", array.display()),
            format!("export --out {place}/m.safetensors"),
        ] {
            refused(&words, &[&named], folder.path());
        }
    }
    let onto = format!("simulate --trajectories 20 --out {}", file.display());
    refused(
        &onto,
        &["file", "expected a new or empty folder"],
        folder.path(),
    );
}

#[test]
fn folders_in_use_are_left_alone() {
    let folder = tempdir().unwrap();
    let shipped = model(folder.path());
    let run = folder.path().join("run");
    std::fs::create_dir(&run).unwrap();
    let config = write(folder.path(), "tiny.toml", TINY);
    let (config, out) = (config.display(), run.display());
    refused(
        &format!("train --resume --out {out}"),
        &["run/checkpoint.safetensors"],
        folder.path(),
    );
    for name in [
        "checkpoint.safetensors",
        "best.safetensors",
        "model.safetensors",
    ] {
        std::fs::copy(&shipped, run.join(name)).unwrap();
        let parts = [name, "resume it with --resume or choose another folder"];
        refused(
            &format!("train --config {config} --out {out}"),
            &parts,
            folder.path(),
        );
        std::fs::remove_file(run.join(name)).unwrap();
    }
    let words = format!(
        "simulate --trajectories 20 --out {}",
        folder.path().display()
    );
    refused(&words, &["the folder is not empty"], folder.path());
}

#[test]
fn help_is_no_failure() {
    for words in ["--help", "train --help", "--version"] {
        let ran = derefnet(words);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{words}");
        assert!(!ran.out.is_empty());
    }
}
