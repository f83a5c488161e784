//! Pictures, backgrounds cut from them, and generated clutter.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use derefnet::dataset::Split;
use derefnet::raster;
use derefnet::rng::Rng;
use derefnet::scene::{Backgrounds, ClutterConfig, SceneConfig, generate, generate_over};
use derefnet_tests::datasets::{claims_all_memory, flat_picture, refused};
use derefnet_tests::statistics::assert_mean;
use std::fs;
use std::path::Path;
use tempfile::{TempDir, tempdir};

/// A folder of one picture whose grey value tells row and column.
fn ramp_folder(width: usize, height: usize) -> TempDir {
    let folder = tempdir().unwrap();
    let mut ramp = flat_picture(width, height, 0);
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
    let whole = raster::encode(Path::new("x"), &flat_picture(20, 20, 5)).unwrap();
    for (bytes, part) in [
        (b"no picture".to_vec(), "bad PNG"),
        (whole[..whole.len() - 12].to_vec(), "bad PNG"),
        (claims_all_memory(), "expected at most 67108864"),
    ] {
        fs::write(folder.path().join("b.PNG"), bytes).unwrap();
        refused(Backgrounds::load(folder.path(), 1.0), &["b.PNG", part]);
    }
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
    /// Colour type, depth, palette, data; depth and grey values as read.
    type Case<'a> = (
        png::ColorType,
        png::BitDepth,
        &'a [u8],
        &'a [u8],
        u32,
        [u16; 2],
    );
    let cases: [Case; 6] = [
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
    let mut wide = flat_picture(2, 1, 300);
    wide.bits = 8;
    refused(raster::write(&path, &wide), &["x.png", "exceeds 255"]);
}

/// `E[J₀(k r)]` over log-uniform `k`, by the midpoint rule in both variables.
fn clutter_correlation(r: f64, [short, long]: [f64; 2]) -> f64 {
    let bessel = |x: f64| {
        let angle = |i: i32| std::f64::consts::PI * (f64::from(i) + 0.5) / 200.0;
        (0..200).map(|i| (x * angle(i).sin()).cos()).sum::<f64>() / 200.0
    };
    let wave = |i: i32| {
        std::f64::consts::TAU / (short * (long / short).powf((f64::from(i) + 0.5) / 500.0))
    };
    (0..500).map(|i| bessel(wave(i) * r)).sum::<f64>() / 500.0
}

#[test]
fn clutter_has_the_documented_statistics() {
    let clutter = ClutterConfig {
        level: [90.0; 2],
        deviation: [7.0; 2],
        gradient: [0.0; 2],
        ..ClutterConfig::default()
    };
    let fields: Vec<[f64; 121]> = (0..4_000)
        .map(|stream| {
            let mut rng = Rng::new(11, *b"clutters", stream);
            let mut field = [0.0; 121];
            clutter.draw(20, 0.0, &mut rng).add(19, &mut field);
            field.map(|count| count - 90.0)
        })
        .collect();
    let product = |a: usize, b: usize| fields.iter().map(|f| f[a] * f[b]).collect::<Vec<_>>();
    assert_mean(
        "mean",
        &fields.iter().map(|f| f[37]).collect::<Vec<_>>(),
        0.0,
    );
    for pixel in [0, 60, 115] {
        assert_mean("variance", &product(pixel, pixel), 49.0);
    }
    for lag in [1, 2, 3, 5, 8] {
        let expected = 49.0 * clutter_correlation(lag as f64, clutter.wavelength);
        assert_mean("covariance along y", &product(44, 44 + lag), expected);
        assert_mean("covariance along x", &product(5, 5 + 11 * lag), expected);
    }
    let diagonal = 49.0 * clutter_correlation(2f64.sqrt() * 3.0, clutter.wavelength);
    assert_mean("covariance along the diagonal", &product(36, 72), diagonal);
}

#[test]
fn clutter_lies_under_the_scene_and_drifts_as_a_whole() {
    let plane = ClutterConfig {
        deviation: [0.0; 2],
        gradient: [100.0; 2],
        level: [5_000.0; 2],
        ..ClutterConfig::default()
    };
    let config = SceneConfig {
        clutter: Some(plane),
        background_drift: 0.5,
        ..SceneConfig::default()
    };
    let mut fastest = 0.0_f64;
    for index in 0..10 {
        let of = |config: &SceneConfig| generate(config, 11, Split::Train, index);
        let (clean, over) = (of(&SceneConfig::default()), of(&config));
        assert_eq!(over.truth, clean.truth);
        let below = &over.frames - &clean.frames;
        let pixel = |t: usize, i: usize, j: usize| f64::from(below[(t, i, j)]);
        let slope = [(10, 0), (0, 10)].map(|(i, j)| (pixel(0, i, j) - pixel(0, 0, 0)) / 10.0);
        // Rounding moves each count by up to one.
        assert!((slope[0].hypot(slope[1]) - 100.0).abs() < 0.3);
        assert!((pixel(0, 5, 5) - 5_000.0).abs() <= 1.0);
        let drift = pixel(19, 5, 5) - pixel(0, 5, 5);
        fastest = fastest.max(drift.abs());
        for t in 0..20 {
            for (i, j) in [(0, 0), (3, 9), (10, 10)] {
                let moved = pixel(t, i, j) - pixel(0, i, j);
                assert!((moved - drift * t as f64 / 19.0).abs() <= 2.0);
            }
        }
    }
    // At most 0.5 px in each of 19 frames, uphill.
    assert!(fastest > 300.0 && fastest < 0.5 * 19.0 * 100.0, "{fastest}");
}
