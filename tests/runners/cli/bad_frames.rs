//! Damaged or ill-shaped frames, annotations and point lists.

use std::fs;

use tempfile::tempdir;

use super::files::{TINY, data_set, npy, png, write};
use super::process::refused;

#[test]
fn truncated_pictures_are_named() {
    let folder = tempdir().unwrap();
    for i in 0..6 {
        png(&folder.path().join(format!("image_{i}.png")), 11, 11);
    }
    let path = folder.path().join("image_3.png");
    let whole = fs::read(&path).unwrap();
    for length in [0, 4, 20, 40, whole.len() / 2, whole.len() - 13] {
        fs::write(&path, &whole[..length]).unwrap();
        let words = format!("unmix {}", folder.path().display());
        refused(&words, &["image_3.png"], folder.path());
    }
}

#[test]
fn wrong_sizes_say_what_was_expected() {
    let folder = tempdir().unwrap();
    let unmix = |path: &std::path::Path, parts: &[&str]| {
        refused(&format!("unmix {}", path.display()), parts, folder.path());
    };
    for (name, shape, part) in [
        ("wide.npy", "5, 11, 10", "11x10"),
        ("short.npy", "4, 11, 11", "4 frames, expected at least 5"),
        ("flat.npy", "11, 11", "expected (frames, 11, 11)"),
        (
            "none.npy",
            "0, 5, 11, 11",
            "0 sequences, expected at least 1",
        ),
    ] {
        unmix(&npy(folder.path(), name, shape), &[name, part]);
    }
    let cut = npy(folder.path(), "cut.npy", "5, 11, 11");
    let bytes = fs::read(&cut).unwrap();
    fs::write(&cut, &bytes[..bytes.len() - 1]).unwrap();
    unmix(&cut, &["cut.npy", "expected 2420"]);

    let frames = folder.path().join("frames");
    fs::create_dir(&frames).unwrap();
    unmix(&frames, &["frames", "no .png files"]);
    for i in 0..4 {
        png(&frames.join(format!("{i}.png")), 11, 11);
    }
    unmix(&frames, &["frames", "4 frames, expected at least 5"]);
    png(&frames.join("4.png"), 12, 10);
    unmix(&frames, &["4.png"]);
    unmix(
        &write(folder.path(), "notes.txt", "text"),
        &["notes.txt", "neither a PNG"],
    );
    unmix(&folder.path().join("missing.npy"), &["missing.npy"]);
}

#[test]
fn damaged_data_sets_are_refused_by_eval_and_train() {
    let folder = tempdir().unwrap();
    let data = data_set(folder.path(), "seqcsist");
    let config = write(folder.path(), "tiny.toml", TINY);
    let run = folder.path().join("run");
    let train = format!(
        "train --config {} --out {}",
        config.display(),
        run.display()
    );
    let both = |split: &str, parts: &[&str]| {
        let data = data.display();
        refused(
            &format!("eval --split {split} --data {data}"),
            parts,
            folder.path(),
        );
        refused(&format!("{train} --data {data}"), parts, folder.path());
    };
    let annotation = data.join("val/annotation/COS7.xml");
    let whole = fs::read_to_string(&annotation).unwrap();
    for field in ["xc", "yc", "brightness"] {
        let (open, close) = (format!("<{field}>"), format!("</{field}>"));
        let (start, end) = (whole.find(&open).unwrap(), whole.find(&close).unwrap());
        fs::write(
            &annotation,
            [&whole[..start], &whole[end + close.len()..]].concat(),
        )
        .unwrap();
        both("val", &["COS7.xml", field]);
        fs::write(
            &annotation,
            [&whole[..start + open.len()], "x", &whole[end..]].concat(),
        )
        .unwrap();
        both("val", &["COS7.xml", field]);
    }
    fs::write(&annotation, &whole[..whole.len() / 2]).unwrap();
    both("val", &["COS7.xml"]);
    fs::remove_file(&annotation).unwrap();
    both("val", &["COS7.xml"]);
    fs::write(&annotation, &whole).unwrap();

    let picture = data.join("train/image/image_5.png");
    png(&picture, 12, 10);
    both("train", &["image_5.png", "12x10", "expected 11x11"]);
    fs::remove_file(&picture).unwrap();
    both("train", &["frame number 6 follows 4"]);
}

#[test]
fn malformed_point_lists_name_the_place() {
    let folder = tempdir().unwrap();
    let good = write(folder.path(), "truth.json", "[[[1,2,230]],[]]");
    let bad = folder.path().join("found.json");
    for (text, part) in [
        (
            "[[[1,2,NaN]],[]]",
            "frame 0, entry 0, field score: expected a finite number",
        ),
        (
            "[[],[[1,1e999,3]]]",
            "frame 1, entry 0, field y: expected a finite number",
        ),
        (
            "[[[\"1\",2,3]],[]]",
            "frame 0, entry 0, field x: expected a finite number",
        ),
        ("[[[1,2]],[]]", "frame 0, entry 0, field score"),
        (
            "[[[1,2,3,4]],[]]",
            "frame 0, entry 0: expected [x, y, score]",
        ),
        ("[[[1,2,3]],[", "frame 1"),
        ("{\"frames\":[]}", "expected an array of frames"),
        ("[[]]", "number of frames: expected 2"),
        ("", "expected an array of frames"),
        ("[[],[]] tail", "after the array of frames"),
    ] {
        fs::write(&bad, text).unwrap();
        let (bad, good) = (bad.display(), good.display());
        let words = format!("metric --json --detections {bad} --truth {good}");
        refused(&words, &["found.json", part], folder.path());
    }
    let (bad, good) = (bad.display(), good.display());
    fs::write(folder.path().join("found.json"), "[[[1,2,null]],[]]").unwrap();
    let swapped = format!("metric --detections {good} --truth {bad}");
    refused(&swapped, &["found.json", "field intensity"], folder.path());
    let missing = format!("metric --detections {good} --truth {good}.not");
    refused(&missing, &["truth.json.not"], folder.path());
}
