//! A small scene and the checks that every figure must pass.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use derefnet_core::physics::{
    FRAME_SIDE, MAP_SIDE, PSF_SIGMA, RATIO, cell_centre, cell_of, pixel_response,
};
use ndarray::{Array2, Array3};

use super::Mark;
use crate::Result;

fn mark(x: f64, y: f64, score: f64) -> Mark {
    Mark {
        x,
        y,
        score,
        sigma: None,
    }
}

/// Three targets 0.3 px up, right and down of (4.1, 6.2).
pub fn truth() -> Vec<Mark> {
    vec![
        mark(3.8, 6.2, 231.0),
        mark(4.1, 6.5, 244.0),
        mark(4.4, 6.2, 222.0),
    ]
}

/// Off-grid answers near the truth, with uncertainty.
pub fn detections() -> Vec<Mark> {
    let shifts = [(0.03, -0.02, 0.5), (-0.02, 0.04, -0.6), (0.05, 0.05, 0.0)];
    let near = |(target, (dx, dy, correlation)): (Mark, (f64, f64, f64))| Mark {
        x: target.x + dx,
        y: target.y + dy,
        sigma: Some([0.03, 0.045, correlation]),
        ..target
    };
    truth().into_iter().zip(shifts).map(near).collect()
}

/// Centres of the cells that hold the targets.
pub fn grid_readout() -> Vec<Mark> {
    let centre = |value| cell_centre(cell_of(value, RATIO) as usize, RATIO);
    truth()
        .iter()
        .map(|target| mark(centre(target.x), centre(target.y), target.score))
        .collect()
}

/// `count` frames of the scene, drifting down.
pub fn window(count: usize) -> Array3<f32> {
    Array3::from_shape_fn((count, FRAME_SIDE, FRAME_SIDE), |(time, row, column)| {
        let drift = 0.3 * (time as f64 - (count / 2) as f64);
        let response = |pixel: usize, at| pixel_response(pixel as f64, at, PSF_SIGMA);
        let light = |target: &Mark| {
            target.score * response(row, target.x + drift) * response(column, target.y)
        };
        truth().iter().map(light).sum::<f64>().round() as f32
    })
}

/// A map as the network might answer: soft peaks in the targets' cells.
pub fn answer() -> Array2<f32> {
    Array2::from_shape_fn((MAP_SIDE, MAP_SIDE), |(row, column)| {
        let light = |target: &Mark| {
            let (dx, dy) = (
                cell_centre(row, RATIO) - target.x,
                cell_centre(column, RATIO) - target.y,
            );
            target.score * (-(dx * dx + dy * dy) / 0.05).exp()
        };
        truth().iter().map(light).sum::<f64>() as f32
    })
}

/// Draws into a temporary folder, decodes the PNG and returns its size; then draws where nothing
/// can be written, which must be an error.
///
/// With `DEREFNET_KEEP_PICTURES=DIR` in the environment the picture is kept there for the eye.
pub fn check_picture(name: &str, draw: impl Fn(&Path) -> Result<()>) -> (u32, u32) {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join(format!("{name}.png"));
    draw(&path).unwrap();
    let (size, pixels) = decode(&path);
    let colours: HashSet<&[u8]> = pixels.chunks_exact(3).collect();
    let ink = pixels
        .chunks_exact(3)
        .filter(|pixel| pixel != &[255; 3])
        .count();
    assert!(colours.len() >= 10, "{name}: {} colours", colours.len());
    assert!(ink * 200 > pixels.len() / 3, "{name}: {ink} pixels drawn");
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
    if let Some(folder) = std::env::var_os("DEREFNET_KEEP_PICTURES") {
        fs::copy(&path, Path::new(&folder).join(format!("{name}.png"))).unwrap();
    }

    // A file as the parent folder refuses even the superuser.
    let refused = draw(&path.join("below.png")).unwrap_err().to_string();
    assert!(refused.contains("below.png"), "{refused}");
    size
}

/// Size and RGB bytes of a picture.
pub fn decode(path: &Path) -> ((u32, u32), Vec<u8>) {
    let file = BufReader::new(File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb);
    reader.finish().unwrap();
    ((info.width, info.height), pixels)
}
