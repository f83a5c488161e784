//! Damaged results are refused by file and field, and nothing is written.

use std::fs;
use std::path::Path;

use derefnet::methods::METHODS;
use derefnet_tests::results;
use serde_json::{Value, json};

use crate::report;

fn complaint(folder: &Path, options: &[&str]) -> String {
    let page = folder.parent().unwrap().join("report.html");
    let output = report(
        &[folder],
        &[&["--out", page.to_str().unwrap()], options].concat(),
    );
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert!(output.stdout.is_empty());
    assert!(!page.exists());
    complaint
}

/// Changes a good result and asserts that the complaint has every one of `parts`.
fn damaged(change: impl Fn(&mut Value), parts: &[&str]) {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("results");
    results::write_definition(&folder, "Damaged");
    let mut row = results::row(&METHODS[2], 2);
    change(&mut row);
    results::write_row(&folder, &row);
    let complaint = complaint(&folder, &[]);
    for part in ["srcnn/result.json"].iter().chain(parts) {
        assert!(complaint.contains(part), "no '{part}': {complaint}");
    }
}

#[test]
fn fields_are_named() {
    damaged(
        |row| row["format"] = 2.into(),
        &["format: expected 1, got 2"],
    );
    damaged(|row| row["label"] = " ".into(), &["label: expected a name"]);
    damaged(|row| row["extra"] = 1.into(), &["unknown field `extra`"]);
    damaged(
        |row| row["runs"][0]["grid"]["extra"] = 1.into(),
        &["unknown field `extra`"],
    );
    damaged(
        |row| drop(row.as_object_mut().unwrap().remove("date")),
        &["missing field `date`"],
    );
    damaged(
        |row| row["parameters"] = "many".into(),
        &["parameters: ", "expected usize"],
    );
    damaged(
        |row| row["group"] = "theirs".into(),
        &["group: ", "unknown variant `theirs`"],
    );
    damaged(
        |row| row["runs"] = json!([]),
        &["runs: expected at least 1, got 0"],
    );
    damaged(
        |row| row["macs_per_frame"] = 0.into(),
        &["macs_per_frame: expected at least 1 or null, got 0"],
    );
    damaged(
        |row| row["runs"][0]["off_grid"]["cso_map"] = 100.5.into(),
        &["runs[0].off_grid.cso_map: expected 0 to 100, got 100.5"],
    );
    damaged(
        |row| row["published"]["aps"][3] = (-1).into(),
        &["published.aps: expected 0 to 100, got -1"],
    );
    damaged(
        |row| row["precision_recall"][4]["points"][0][1] = 97.into(),
        &["precision_recall[4].points: expected numbers from 0 to 1"],
    );
    damaged(
        |row| drop(row["gallery"][1]["map"].as_array_mut().unwrap().pop()),
        &["gallery[1].map: expected 1089 numbers, got 1088"],
    );
    damaged(
        |row| {
            drop(
                row["gallery"][2]["frame_counts"]
                    .as_array_mut()
                    .unwrap()
                    .pop(),
            )
        },
        &["gallery[2].frame_counts: expected 121 numbers, got 120"],
    );
}

#[test]
fn files_are_named() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("results");
    fs::create_dir(&folder).unwrap();
    let missing = complaint(&folder, &[]);
    assert!(missing.contains("definition.toml: not there"), "{missing}");
    assert!(missing.contains("`derefnet benchmark`"), "{missing}");

    results::write_definition(&folder, "Wrong");
    let definition = folder.join("definition.toml");
    let text = fs::read_to_string(&definition).unwrap();
    for (good, bad, part) in [
        ("title = \"Wrong\"", "title = 3", "title = 3"),
        ("about = ", "extra = ", "unknown field `extra`"),
        ("[[row]]", "[[rows]]", "unknown field `rows`"),
    ] {
        fs::write(&definition, text.replacen(good, bad, 1)).unwrap();
        let wrong = complaint(&folder, &[]);
        assert!(
            wrong.contains("definition.toml") && wrong.contains(part),
            "{wrong}"
        );
    }

    results::write_definition(&folder, "Cut");
    let row = results::row(&METHODS[2], 2);
    results::write_row(&folder, &row);
    fs::create_dir(folder.join("again")).unwrap();
    let file = folder.join("srcnn/result.json");
    fs::copy(&file, folder.join("again/result.json")).unwrap();
    let twice = complaint(&folder, &[]);
    assert!(twice.contains("row: \"srcnn\" is there twice"), "{twice}");

    fs::remove_dir_all(folder.join("again")).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, &text[..text.len() / 2]).unwrap();
    let cut = complaint(&folder, &[]);
    assert!(cut.contains("result.json") && cut.contains("EOF"), "{cut}");

    results::write_row(&folder, &row);
    let device = scratch.path().to_str().unwrap();
    assert!(complaint(&folder, &["--device", device]).contains("no file …-firmware-frames.csv"));
}
