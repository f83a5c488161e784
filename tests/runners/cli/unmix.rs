//! `unmix`: readouts, what they answer, backgrounds, masks and pictures.

use std::fs;
use std::path::{Path, PathBuf};

use derefnet::dataset::Split;
use derefnet::scene::{SceneConfig, Target, Trajectory, generate};
use serde_json::Value;
use tempfile::tempdir;

use super::files::{HEAD, decodes, npy, npy_of, png, png_of, untrained, write};
use super::process::{Ran, derefnet, done, has_keys, json, one_object, refused};

/// A held-out sequence of seven frames.
fn scene() -> Trajectory {
    let config = SceneConfig {
        frames: 7,
        noise: [1.0; 2],
        ..SceneConfig::default()
    };
    generate(&config, 5, Split::Test, 1)
}

/// Its counts as a file, each changed by `change(pixel of the frame, count)`.
fn frames(folder: &Path, name: &str, change: impl Fn(usize, f32) -> f32) -> PathBuf {
    let scene = scene();
    let counts = scene.frames.iter().enumerate();
    let counts: Vec<f32> = counts.map(|(i, &c)| change(i % 121, c as f32)).collect();
    npy_of(folder, name, "7, 11, 11", &counts)
}

fn as_they_are(_: usize, count: f32) -> f32 {
    count
}

fn number(target: &Value, key: &str) -> f64 {
    target[key]
        .as_f64()
        .unwrap_or_else(|| panic!("{key}: {target}"))
}

/// Asserts that each frame has as many answers as targets, each near its target by `reach` pixels
/// and by what it says about itself.
fn near_truth(answer: &Value, reach: f64) {
    let scene = scene();
    for (index, frame) in answer["sequences"][0]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        let Some(found) = frame.as_array() else {
            continue;
        };
        let truth = &scene.truth[index];
        assert_eq!(found.len(), truth.len(), "frame {index}: {frame}");
        for target in truth {
            let off = |found: &Value| offset(found, target);
            let best = found.iter().min_by(|a, b| off(a).0.total_cmp(&off(b).0));
            let (distance, deviations) = off(best.unwrap());
            assert!(distance < reach, "frame {index}: {target:?} in {frame}");
            assert!(deviations < 6.0, "frame {index}: {target:?} in {frame}");
        }
    }
}

/// Distance in pixels and in standard deviations.
fn offset(found: &Value, target: &Target) -> (f64, f64) {
    let (dx, dy) = (number(found, "x") - target.x, number(found, "y") - target.y);
    let (sx, sy) = (number(found, "sigma_x"), number(found, "sigma_y"));
    (dx.hypot(dy), (dx / sx).hypot(dy / sy))
}

#[test]
fn every_readout_keeps_the_contract() {
    let folder = tempdir().unwrap();
    let model = untrained(folder.path(), "head", HEAD);
    let array = frames(folder.path(), "frames.npy", as_they_are);
    for readout in ["grid", "head", "head-fit", "head-prior", "offgrid"] {
        let (model, array) = (model.display(), array.display());
        let answer = json(&format!(
            "unmix {array} --readout {readout} --model {model}"
        ));
        assert_eq!(answer["readout"], readout);
        assert_eq!(answer["model"], model.to_string(), "{readout}");
        let fitted = !matches!(readout, "grid" | "head");
        let quality = answer["quality"][0].as_array().unwrap();
        let sequence = answer["sequences"][0].as_array().unwrap();
        assert_eq!((sequence.len(), quality.len()), (7, 7));
        for (index, (frame, quality)) in sequence.iter().zip(quality).enumerate() {
            let inside = (2..5).contains(&index);
            assert_eq!(frame.is_array(), inside, "{readout}, frame {index}");
            assert_eq!(frame.is_null(), !inside, "{readout}, frame {index}");
            assert_eq!(quality.is_null(), !inside, "{readout}, frame {index}");
            let chi2 = quality["reduced_chi2"].as_f64();
            assert_eq!(chi2.is_some(), inside && fitted, "{readout}: {quality}");
            frame
                .as_array()
                .into_iter()
                .flatten()
                .for_each(check_target);
            let some = frame.as_array().is_some_and(|found| !found.is_empty());
            assert!(
                some || !inside || !fitted,
                "{readout}: the fit finds nothing"
            );
        }
    }
}

fn check_target(target: &Value) {
    let keys = "x y intensity sigma_x sigma_y correlation score";
    has_keys(target, keys);
    assert_eq!(target.as_object().unwrap().len(), 7, "{target}");
    assert!(number(target, "sigma_x") > 0.0 && number(target, "sigma_y") > 0.0);
    assert!(number(target, "correlation").abs() <= 1.0);
}

/// By default, and from the head of a model that knows nothing.
#[test]
fn answers_lie_where_the_targets_are() {
    let folder = tempdir().unwrap();
    let array = frames(folder.path(), "frames.npy", as_they_are);
    let offgrid = json(&format!("unmix {}", array.display()));
    near_truth(&offgrid, 0.15);
    let model = untrained(folder.path(), "head", HEAD);
    let options = format!("--readout head-fit --model {}", model.display());
    let fit = json(&format!("unmix {options} {}", array.display()));
    near_truth(&fit, 0.3);
    let grid = json(&format!("unmix --readout grid {}", array.display()));
    let cell = &grid["sequences"][0][3][0];
    let sigma = 1.0 / (3.0 * 12_f64.sqrt());
    assert!((number(cell, "sigma_x") - sigma).abs() < 1e-12, "{cell}");
    assert!(number(cell, "score") >= 70.0, "{cell}");
    let text = done(&format!("unmix {}", array.display()));
    let lines = text.lines().filter(|line| line.matches('±').count() == 2);
    assert_eq!(lines.count(), 3 * scene().truth[0].len(), "{text}");
}

#[test]
fn off_the_grid_needs_no_head_but_its_readouts_do() {
    let folder = tempdir().unwrap();
    let model = untrained(folder.path(), "plain", "");
    let array = frames(folder.path(), "frames.npy", as_they_are);
    let (model, array) = (model.display(), array.display());
    let answer = json(&format!("unmix {array} --model {model}"));
    assert_eq!(answer["readout"], "offgrid");
    let plain = json(&format!("unmix {array}"));
    assert_eq!(answer["sequences"], plain["sequences"]);
    assert!(plain["model"].is_null() && answer["model"].is_string());
    for readout in ["head", "head-fit", "head-prior"] {
        let words = format!("unmix {array} --model {model} --readout {readout}");
        refused(
            &words,
            &["needs a model with an offset head"],
            folder.path(),
        );
    }
}

#[test]
fn a_background_is_found_and_a_surprising_one_noted() {
    let folder = tempdir().unwrap();
    let raised = frames(folder.path(), "raised.npy", |_, count| count + 150.0);
    let unmix = |options: &str| -> Ran {
        let ran = derefnet(&format!("unmix --json {} {options}", raised.display()));
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        ran
    };
    let note = "try --background free";
    let free = unmix("");
    assert!(!free.err.contains(note), "{}", free.err);
    near_truth(&one_object(&free.out), 0.15);
    let fixed = unmix("--background fixed");
    assert!(fixed.err.contains("about 150 counts"), "{}", fixed.err);
    assert!(fixed.err.contains(note), "{}", fixed.err);
    let plain = frames(folder.path(), "plain.npy", as_they_are);
    let words = format!("unmix --json --background fixed {}", plain.display());
    let quiet = derefnet(&words);
    assert!(!quiet.err.contains(note), "{}", quiet.err);
    near_truth(&one_object(&quiet.out), 0.15);
}

/// A hot pixel beside the blob, in every frame.
#[test]
fn masked_pixels_do_not_count() {
    let folder = tempdir().unwrap();
    let place = scene().truth[3][0];
    let column = place.y.round() as usize;
    let beside = if column < 6 { column + 2 } else { column - 2 };
    let hot = 11 * place.x.round() as usize + beside;
    let mask: Vec<u8> = (0..121).map(|pixel| u8::from(pixel == hot)).collect();
    let picture = folder.path().join("mask.png");
    png_of(&picture, 11, png::ColorType::Grayscale, &mask);
    let flags: Vec<f32> = mask.iter().map(|&flag| f32::from(flag)).collect();
    let array = npy_of(folder.path(), "mask.npy", "11, 11", &flags);
    let unmix = |value: f32, options: &str| {
        let spoil = |pixel, count| if pixel == hot { value } else { count };
        let path = frames(folder.path(), "spoilt.npy", spoil);
        json(&format!("unmix {} {options}", path.display()))["sequences"].clone()
    };
    let masked = format!("--mask {}", picture.display());
    let answer = unmix(4000.0, &masked);
    near_truth(&serde_json::json!({ "sequences": answer }), 0.3);
    assert_eq!(answer, unmix(f32::NAN, &masked));
    assert_eq!(answer, unmix(-50.0, &format!("--mask {}", array.display())));
    assert_ne!(answer, unmix(4000.0, ""));
    for readout in ["grid", "offgrid"] {
        let options = format!("{masked} --readout {readout}");
        assert_eq!(unmix(4000.0, &options), unmix(0.0, &options), "{readout}");
    }
}

#[test]
fn bad_masks_are_named() {
    let folder = tempdir().unwrap();
    let array = npy(folder.path(), "frames.npy", "5, 11, 11");
    let at = |name: &str| folder.path().join(name);
    png_of(&at("small.png"), 12, png::ColorType::Grayscale, &[0; 132]);
    png(&at("full.png"), 11, 11);
    png_of(&at("red.png"), 11, png::ColorType::Rgb, &[0; 363]);
    let whole = fs::read(at("full.png")).unwrap();
    fs::write(at("cut.png"), &whole[..whole.len() / 2]).unwrap();
    write(folder.path(), "mask.txt", "0 1 0");
    fs::create_dir(at("masks")).unwrap();
    npy(folder.path(), "deep.npy", "1, 11, 11");
    npy_of(folder.path(), "wide.npy", "11, 13", &[0.0; 143]);
    for (name, part) in [
        (
            "small.png",
            "mask of 11x12 pixels, expected 11x11 as the frames",
        ),
        (
            "wide.npy",
            "mask of 11x13 pixels, expected 11x11 as the frames",
        ),
        ("full.png", "excludes every pixel, expected some left"),
        ("red.png", "mask in colour, expected grey"),
        ("cut.png", "bad PNG"),
        ("mask.txt", "neither a PNG picture nor an .npy array"),
        ("masks", "a folder, expected a grey PNG or an .npy array"),
        ("deep.npy", "shape [1, 11, 11], expected (rows, columns)"),
        ("missing.png", "missing.png"),
    ] {
        let words = format!("unmix {} --mask {}", array.display(), at(name).display());
        refused(&words, &[name, part], folder.path());
    }
}

#[test]
fn bad_options_of_the_fit_are_refused() {
    let folder = tempdir().unwrap();
    let array = npy(folder.path(), "frames.npy", "5, 11, 11");
    for (options, part) in [
        ("--targets 3-2", "--targets is 3-2, expected A-B"),
        ("--targets 0-3", "--targets is 0-3, expected A-B"),
        ("--targets 1-9", "--targets is 1-9, expected A-B"),
        ("--background some", "--background"),
        ("--readout cells", "--readout"),
    ] {
        let words = format!("unmix {} {options}", array.display());
        refused(&words, &[part], folder.path());
    }
}

#[test]
fn pictures_are_drawn_for_every_sequence() {
    let folder = tempdir().unwrap();
    let array = frames(folder.path(), "one.npy", as_they_are);
    let two = npy(folder.path(), "two.npy", "2, 5, 11, 11");
    for readout in ["offgrid", "grid"] {
        let out = folder.path().join(readout);
        let (array, two, plot) = (array.display(), two.display(), out.display());
        done(&format!(
            "unmix {array} {two} --readout {readout} --plot {plot}"
        ));
        for sequence in 0..3 {
            for kind in ["", "_frames"] {
                let path = out.join(format!("sequence_{sequence}{kind}.png"));
                assert!(decodes(&path), "{}", path.display());
            }
        }
        assert_eq!(fs::read_dir(&out).unwrap().count(), 6, "{readout}");
    }
}

#[test]
fn a_head_alone_is_drawn_without_maps() {
    let folder = tempdir().unwrap();
    let array = frames(folder.path(), "one.npy", as_they_are);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/models/head.dref");
    let (array, file, plot) = (array.display(), file.display(), folder.path().display());
    done(&format!(
        "unmix {array} --model {file} --readout head --plot {plot}"
    ));
    for name in ["sequence_0.png", "sequence_0_frames.png"] {
        assert!(decodes(&folder.path().join(name)), "{name}");
    }
}
