//! Every kind of broken data set: the message names file, field, found and expected value.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use derefnet::dataset::manifest::FILE_NAME;
use derefnet::dataset::{Layout, Split, annotation, load_split};
use derefnet::raster::{self, Raster};
use derefnet::scene::Target;
use derefnet_tests::datasets::{claims_all_memory, flat_picture, noisy, refused, written};
use std::fs;
use std::path::Path;
use tempfile::tempdir;

/// Changes one file of a fresh data set and asserts that loading its split, or any split for a file
/// of all, names it and says `words`.
#[track_caller]
fn spoil(
    layout: Layout,
    file: &str,
    words: &[&str],
    change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>,
) {
    let (_scratch, dir) = written(layout, noisy());
    let path = dir.join(file);
    let old = fs::read(&path).unwrap();
    match change(old.clone()) {
        Some(new) => {
            assert!(old != new, "the change changed nothing");
            fs::write(&path, new).unwrap();
        }
        None => fs::remove_file(&path).unwrap(),
    }
    let of_file = |split: &Split| file.starts_with(split.name());
    let split = Split::ALL.into_iter().find(of_file);
    refused(load_split(&dir, split.unwrap_or(Split::Train)), words);
}

/// Replacement of text everywhere in a file.
fn replace(from: &'static str, to: &'static str) -> impl FnOnce(Vec<u8>) -> Option<Vec<u8>> {
    move |bytes| {
        Some(
            String::from_utf8(bytes)
                .unwrap()
                .replace(from, to)
                .into_bytes(),
        )
    }
}

fn cut(length: usize) -> impl FnOnce(Vec<u8>) -> Option<Vec<u8>> {
    move |bytes| Some(bytes[..length].to_vec())
}

#[test]
fn bad_annotations_are_named() {
    const FILE: &str = "test/annotation/COS3.xml";
    let bad = |words: &[&str], from, to| {
        let words = [&["COS3.xml"], words].concat();
        spoil(Layout::Seqcsist, FILE, &words, replace(from, to));
    };
    bad(
        &["annotation/object[0]/coordinate/xc is missing"],
        "xc>",
        "xx>",
    );
    bad(
        &["annotation/object[0]/coordinate is missing"],
        "coordinate>",
        "place>",
    );
    bad(
        &["annotation/filename is missing"],
        "<filename>COS3</filename>",
        "",
    );
    bad(&["annotation/sigma is missing"], "<sigma>0.5</sigma>", "");
    bad(
        &["annotation/size/depth is missing"],
        "<depth>1</depth>",
        "",
    );
    bad(&["object[0]/name is missing"], "<name>Target</name>", "");
    bad(
        &["object[0]/name is 'Tank', expected 'Target'"],
        "Target",
        "Tank",
    );
    bad(&["sigma is 0.7, expected 0.5"], "0.5", "0.7");
    bad(&["height is 12, expected 11"], "<height>11", "<height>12");
    bad(
        &["size/width is 'wide', expected a number"],
        "<width>11",
        "<width>wide",
    );
    bad(
        &["object[0]/coordinate/yc is 'x", "expected a number"],
        "<yc>",
        "<yc>x",
    );
    bad(
        &["sigma is given twice"],
        "<sigma>",
        "<sigma>0.5</sigma><sigma>",
    );
    bad(
        &["root element is 'note'"],
        "<annotation>",
        "<note/><annotation>",
    );
    bad(&["found an entity"], "<sigma>", "<sigma>&#48;");
    spoil(
        Layout::Seqcsist,
        FILE,
        &["COS3.xml", "ends inside element 'size'"],
        cut(50),
    );
    spoil(
        Layout::Seqcsist,
        FILE,
        &["COS3.xml", "no XML element"],
        cut(0),
    );
    spoil(Layout::Seqcsist, FILE, &["COS3.xml"], |_| None);
}

#[test]
fn mismatched_tags_deep_nesting_and_non_finite_numbers_are_refused() {
    assert!(annotation::parse("<annotation><size></annotation>").is_err());
    let target = Target {
        x: 1.0,
        y: f64::NAN,
        intensity: f64::INFINITY,
    };
    let message = annotation::parse(&annotation::to_xml(0, &[target])).unwrap_err();
    assert!(
        message.contains("yc is 'NaN', expected a number"),
        "{message}"
    );
    let deep = "<a>".repeat(100_000);
    let message = annotation::parse(&deep).unwrap_err();
    assert!(message.contains("deeper than 8"), "{message}");
}

#[test]
fn bad_pictures_are_named() {
    const FILE: &str = "train/image/image_10.png";
    let bad = |words: &[&str], bytes: Vec<u8>| {
        let words = [&["image_10.png"], words].concat();
        spoil(Layout::Seqcsist, FILE, &words, |_| Some(bytes));
    };
    let encode = |raster: &Raster| raster::encode(Path::new("x"), raster).unwrap();
    bad(&["bad PNG"], b"not a picture".to_vec());
    bad(&["11x12, expected 11x11"], encode(&flat_picture(11, 12, 0)));
    let mut colour = Vec::new();
    let mut encoder = png::Encoder::new(&mut colour, 11, 11);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[0; 363]).unwrap();
    drop(writer);
    bad(&["colour of 8 bits, expected grey of 8 or 16 bits"], colour);
    let mut noted = flat_picture(11, 11, 3);
    noted.texts = vec![(raster::PEDESTAL.to_owned(), "-4".to_owned())];
    bad(&[raster::PEDESTAL, "'-4'", "0 to 65535"], encode(&noted));
    let whole = encode(&flat_picture(11, 11, 77));
    for length in [
        0,
        8,
        20,
        40,
        whole.len() - 30,
        whole.len() - 12,
        whole.len() - 1,
    ] {
        bad(&["bad PNG"], whole[..length].to_vec());
    }
    bad(&["expected at most 67108864"], claims_all_memory());
    spoil(
        Layout::Seqcsist,
        FILE,
        &["image_11.png", "11 follows 9, expected 10"],
        |_| None,
    );
    let last = "train/image/image_17.png";
    spoil(
        Layout::Seqcsist,
        last,
        &["image", "17 images, expected 18"],
        |_| None,
    );
}

#[test]
fn odd_numbers_of_frames_and_names_are_refused() {
    let (_scratch, dir) = written(Layout::Seqcsist, noisy());
    fs::remove_file(dir.join(FILE_NAME)).unwrap();
    refused(load_split(&dir, Split::Train), &["18 images, expected 20"]);
    let image = dir.join("train/image");
    fs::copy(image.join("image_0.png"), image.join("first.png")).unwrap();
    refused(load_split(&dir, Split::Train), &["first.png", "no number"]);
}

#[test]
fn bad_native_files_are_named() {
    let bad = |file, words: &[&str], change: fn(Vec<u8>) -> Option<Vec<u8>>| {
        let words = [&[file], words].concat();
        spoil(Layout::Native, file, &words, change);
    };
    bad("val_frames.npy", &["No such file"], |_| None);
    bad("val_frames.npy", &["bad npy"], |_| Some(b"zip".to_vec()));
    bad("val_frames.npy", &["ends too early"], |mut bytes| {
        bytes.pop();
        Some(bytes)
    });
    bad("val_truth.npy", &["ends too early"], |mut bytes| {
        bytes.truncate(bytes.len() - 41);
        Some(bytes)
    });
    let header = |bytes: Vec<u8>, from: &[u8], to: &[u8]| {
        let at = bytes.windows(from.len()).position(|window| window == from);
        let mut bytes = bytes;
        bytes.splice(at.unwrap()..at.unwrap() + from.len(), to.iter().copied());
        Some(bytes)
    };
    let shape = "shape of frames is [1, 3, 11, 22] in C order, expected [1, 6, 11, 11]";
    spoil(Layout::Native, "val_frames.npy", &[shape], |bytes| {
        header(bytes, b"1, 6, 11, 11", b"1, 3, 11, 22")
    });
    spoil(Layout::Native, "val_frames.npy", &["Fortran"], |bytes| {
        header(bytes, b"False,", b"True, ")
    });
    spoil(Layout::Native, "val_frames.npy", &["bad npy"], |bytes| {
        header(bytes, b"<i4", b"<f4")
    });
    // The truth's numbers follow a header of 128 bytes: trajectory, frame, x, y, intensity.
    let number = |row: usize, column: usize, value: f64| {
        move |mut bytes: Vec<u8>| {
            let start = bytes.len() - 8 * 5 * (rows(&bytes) - row) + 8 * column;
            bytes[start..start + 8].copy_from_slice(&value.to_le_bytes());
            Some(bytes)
        }
    };
    let file = "train_truth.npy";
    let wrong = |words: &[&str], row, column, value| {
        spoil(Layout::Native, file, words, number(row, column, value));
    };
    wrong(
        &[
            file,
            "row 0: trajectory is 3, expected a whole number below 3",
        ],
        0,
        0,
        3.0,
    );
    wrong(
        &["row 1: frame is 0.5, expected a whole number below 6"],
        1,
        1,
        0.5,
    );
    wrong(&["row 0: frame is -1"], 0, 1, -1.0);
    wrong(&["row 0: trajectory is NaN"], 0, 0, f64::NAN);
    wrong(&["expected sorted rows"], 0, 1, 5.0);
    wrong(&["row 2: found inf, expected finite"], 2, 4, f64::INFINITY);
}

/// Rows of a truth file, from its header.
fn rows(bytes: &[u8]) -> usize {
    let header = String::from_utf8_lossy(&bytes[..128]).into_owned();
    let shape = header.split("'shape': (").nth(1).unwrap();
    shape.split(',').next().unwrap().trim().parse().unwrap()
}

#[test]
fn bad_manifests_are_named() {
    let bad = |words: &[&str], from, to| {
        let words = [&[FILE_NAME], words].concat();
        spoil(Layout::Native, FILE_NAME, &words, replace(from, to));
    };
    bad(
        &["format is 'derefnet-dataset-9', expected 'derefnet-dataset-1'"],
        "set-1",
        "set-9",
    );
    bad(&["unknown field `sead`"], "\"seed\"", "\"sead\"");
    bad(&["config: bits is 40"], "\"bits\": 16", "\"bits\": 40");
    bad(&["unknown variant `zip`"], "\"native\"", "\"zip\"");
    bad(
        &["trajectories.train is 30000000000000000"],
        "\"train\": 3",
        "\"train\": 30000000000000000",
    );
    spoil(Layout::Native, FILE_NAME, &[FILE_NAME, "EOF"], cut(30));
}

#[test]
fn what_is_no_data_set_is_refused() {
    let scratch = tempdir().unwrap();
    let test = |dir: &Path| load_split(dir, Split::Test);
    refused(test(scratch.path()), &["no data set", "manifest.json"]);
    refused(
        test(&scratch.path().join("none")),
        &["none", "No such file"],
    );
    let (_scratch, dir) = written(Layout::Native, noisy());
    let text = fs::read_to_string(dir.join(FILE_NAME)).unwrap();
    fs::write(
        dir.join(FILE_NAME),
        text.replace("\"val\": 1", "\"val\": 0"),
    )
    .unwrap();
    refused(load_split(&dir, Split::Validation), &["no split 'val'"]);
}
