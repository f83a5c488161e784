//! The examples of `core/FORMAT.md`.

use derefnet_core::fixed::Requant;
use derefnet_core::ops::sigmoid;
use derefnet_core::weights::Model;
use derefnet_tests::models::{Sizes, random_model};

const DOCUMENT: &str = include_str!("../../core/FORMAT.md");

/// The file of the example in §2.
fn example() -> Vec<u8> {
    let sizes = Sizes {
        map: None,
        head: Some([8, 0]),
    };
    random_model(1, sizes)
}

/// Bytes as the document shows them.
fn dump(bytes: &[u8]) -> String {
    let line = |(index, bytes): (usize, &[u8])| {
        let hex: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
        format!("{:02x}: {}", 16 * index, hex.join(" "))
    };
    let lines: Vec<String> = bytes.chunks(16).enumerate().map(line).collect();
    lines.join("\n")
}

#[test]
fn the_header_is_that_of_the_document() {
    let file = example();
    assert!(Model::load(&file).is_ok());
    let (_, rest) = DOCUMENT.split_once("```hex\n").expect("an example");
    let (shown, _) = rest.split_once("\n```").expect("its end");
    assert_eq!(
        shown,
        dump(&file[..144]),
        "the document should show:\n{}",
        dump(&file[..144])
    );
}

/// Rows of numbers of the table that begins with `head`.
fn table(head: &str) -> Vec<Vec<i64>> {
    let (_, rest) = DOCUMENT.split_once(head).expect("a table");
    let rows = rest
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let numbers = |line: &str| -> Vec<i64> {
        let cells = line.trim_matches('|').split('|');
        cells
            .map(|cell| cell.trim().parse().expect("a number"))
            .collect()
    };
    rows.map(numbers).collect()
}

#[test]
fn requantisation_is_that_of_the_document() {
    let rows = table("| sum + bias | multiplier | shift | requant |");
    assert_eq!(rows.len(), 5);
    for row in rows {
        let factor = Requant::new(row[1] as i32, row[2] as u8).unwrap();
        assert_eq!(i64::from(factor.apply(row[0] as i32)), row[3], "{row:?}");
    }
}

#[test]
fn the_sigmoid_is_that_of_the_document() {
    let rows = table("| z | sigmoid |");
    assert_eq!(rows.len(), 6);
    for row in rows {
        assert_eq!(i64::from(sigmoid(row[0] as i32)), row[1], "{row:?}");
    }
}
