//! Data sets on disk: round trips, same bytes, and every kind of bad input.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use derefnet::dataset::manifest::FILE_NAME;
use derefnet::dataset::{
    self, Counts, Layout, Manifest, QinitFrom, Source, Split, annotation, load, load_split, qinit,
};
use derefnet::raster::{self, Raster};
use derefnet::scene::{
    Backgrounds, SceneConfig, Target, Trajectory, generate, generate_over, label_map,
};
use derefnet::{Error, Result};
use derefnet_core::physics::{FRAME_LEN, MAP_LEN, MAP_SIDE, cell_centre};
use derefnet_tests::oracle;
use derefnet_tests::tolerance::QINIT_IDENTITY;
use ndarray::{Array2, Axis};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};

const COUNTS: Counts = Counts {
    train: 3,
    val: 1,
    test: 2,
};

/// Noise around zero, so that the PNG layout needs its pedestal.
fn noisy() -> SceneConfig {
    SceneConfig {
        noise: [1.0, 5.0],
        pedestal: 64,
        frames: 6,
        ..SceneConfig::default()
    }
}

fn manifest(layout: Layout, config: SceneConfig) -> Manifest {
    Manifest::new(layout, 9, config, COUNTS)
}

fn write(dir: &Path, manifest: &Manifest) -> Result<()> {
    let source = |split, index| generate(&manifest.config, manifest.seed, split, index);
    dataset::write(dir, manifest, &source, &|_| Ok(()))
}

/// A written data set; the folder goes when the first value does.
fn written(layout: Layout, config: SceneConfig) -> (TempDir, PathBuf) {
    let scratch = tempdir().unwrap();
    let dir = scratch.path().join("set");
    write(&dir, &manifest(layout, config)).unwrap();
    (scratch, dir)
}

/// Every file below `dir` with its content.
fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(tree(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    files
}

#[test]
fn both_layouts_give_back_every_bit() {
    for layout in [Layout::Native, Layout::Seqcsist] {
        let (_scratch, dir) = written(layout, noisy());
        let loaded = load(&dir).unwrap();
        assert_eq!(loaded.manifest, Some(manifest(layout, noisy())));
        assert_eq!(loaded.splits.len(), 3);
        for split in Split::ALL {
            let expected: Vec<Trajectory> = (0..COUNTS.of(split))
                .map(|index| generate(&noisy(), 9, split, index))
                .collect();
            assert!(expected[0].frames.iter().any(|&count| count < 0));
            assert_eq!(loaded.of(split).unwrap(), expected);
            assert_eq!(load_split(&dir, split).unwrap(), expected);
        }
    }
}

#[test]
fn threads_do_not_change_a_byte() {
    for layout in [Layout::Native, Layout::Seqcsist] {
        let with_threads = |threads| {
            let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = builder.build().unwrap();
            let (_scratch, dir) = pool.install(|| written(layout, noisy()));
            let strip =
                |(path, bytes): (PathBuf, _)| (path.strip_prefix(&dir).unwrap().to_owned(), bytes);
            tree(&dir).into_iter().map(strip).collect::<Vec<_>>()
        };
        let alone = with_threads(1);
        let files = if layout == Layout::Native { 7 } else { 73 };
        assert_eq!(alone.len(), files);
        assert!(alone == with_threads(2), "{layout:?}");
    }
}

#[test]
fn authors_folder_without_manifest_is_read() {
    let config = SceneConfig {
        bits: 8,
        saturate: true,
        ..SceneConfig::default()
    };
    let (_scratch, dir) = written(Layout::Seqcsist, config.clone());
    fs::remove_file(dir.join(FILE_NAME)).unwrap();
    fs::remove_dir_all(dir.join("val")).unwrap();
    let image = raster::read(&dir.join("test/image/image_0.png")).unwrap();
    assert_eq!((image.bits, image.texts.len()), (8, 0));
    let loaded = load(&dir).unwrap();
    let splits: Vec<Split> = loaded.splits.iter().map(|(split, _)| *split).collect();
    assert_eq!(splits, [Split::Train, Split::Test]);
    assert!(loaded.manifest.is_none() && loaded.of(Split::Validation).is_err());
    let expected = generate(&config, 9, Split::Train, 2);
    assert_eq!(loaded.of(Split::Train).unwrap()[2], expected);
    refused(load_split(&dir, Split::Validation), &["no split 'val'"]);
}

#[test]
fn counts_that_do_not_fit_a_picture_are_refused() {
    let signed = SceneConfig {
        pedestal: 0,
        ..noisy()
    };
    let bright = SceneConfig {
        bits: 8,
        targets: [4, 4],
        intensity: [900.0, 900.0],
        ..SceneConfig::default()
    };
    for config in [signed, bright] {
        let scratch = tempdir().unwrap();
        let dir = scratch.path().join("set");
        let result = write(&dir, &manifest(Layout::Seqcsist, config.clone()));
        refused(result, &["count", "pedestal 0", "clip at zero", "frame"]);
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
        write(&dir, &manifest(Layout::Native, config)).unwrap();
    }
}

#[test]
fn stopped_work_leaves_nothing_behind() {
    for layout in [Layout::Native, Layout::Seqcsist] {
        let scratch = tempdir().unwrap();
        let dir = scratch.path().join("deep/er/set");
        let manifest = manifest(layout, noisy());
        let source: &Source = &|split, index| generate(&noisy(), 9, split, index);
        let result = dataset::write(&dir, &manifest, source, &|_| Err(Error::Interrupted));
        assert!(matches!(result, Err(Error::Interrupted)));
        assert_eq!(fs::read_dir(dir.parent().unwrap()).unwrap().count(), 0);
    }
}

#[test]
fn existing_content_is_never_touched() {
    let scratch = tempdir().unwrap();
    let manifest = manifest(Layout::Native, noisy());
    let file = scratch.path().join("file");
    fs::write(&file, "mine").unwrap();
    refused(write(scratch.path(), &manifest), &["not empty"]);
    refused(
        write(&file, &manifest),
        &["file", "expected a new or empty folder"],
    );
    refused(write(&file.join("below"), &manifest), &["file"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    let empty = scratch.path().join("empty");
    fs::create_dir(&empty).unwrap();
    write(&empty, &manifest).unwrap();
    assert!(load(&empty).is_ok());
    refused(write(&empty, &manifest), &["empty", "not empty"]);
}

/// Asserts an error whose message holds all `words`.
#[track_caller]
fn refused<T>(result: Result<T>, words: &[&str]) {
    let Err(error) = result else {
        panic!("accepted, expected an error with {words:?}")
    };
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "'{word}' is not in: {message}");
    }
}

/// Changes one file of a fresh data set and asserts that loading names it and says `words`.
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
    refused(load(&dir), words);
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
fn annotation_text_keeps_every_bit() {
    let odd = [0.1 + 0.2, 1.0 / 3.0, 5e-324, 1e22, 9.499999999999998, 250.0];
    let targets: Vec<Target> = odd
        .windows(3)
        .map(|w| Target {
            x: w[0],
            y: -w[1],
            intensity: w[2],
        })
        .collect();
    let xml = annotation::to_xml(12, &targets);
    assert!(xml.contains("<filename>COS12</filename>"));
    assert_eq!(annotation::parse(&xml).unwrap(), targets);
    let verbose = "<?xml version=\"1.0\"?><!-- x --><annotation a='1'><filename/>\
        <size><width> 11 </width><height>11</height><depth>1</depth></size><sigma>0.50</sigma>\
        <object><name>Target</name><pose>none</pose><coordinate><yc>2</yc><xc>1e0</xc>\
        <brightness><![CDATA[230]]></brightness></coordinate></object></annotation>";
    let target = Target {
        x: 1.0,
        y: 2.0,
        intensity: 230.0,
    };
    assert_eq!(annotation::parse(verbose).unwrap(), [target]);
}

fn png(width: usize, height: usize, value: u16) -> Raster {
    Raster {
        width,
        height,
        bits: 16,
        colour: "grey",
        samples: vec![value; width * height],
        texts: Vec::new(),
    }
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
    bad(
        &["11x12 grey, expected 11x11 grey"],
        encode(&png(11, 12, 0)),
    );
    let mut colour = Vec::new();
    let mut encoder = png::Encoder::new(&mut colour, 11, 11);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[0; 363]).unwrap();
    drop(writer);
    bad(&["11x11 colour, expected 11x11 grey"], colour);
    let mut noted = png(11, 11, 3);
    noted.texts = vec![("derefnet pedestal".to_owned(), "-4".to_owned())];
    bad(&["derefnet pedestal", "'-4'", "0 to 65535"], encode(&noted));
    let whole = encode(&png(11, 11, 77));
    for length in [0, 8, 20, 40, whole.len() - 30] {
        bad(&["bad PNG"], whole[..length].to_vec());
    }
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
    refused(load(scratch.path()), &["no data set", "manifest.json"]);
    refused(
        load(&scratch.path().join("none")),
        &["none", "No such file"],
    );
    refused(load_split(scratch.path(), Split::Test), &["no data set"]);
    let (_scratch, dir) = written(Layout::Native, noisy());
    let text = fs::read_to_string(dir.join(FILE_NAME)).unwrap();
    fs::write(
        dir.join(FILE_NAME),
        text.replace("\"val\": 1", "\"val\": 0"),
    )
    .unwrap();
    refused(load_split(&dir, Split::Validation), &["no split 'val'"]);
}

/// Φ by numeric integration, (121, 1089).
fn phi() -> Array2<f64> {
    Array2::from_shape_fn((FRAME_LEN, MAP_LEN), |(pixel, cell)| {
        let centre = |index| cell_centre(index, 3);
        let target = Target {
            x: centre(cell / MAP_SIDE),
            y: centre(cell % MAP_SIDE),
            intensity: 1.0,
        };
        oracle::render::expected_count(&[target], pixel / 11, pixel % 11)
    })
}

fn training(count: u64) -> Vec<Trajectory> {
    let one = |index| generate(&SceneConfig::default(), 4, Split::Train, index);
    (0..count).map(one).collect()
}

#[test]
fn qinit_through_the_physics_inverts_the_physics() {
    let q = qinit(training(1_500), QinitFrom::Physics).unwrap();
    assert_eq!(q.dim(), (MAP_LEN, FRAME_LEN));
    let worst = (phi().dot(&q) - Array2::<f64>::eye(FRAME_LEN))
        .iter()
        .fold(0.0, |worst: f64, difference| worst.max(difference.abs()));
    assert!(worst < QINIT_IDENTITY, "{worst:e}");
}

/// Both modes against the definition: the residual `S - Q Z` is orthogonal to `Z`.
#[test]
fn qinit_solves_the_normal_equations() {
    let trajectories = training(400);
    let frames: Vec<(Vec<Target>, Vec<f64>)> = trajectories
        .iter()
        .flat_map(|t| t.truth.iter().zip(t.frames.axis_iter(Axis(0))))
        .map(|(targets, frame)| {
            (
                targets.clone(),
                frame.iter().map(|&c| f64::from(c)).collect(),
            )
        })
        .collect();
    let n = frames.len();
    let labels: Vec<_> = frames
        .iter()
        .map(|(targets, _)| label_map(targets))
        .collect();
    let s = Array2::from_shape_fn((MAP_LEN, n), |(cell, k)| f64::from(labels[k][cell]));
    let rendered = Array2::from_shape_fn((FRAME_LEN, n), |(pixel, k)| frames[k].1[pixel]);
    for (from, z) in [
        (QinitFrom::Physics, phi().dot(&s)),
        (QinitFrom::Rendered, rendered),
    ] {
        let q = qinit(&trajectories, from).unwrap();
        let cross = s.dot(&z.t());
        let left = (&s - q.dot(&z)).dot(&z.t());
        let norm = |m: &Array2<f64>| m.iter().map(|v| v * v).sum::<f64>().sqrt();
        let relative = norm(&left) / norm(&cross);
        assert!(relative < QINIT_IDENTITY, "{from:?}: {relative:e}");
    }
}

#[test]
fn qinit_of_few_trajectories_stays_finite_and_of_none_is_refused() {
    for from in [QinitFrom::Physics, QinitFrom::Rendered] {
        let few = training(1);
        let q = qinit(&few, from).unwrap();
        assert!(q.iter().all(|value| value.is_finite() && value.abs() < 1e6));
        refused(
            qinit(Vec::<Trajectory>::new(), from),
            &["at least one training frame"],
        );
    }
}

/// A folder of one picture whose grey value tells row and column.
fn ramp_folder(width: usize, height: usize) -> TempDir {
    let folder = tempdir().unwrap();
    let mut ramp = png(width, height, 0);
    for (at, sample) in ramp.samples.iter_mut().enumerate() {
        *sample = (100 * (at / width) + at % width) as u16;
    }
    raster::write(&folder.path().join("ramp.png"), &ramp).unwrap();
    folder
}

/// Background of one trajectory: counts over the ramp minus counts without.
fn under(config: &SceneConfig, backgrounds: &Backgrounds, index: u64) -> ndarray::Array3<i32> {
    let over = generate_over(config, Some(backgrounds), 2, Split::Train, index);
    over.frames - generate(config, 2, Split::Train, index).frames
}

#[test]
fn backgrounds_are_exact_crops_everywhere_in_the_frame() {
    let folder = ramp_folder(30, 20);
    let backgrounds = Backgrounds::load(folder.path(), 2.0).unwrap();
    let config = SceneConfig::default();
    let mut corners = std::collections::BTreeSet::new();
    for index in 0..400 {
        let below = under(&config, &backgrounds, index);
        let corner = below[(0, 0, 0)] / 2;
        corners.insert((corner / 100, corner % 100));
        for ((t, i, j), &count) in below.indexed_iter() {
            assert_eq!(
                count,
                2 * (corner + 100 * i as i32 + j as i32),
                "{t} {i} {j}"
            );
        }
    }
    let most = corners
        .iter()
        .fold((0, 0), |m, c| (m.0.max(c.0), m.1.max(c.1)));
    assert!(most == (9, 19) && corners.contains(&(0, 0)) || corners.len() > 150);
    assert!(
        corners
            .iter()
            .all(|&(row, column)| row <= 9 && column <= 19)
    );
}

#[test]
fn drifting_backgrounds_move_straight_and_stay_in_the_frame() {
    let config = SceneConfig {
        background_drift: 0.8,
        ..SceneConfig::default()
    };
    for (width, height) in [(60, 40), (12, 11)] {
        let folder = ramp_folder(width, height);
        let backgrounds = Backgrounds::load(folder.path(), 1.0).unwrap();
        let mut moved = 0;
        for index in 0..50 {
            let below = under(&config, &backgrounds, index);
            let at = |t: usize| f64::from(below[(t, 0, 0)]);
            let drift = at(19) - at(0);
            moved += i32::from(drift.abs() > 5.0);
            for t in 0..20 {
                assert!((at(t) - at(0) - drift * t as f64 / 19.0).abs() <= 2.0);
                let end = i64::from(below[(t, 10, 10)]);
                assert!(at(t) >= 0.0 && end <= (100 * (height - 1) + width - 1) as i64);
                assert!((end - i64::from(below[(t, 0, 0)]) - 1_010).abs() <= 1);
            }
        }
        assert!(if height > 11 { moved > 30 } else { moved == 0 }, "{moved}");
    }
}

#[test]
fn bad_backgrounds_are_named() {
    let empty = tempdir().unwrap();
    refused(Backgrounds::load(empty.path(), 1.0), &["no *.png file"]);
    refused(
        Backgrounds::load(&empty.path().join("none"), 1.0),
        &["none"],
    );
    let small = ramp_folder(11, 10);
    refused(
        Backgrounds::load(small.path(), 1.0),
        &["ramp.png", "11x10", "at least 11x11"],
    );
    let folder = ramp_folder(20, 20);
    for gain in [0.0, -1.0, f64::NAN] {
        refused(Backgrounds::load(folder.path(), gain), &["background gain"]);
    }
    fs::write(folder.path().join("note.txt"), "no picture").unwrap();
    assert_eq!(Backgrounds::load(folder.path(), 1.0).unwrap().count(), 1);
    fs::write(folder.path().join("b.PNG"), "no picture").unwrap();
    refused(Backgrounds::load(folder.path(), 1.0), &["b.PNG", "bad PNG"]);
}

/// Writes a picture of any kind with the encoder that the project uses.
fn encode_as(
    path: &Path,
    colour: png::ColorType,
    depth: png::BitDepth,
    palette: &[u8],
    data: &[u8],
) {
    let mut encoder = png::Encoder::new(fs::File::create(path).unwrap(), 2, 1);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if !palette.is_empty() {
        encoder.set_palette(palette.to_vec());
    }
    encoder
        .write_header()
        .unwrap()
        .write_image_data(data)
        .unwrap();
}

#[test]
fn every_kind_of_picture_becomes_grey() {
    use png::{BitDepth::*, ColorType::*};
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.png");
    let rgb = [200, 100, 50, 0, 0, 255];
    // (299·200 + 587·100 + 114·50 + 500) / 1000 and (114·255 + 500) / 1000.
    let luma = [124, 29];
    let cases: [(_, _, &[u8], &[u8], u32, [u16; 2]); 6] = [
        (Grayscale, Eight, &[], &[7, 255], 8, [7, 255]),
        (Grayscale, Sixteen, &[], &[1, 2, 255, 254], 16, [258, 65534]),
        (GrayscaleAlpha, Eight, &[], &[7, 0, 9, 128], 8, [7, 9]),
        (Rgb, Eight, &[], &rgb, 8, luma),
        (Rgba, Eight, &[], &[200, 100, 50, 0, 0, 0, 255, 9], 8, luma),
        (Indexed, Eight, &rgb, &[1, 0], 8, [29, 124]),
    ];
    for (colour, depth, palette, data, bits, expected) in cases {
        encode_as(&path, colour, depth, palette, data);
        let raster = raster::read(&path).unwrap();
        assert_eq!((raster.width, raster.height, raster.bits), (2, 1, bits));
        assert_eq!(raster.samples, expected, "{colour:?} {depth:?}");
    }
    let mut wide = png(2, 1, 300);
    wide.bits = 8;
    refused(raster::write(&path, &wide), &["x.png", "exceeds 255"]);
}
