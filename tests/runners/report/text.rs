//! What else the command writes: Markdown, and its answer.

use std::fs;

use derefnet::methods::METHODS;
use derefnet_tests::results;
use serde_json::Value;

use crate::{report, written};

#[test]
fn markdown_has_the_first_table() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("synthetic");
    results::write(&folder);
    let (page, table) = (scratch.path().join("r.html"), scratch.path().join("t.md"));
    written(&[&folder], &["--markdown", table.to_str().unwrap()], &page);
    let text = fs::read_to_string(&table).unwrap();
    assert!(text.starts_with(&format!(
        "### {}\n\nMeasured on the test split",
        results::TITLE
    )));
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(lines.len(), METHODS.len() + 2);
    let cells = |line: &str| -> Vec<String> {
        let inner = line.trim_matches('|');
        inner
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    let names = "method; CSO-mAP, %: published; CSO-mAP, %: here, grid; CSO-mAP, %: here, off-grid; \
                 parameters; M multiply-adds; frames/s; memory, MiB; training, min";
    assert_eq!(cells(lines[0]).join("; "), names);
    for line in &lines {
        assert_eq!(cells(line).len(), 9, "{line}");
    }
    let srcnn = lines
        .iter()
        .find(|line| line.starts_with("| SRCNN |"))
        .unwrap();
    // 49.64 as printed; 0.96 of it and 30 and 1.25 of that as `results` makes them up.
    let expected = "| SRCNN | 49.64 | 47.65 | 89.57 | 15,841 | 17.3 | 6,667 | 220 | 10.0 |";
    assert_eq!(*srcnn, expected);
    let best = lines
        .iter()
        .find(|line| line.starts_with("| DeRefNet |"))
        .unwrap();
    assert!(best.contains("| **51.55** |"), "{best}");
    let fit = lines
        .iter()
        .find(|line| line.starts_with("| fit |"))
        .unwrap();
    assert_eq!(cells(fit)[1..3], ["", ""]);
}

#[test]
fn the_answer_names_what_was_written() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("synthetic");
    results::write(&folder);
    let page = scratch.path().join("r.html");
    let output = report(&[&folder], &["--json", "--out", page.to_str().unwrap()]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let size = fs::metadata(&page).unwrap().len();
    assert_eq!(answer["bytes"], size);
    assert_eq!(answer["tables"][0]["title"], results::TITLE);
    assert_eq!(answer["tables"][0]["rows"], METHODS.len());
    // Every picture inside, and still small enough to send around.
    assert!(size < 2_000_000, "{size}");
}
