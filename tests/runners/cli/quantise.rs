//! Quantised models: made, read by every command, refused where they are damaged or out of place.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::tempdir;

use super::files::{HEAD, TINY, decodes, npy, untrained_as};
use super::process::{done, has_keys, json, refused};

/// A model small enough for the format, with `more` in its definition.
fn narrow(folder: &Path, name: &str, more: &str) -> PathBuf {
    let text = (TINY.to_owned() + more).replace("channels = 4", "channels = 8");
    untrained_as(folder, name, &text)
}

/// `quantize` with little data; `options` come last.
fn words(model: &Path, out: &Path, options: &str) -> String {
    let (model, out) = (model.display(), out.display());
    format!("quantize --trajectories 2 --model {model} --out {out} {options}")
}

#[test]
fn quantised_models_serve_wherever_a_model_is_read() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let model = narrow(folder.path(), "model", "");
    let donor = narrow(folder.path(), "donor", HEAD);
    let (file, plot) = (at("m.dref"), at("errors.png"));
    let options = format!(
        "--limit 2 --head {} --plot {}",
        donor.display(),
        plot.display()
    );
    let answer = json(&words(&model, &file, &options));
    has_keys(&answer, "out flash_bytes ram_bytes head_ram_bytes");
    let accuracy = answer["accuracy"].as_array().unwrap();
    let rows = accuracy
        .iter()
        .map(|row| (row["noise"].as_f64(), row["readout"].as_str()));
    let expected = [(0.0, "grid"), (0.0, "head"), (5.0, "grid"), (5.0, "head")];
    assert!(rows.eq(expected.map(|(noise, readout)| (Some(noise), Some(readout)))));
    let tensors = answer["tensors"].as_array().unwrap();
    has_keys(
        &tensors[0],
        "tensor signal_rms error_rms ratio_db saturated values",
    );
    assert_eq!(tensors.last().unwrap()["tensor"], "HeadAnswer");
    assert!(decodes(&plot));

    let shown = json(&format!("info {}", file.display()));
    has_keys(
        &shown,
        "preset parameters ram_bytes head_ram_bytes checksum",
    );
    assert_eq!(shown["flash_bytes"], fs::metadata(&file).unwrap().len());
    assert_eq!(shown["flash_bytes"], answer["flash_bytes"]);
    let recorded = &shown["header"]["provenance"]["accuracy"];
    assert_eq!(recorded[1]["noise"], 5.0);
    assert_eq!(
        shown["header"]["provenance"]["calibration"]["trajectories"],
        2
    );
    assert!(done(&format!("info {}", file.display())).contains("calibrated     2 trajectories"));

    let array = npy(folder.path(), "frames.npy", "6, 11, 11");
    for readout in ["grid", "head", "head-prior"] {
        let model = format!("--readout {readout} --model {}", file.display());
        let found = json(&format!("unmix {model} {}", array.display()));
        assert_eq!(found["sequences"][0].as_array().unwrap().len(), 6);
        let report = json(&format!("eval --limit 1 {model}"));
        assert_eq!(report["model"], file.display().to_string());
    }
}

#[test]
fn the_file_depends_on_the_seed_alone() {
    let folder = tempdir().unwrap();
    let model = narrow(folder.path(), "model", "");
    let once = |options: &str| {
        let out = folder.path().join("m.dref");
        done(&words(&model, &out, &format!("--limit 0 {options}")));
        fs::read(out).unwrap()
    };
    let file = once("--threads 1");
    assert!(file == once("--threads 2"));
    assert!(file != once("--seed 2"));
}

#[test]
fn the_head_alone_serves_readouts_without_a_map() {
    let folder = tempdir().unwrap();
    let model = narrow(folder.path(), "model", HEAD);
    let file = folder.path().join("head.dref");
    let answer = json(&words(&model, &file, "--limit 1 --only-head"));
    assert!(answer["ram_bytes"].is_null() && answer["head_ram_bytes"].is_u64());
    let rows = answer["accuracy"].as_array().unwrap();
    assert!(rows.len() == 2 && rows.iter().all(|row| row["readout"] == "head"));
    let shown = json(&format!("info {}", file.display()));
    assert!(shown["preset"].is_null());
    assert_eq!(shown["header"]["provenance"]["accuracy"][1]["noise"], 5.0);
    let array = npy(folder.path(), "frames.npy", "6, 11, 11");
    let unmix = |readout: &str| {
        let model = format!("--readout {readout} --model {}", file.display());
        format!("unmix {model} {}", array.display())
    };
    done(&unmix("head-prior"));
    refused(&unmix("grid"), &["no map, only a head"], folder.path());
    let without = narrow(folder.path(), "without", "");
    let out = folder.path().join("none.dref");
    let options = "--limit 0 --only-head";
    refused(
        &words(&without, &out, options),
        &["no offset head"],
        folder.path(),
    );
}

#[test]
fn damaged_quantised_models_are_refused_by_every_command() {
    let folder = tempdir().unwrap();
    let model = narrow(folder.path(), "model", "");
    let file = folder.path().join("m.dref");
    done(&words(&model, &file, "--limit 0"));
    let array = npy(folder.path(), "frames.npy", "5, 11, 11");
    let whole = fs::read(&file).unwrap();
    let mut altered = whole.clone();
    altered[whole.len() / 2] ^= 4;
    let cases: [(&[u8], &str); 4] = [
        (&altered, "damaged: crc32"),
        (&whole[..whole.len() - 1], "length"),
        (&[], "length"),
        (&[7; 64], "no model file"),
    ];
    for (bytes, part) in cases {
        fs::write(&file, bytes).unwrap();
        let shown = file.display();
        for words in [
            format!("info {shown}"),
            format!("eval --limit 1 --model {shown}"),
            format!("unmix --model {shown} {}", array.display()),
        ] {
            refused(&words, &["m.dref", part], folder.path());
        }
    }
}

#[test]
fn what_cannot_be_quantised_is_named() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let model = narrow(folder.path(), "model", "");
    let wide = untrained_as(folder.path(), "wide", TINY);
    let absolute = narrow(folder.path(), "absolute", "model.time = 'trajectory'");
    let scale = format!("{HEAD}model.intensity_scale = 30.0");
    let scaled = narrow(folder.path(), "scaled", &scale);
    let quantised = at("m.dref");
    done(&words(&model, &quantised, "--limit 0"));
    let out = at("new.dref");
    let head = |path: &Path| format!("--head {}", path.display());
    let cases = [
        (words(&absolute, &out, ""), "counts within the trajectory"),
        (words(&wide, &out, ""), "multiple of 8"),
        (
            words(&model, &at("new.bin"), ""),
            "expected a name in .dref",
        ),
        (words(&model, &out, &head(&model)), "no offset head"),
        (words(&model, &out, &head(&scaled)), "intensity scale is 30"),
        (words(&quantised, &out, ""), "a quantised model"),
        (words(&model, &out, &head(&quantised)), "a quantised model"),
        (words(&model, &at("none/new.dref"), "--limit 0"), "none"),
        (
            words(&model, &out, "").replace("trajectories 2", "trajectories 0"),
            "0 trajectories",
        ),
    ];
    for (words, part) in cases {
        refused(&words, &[part], folder.path());
    }
    let export = format!(
        "export --model {} --out {}",
        quantised.display(),
        at("f.safetensors").display()
    );
    refused(&export, &["a quantised model"], folder.path());
    let start = format!(
        "train --start {} --out {}",
        quantised.display(),
        at("run").display()
    );
    refused(&start, &["a quantised model"], folder.path());
}
