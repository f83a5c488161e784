//! Data sets on disk: round trips, same bytes, and nothing half-written.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use derefnet::Error;
use derefnet::dataset::manifest::FILE_NAME;
use derefnet::dataset::{self, Layout, Manifest, Source, Split, annotation, load_split};
use derefnet::raster;
use derefnet::scene::{SceneConfig, Target, Trajectory, generate};
use derefnet_tests::datasets::{COUNTS, manifest, noisy, refused, write, written};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::tempdir;

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
        let found = Manifest::find(&dir).unwrap();
        assert_eq!(found, Some(manifest(layout, noisy())));
        for split in Split::ALL {
            let expected: Vec<Trajectory> = (0..COUNTS.of(split))
                .map(|index| generate(&noisy(), 9, split, index))
                .collect();
            assert!(expected[0].frames.iter().any(|&count| count < 0));
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
    for (split, index) in [(Split::Train, 2), (Split::Test, 1)] {
        let expected = generate(&config, 9, split, index as u64);
        assert_eq!(load_split(&dir, split).unwrap()[index], expected);
    }
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
        let stopped = || Err(Error::Interrupted);
        let results = [
            dataset::write(&dir, &manifest, source, &|_| stopped(), |_| Ok(())),
            dataset::write(&dir, &manifest, source, &|_| Ok(()), |_| stopped()),
        ];
        for result in results {
            assert!(matches!(result, Err(Error::Interrupted)));
        }
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
    assert!(load_split(&empty, Split::Train).is_ok());
    refused(write(&empty, &manifest), &["empty", "not empty"]);
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

/// The full data set, 100,000 frames, within its budget of ten seconds on two cores.
#[test]
fn the_full_data_set_takes_seconds() {
    let config = SceneConfig::default();
    let started = std::time::Instant::now();
    let frames: usize = Split::ALL
        .into_par_iter()
        .flat_map(|split| {
            (0..split.trajectories())
                .into_par_iter()
                .map(move |i| (split, i))
        })
        .map(|(split, index)| generate(&config, 1, split, index).truth.len())
        .sum();
    assert_eq!(frames, 100_000);
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}
