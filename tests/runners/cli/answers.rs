//! What each command prints, and what it depends on.

use std::fs;

use tempfile::tempdir;

use super::files::{HEAD, TINY, data_set, decodes, model, npy, png, untrained, write};
use super::process::{derefnet, done, has_keys, json, one_object};

const FIGURES: &str =
    "cso_map ap05 ap10 ap15 ap20 ap25 jaccard count_accuracy rmse_px frames detections targets";

#[test]
fn metric_prints_figures() {
    let folder = tempdir().unwrap();
    let found = write(folder.path(), "found.json", "[[[4.33,5.0,231]],[]]");
    let truth = write(folder.path(), "truth.json", "[[[4.31,5.02,235]],[]]");
    let words = format!(
        "metric --detections {} --truth {}",
        found.display(),
        truth.display()
    );
    let answer = json(&words);
    has_keys(&answer, FIGURES);
    assert_eq!(answer["cso_map"], 100.0);
    assert!((answer["rmse_px"].as_f64().unwrap() - 0.02 * 2_f64.sqrt()).abs() < 1e-9);
    assert!(done(&words).contains("CSO-mAP           100.00 %"));
}

#[test]
fn eval_depends_on_the_seed_alone() {
    let once = |options: &str| json(&format!("eval --limit 2 {options}"));
    let answer = once("--seed 3 --threads 1");
    has_keys(&answer, FIGURES);
    has_keys(&answer, "model readout split seed noise trajectories");
    assert_eq!(
        (&answer["seed"], &answer["frames"]),
        (&3.into(), &32.into())
    );
    assert_eq!(answer, once("--seed 3 --threads 2"));
    assert_ne!(answer["rmse_px"], once("--seed 4")["rmse_px"]);
    assert_ne!(answer["rmse_px"], once("--seed 3 --noise 5")["rmse_px"]);
}

/// The library draws a figure even where every curve is flat.
#[test]
fn eval_draws() {
    let folder = tempdir().unwrap();
    let picture = folder.path().join("pr.png");
    done(&format!("eval --limit 1 --plot {}", picture.display()));
    assert!(decodes(&picture));
}

/// The fit needs no model, and tells more than the grid: calibration, and the bound where targets are
/// arranged freely.
#[test]
fn eval_off_the_grid() {
    let folder = tempdir().unwrap();
    let [ellipses, errors] = ["c.png", "e.png"].map(|name| folder.path().join(name));
    let fit = |options: &str| {
        json(&format!(
            "eval --readout offgrid --limit 2 --noise 1 {options}"
        ))
    };
    let answer = fit(&format!(
        "--arrangement free --threads 1 --calibration-plot {} --efficiency-plot {}",
        ellipses.display(),
        errors.display()
    ));
    has_keys(&answer, FIGURES);
    has_keys(&answer, "calibration unjudged efficiency");
    assert!(answer["model"].is_null());
    assert_eq!(answer["readout"], "offgrid");
    let all = &answer["calibration"][0];
    assert!(all["targets"].is_null());
    has_keys(all, "pairs shares normalised_square standard_error");
    assert_eq!(all["shares"][3]["nominal"], 95.0);
    assert!(all["shares"][3]["observed"].is_f64());
    let rows = answer["efficiency"].as_array().unwrap();
    let present = rows.iter().map(|row| row["present"].as_u64().unwrap());
    assert_eq!(Some(present.sum()), answer["targets"].as_u64());
    assert!(rows.iter().all(|row| row["ratio"].is_f64()), "{answer}");
    assert!(decodes(&ellipses) && decodes(&errors));
    assert_eq!(answer, fit("--arrangement free --threads 2"));
    // By the rules there is no bound, on the grid no calibration.
    assert!(fit("")["efficiency"].is_null());
    assert!(json("eval --limit 1").get("calibration").is_none());
}

/// A model as trained for offsets answers by all its readouts.
#[test]
fn eval_reads_a_head_in_four_ways() {
    let folder = tempdir().unwrap();
    let model = untrained(folder.path(), "head", HEAD);
    for readout in ["head", "head-fit", "head-prior", "offgrid"] {
        let answer = json(&format!(
            "eval --readout {readout} --limit 1 --model {}",
            model.display()
        ));
        assert_eq!(answer["readout"], readout);
        assert_eq!(answer["model"], model.display().to_string());
        assert!(answer["calibration"].is_array() && answer["frames"] == 16);
    }
}

#[test]
fn demo_shows_found_beside_truth_and_draws() {
    let folder = tempdir().unwrap();
    let ran = derefnet(&format!("demo --out {}", folder.path().display()));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let mut lines = ran.out.lines();
    assert!(
        lines.next().unwrap().contains("4 targets, 4 found"),
        "{}",
        ran.out
    );
    let head = lines.next().unwrap();
    assert!(
        head.contains("truth x, y (px)") && head.contains("predicted σ"),
        "{head}"
    );
    for line in lines.by_ref().take(4) {
        let numbers: Vec<f64> = line
            .split_whitespace()
            .map(|w| w.parse().unwrap())
            .collect();
        let [x, y, _, near_x, near_y, _, distance, sigma_x, sigma_y] = numbers[..] else {
            panic!("{line}");
        };
        // Places are printed with three decimals each.
        let shown = (x - near_x).hypot(y - near_y);
        assert!((shown - distance).abs() < 2e-3, "{line}");
        let spread = sigma_x.hypot(sigma_y);
        assert!(spread > 0.0 && distance < 5.0 * spread, "{line}");
    }
    for file in ["frames", "map", "overlay", "gallery"] {
        assert!(
            decodes(&folder.path().join(format!("{file}.png"))),
            "{file}"
        );
    }
    for readout in ["grid", "offgrid"] {
        let file = format!("precision_recall_{readout}.png");
        assert!(decodes(&folder.path().join(&file)), "{file}");
    }
}

#[test]
fn demo_evaluates_both_readouts() {
    let folder = tempdir().unwrap();
    let out = folder.path().display();
    let answer = json(&format!("demo --out {out}"));
    has_keys(&answer, "readout found truth noise pictures");
    let evaluation = &answer["evaluation"];
    for readout in ["grid", "offgrid"] {
        has_keys(&evaluation[readout], FIGURES);
        assert_eq!(evaluation[readout]["frames"], 960);
    }
    let figure = |readout: &str, key: &str| evaluation[readout][key].as_f64().unwrap();
    let gain = figure("offgrid", "ap05") - figure("grid", "ap05");
    assert!(gain > 30.0, "{evaluation}");
    let found = answer["found"].as_array().unwrap();
    assert!(!found.is_empty());
    for target in found {
        has_keys(target, "x y intensity sigma_x sigma_y correlation score");
    }
}

#[test]
fn demo_runs_on_a_model_without_a_head() {
    let folder = tempdir().unwrap();
    let plain = untrained(folder.path(), "plain", "");
    let out = folder.path().join("demo");
    let answer = json(&format!(
        "demo --model {} --out {}",
        plain.display(),
        out.display()
    ));
    assert_eq!(answer["readout"], "offgrid");
    assert!(decodes(&out.join("gallery.png")));
}

#[test]
fn unmix_prints_null_where_no_window_fits() {
    let folder = tempdir().unwrap();
    let array = npy(folder.path(), "two.npy", "2, 6, 11, 11");
    let answer = json(&format!("unmix {}", array.display()));
    let sequences = answer["sequences"].as_array().unwrap();
    assert_eq!(sequences.len(), 2);
    for frames in sequences {
        let frames = frames.as_array().unwrap();
        let empty: Vec<bool> = frames.iter().map(|frame| frame.is_null()).collect();
        assert_eq!(empty, [true, true, false, false, true, true]);
        assert!(frames[2].is_array());
    }
}

#[test]
fn unmix_reads_pictures_given_one_by_one() {
    let folder = tempdir().unwrap();
    let pictures: Vec<String> = (0..5)
        .map(|i| {
            let path = folder.path().join(format!("p{i}.png"));
            png(&path, 11, 11);
            path.display().to_string()
        })
        .collect();
    let answer = json(&format!("unmix {}", pictures.join(" ")));
    assert_eq!(answer["sequences"][0].as_array().unwrap().len(), 5);
}

#[test]
fn model_commands_describe_the_file() {
    let folder = tempdir().unwrap();
    let file = model(folder.path());
    let mut shown = json(&format!("info {}", file.display()));
    has_keys(
        &shown,
        "preset ram_bytes flash_bytes parameters effective_parameters",
    );
    has_keys(&shown, "config provenance checksum tensors");
    // Reducing the position code to its row sums changes the file, and nothing else that `info` tells.
    let mut shipped = json("info");
    let checksums = [&mut shown, &mut shipped].map(|info| info["checksum"].take());
    assert!(
        checksums
            .iter()
            .all(|sum| sum.as_str().is_some_and(|s| s.len() == 8))
    );
    assert_eq!(shown, shipped);
    let again = folder.path().join("again.safetensors");
    let words = format!(
        "export --model {} --out {}",
        file.display(),
        again.display()
    );
    let answer = json(&words);
    has_keys(&answer, "out bytes");
    assert_eq!(
        answer["bytes"].as_u64(),
        Some(fs::metadata(&again).unwrap().len())
    );
    let eval = |file: &std::path::Path| json(&format!("eval --limit 1 --model {}", file.display()));
    assert_eq!(eval(&file)["rmse_px"], eval(&again)["rmse_px"]);
}

#[test]
fn simulate_depends_on_the_seed_alone() {
    let folder = tempdir().unwrap();
    let make = |name: &str, options: &str| {
        let out = folder.path().join(name);
        let words = format!(
            "simulate --split test --trajectories 2 --out {}",
            out.display()
        );
        let answer = one_object(&done(&format!("{words} {options} --json")));
        (answer, fs::read(out.join("test_frames.npy")).unwrap())
    };
    let (answer, one) = make("a", "--seed 1 --threads 1");
    assert!(!answer.as_object().unwrap().is_empty());
    assert_eq!(one, make("b", "--seed 1 --threads 2").1);
    assert_ne!(one, make("c", "--seed 2").1);
}

#[test]
fn train_answers_and_takes_data_from_a_folder() {
    let folder = tempdir().unwrap();
    let data = data_set(folder.path(), "native");
    let text = TINY
        .replace("steps = 60", "steps = 2")
        .replace("= 50", "= 10");
    let config = write(
        folder.path(),
        "run.toml",
        text.replace("frames = 6", "frames = 20"),
    );
    let run = folder.path().join("run");
    let (run, config, data) = (run.display(), config.display(), data.display());
    let answer = json(&format!(
        "train --config {config} --data {data} --out {run}"
    ));
    has_keys(&answer, "run finished step steps best");
    assert_eq!(
        (&answer["finished"], &answer["step"]),
        (&true.into(), &2.into())
    );
    let shown = json(&format!("info {run}/model.safetensors"));
    let version = shown["provenance"]["data_version"].as_str().unwrap();
    assert!(
        version.starts_with("folder-") && version.len() == 15,
        "{version}"
    );
    assert_eq!(shown["provenance"]["noise"], serde_json::Value::Null);
    let ran = derefnet(&format!("train --resume --out {run}"));
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.contains("give the same --data as then"),
        "{}",
        ran.err
    );
    done(&format!("train --resume --data {data} --out {run}"));
}
