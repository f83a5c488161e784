//! Tests of reading model files: damage of every kind is told apart. The suite `damage` of `tests/`
//! tries every byte.

use std::string::ToString;
use std::vec::Vec;

use super::*;

static EDGE: &[u8] = include_bytes!("../../models/edge.dref");

/// A shipped model after `change`, with the length and checksum of what it is then.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut file = EDGE.to_vec();
    change(&mut file);
    let length = (file.len() as u32).to_le_bytes();
    file[8..12].copy_from_slice(&length);
    let sum = checksum(&file).to_le_bytes();
    file[12..16].copy_from_slice(&sum);
    file
}

fn refused(file: &[u8]) -> LoadError {
    Model::load(file).err().unwrap()
}

#[test]
fn a_file_as_it_ships_is_read() {
    assert_eq!(changed(|_| ()), EDGE);
    let model = Model::load(EDGE).unwrap();
    assert_eq!(model.map.is_some(), model.header.map.is_some());
    assert_eq!(model.head.is_some(), model.header.head.is_some());
}

#[test]
fn damage_is_named() {
    let short = |got| LoadError::Length {
        expected: PREFIX,
        got,
    };
    assert_eq!(refused(&[]), short(0));
    assert_eq!(refused(&EDGE[..PREFIX - 1]), short(PREFIX - 1));
    let cut = refused(&EDGE[..EDGE.len() - 1]);
    let (expected, got) = (EDGE.len(), EDGE.len() - 1);
    assert_eq!(cut, LoadError::Length { expected, got });
    assert_eq!(refused(&changed(|file| file[0] = b'd')), LoadError::Magic);
    let newer = refused(&changed(|file| file[4] += 1));
    assert_eq!(newer, LoadError::Version { got: VERSION + 1 });
    let mut flipped = EDGE.to_vec();
    flipped[EDGE.len() / 2] ^= 1;
    assert!(matches!(refused(&flipped), LoadError::Checksum { .. }));
}

#[test]
fn headers_and_bodies_of_other_lengths_are_refused() {
    let header = |length: u16| {
        refused(&changed(|file| {
            file[6..8].copy_from_slice(&length.to_le_bytes())
        }))
    };
    assert_eq!(header(0), LoadError::Header);
    // Bytes of the body behind a header that ends before them.
    assert_eq!(header(u16::MAX), LoadError::Header);
    assert_eq!(
        refused(&changed(|file| file.truncate(40))),
        LoadError::Header
    );
    let end = PREFIX + usize::from(u16::from_le_bytes([EDGE[6], EDGE[7]]));
    let body = |error| matches!(error, LoadError::Body { .. });
    assert!(body(refused(&changed(|file| file.truncate(end)))));
    assert!(body(refused(&changed(
        |file| file.truncate(EDGE.len() - 16)
    ))));
    assert!(body(refused(&changed(|file| file.extend([0; 16])))));
}

#[test]
fn errors_say_what_was_expected() {
    let part = "offset head";
    let sizes = LoadError::Sizes {
        what: "map channels",
        expected: 16,
        got: 32,
    };
    let texts = [
        (
            LoadError::Magic,
            "no model file: expected it to begin with 'DREF'",
        ),
        (
            LoadError::Version { got: 7 },
            "format version 7: expected 1",
        ),
        (
            LoadError::Length {
                expected: 16,
                got: 3,
            },
            "length: expected 16 bytes, got 3",
        ),
        (
            LoadError::Checksum {
                expected: 0xab,
                got: 1,
            },
            "damaged: crc32 is 00000001, expected 000000ab",
        ),
        (
            LoadError::Header,
            "header: expected one of this format version",
        ),
        (
            LoadError::Field {
                field: "unit",
                expected: "above 0",
            },
            "header, unit: expected above 0",
        ),
        (
            LoadError::Body { part },
            "body, offset head: expected as many bytes as its sizes say",
        ),
        (
            LoadError::Range { part },
            "body, offset head: expected sums within 32 bits and factors in range",
        ),
        (sizes, "map channels: expected 16, the model has 32"),
        (LoadError::Missing { part }, "the model has no offset head"),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
    }
}
