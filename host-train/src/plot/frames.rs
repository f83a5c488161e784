//! The input frames of one window, side by side.

use std::path::Path;

use ndarray::{ArrayView3, Axis};

use super::axes::text;
use super::canvas::{Anchor, Canvas};
use super::heat::{Colours, cells, colour_bar, image_axes};
use super::style::{ColourMap, TITLE};
use crate::{Error, Result};

const PANEL: f32 = 190.0;
const GAP: f32 = 66.0;
const TOP: f32 = 78.0;
const BOTTOM: f32 = 58.0;
const RIGHT: f32 = 100.0;

/// Draws `frames`, `(frames, rows, columns)` in counts, with one colour range for all.
///
/// The middle one of an odd number is frame `t`.
///
/// # Errors
///
/// [`Error::Usage`] without frames or pixels, [`Error::Io`] if `path` cannot be written.
pub fn draw(path: &Path, frames: ArrayView3<f32>) -> Result<()> {
    let (count, rows, columns) = frames.dim();
    if frames.is_empty() {
        return Err(Error::usage(format!(
            "frames to draw: {count}x{rows}x{columns}, expected at least one of each"
        )));
    }
    let height = (PANEL * rows as f32 / columns as f32).max(40.0);
    let width = GAP + count as f32 * (PANEL + GAP) - GAP + RIGHT;
    let mut canvas = Canvas::new(width, TOP + height + BOTTOM)?;
    let colours = Colours::covering(ColourMap::Inferno, frames.iter());
    let at = ((width - RIGHT + GAP) / 2.0, 22.0);
    canvas.text(at, "Input frames", text(TITLE, Anchor::Middle, false));
    let mut last = ((0.0, 0.0), (0.0, 0.0));
    for (index, frame) in frames.axis_iter(Axis(0)).enumerate() {
        let left = GAP + index as f32 * (PANEL + GAP);
        last = ((left, TOP), (left + PANEL, TOP + height));
        let axes = image_axes(last, (rows, columns), 1);
        cells(&mut canvas, &axes, frame, 1, colours);
        axes.frame(&mut canvas);
        axes.panel_title(&mut canvas, &name(index, count));
    }
    colour_bar(&mut canvas, last, 14.0, colours, "counts");
    canvas.save(path)
}

/// `frame t−2` … `frame t+2`.
fn name(index: usize, count: usize) -> String {
    let middle = count / 2;
    match index.cmp(&middle) {
        std::cmp::Ordering::Less => format!("frame t\u{2212}{}", middle - index),
        std::cmp::Ordering::Equal => "frame t".to_owned(),
        std::cmp::Ordering::Greater => format!("frame t+{}", index - middle),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::{check_picture, window};

    #[test]
    fn draws_five_and_seven_frames() {
        for count in [5, 7] {
            let frames = window(count);
            let (width, _) =
                check_picture(&format!("frames-{count}"), |path| draw(path, frames.view()));
            assert_eq!(width, 100 + 256 * count as u32);
        }
    }

    #[test]
    fn names_count_from_the_middle() {
        let names: Vec<_> = (0..5).map(|index| name(index, 5)).collect();
        assert_eq!(names[0], "frame t\u{2212}2");
        assert_eq!(names[2], "frame t");
        assert_eq!(names[4], "frame t+2");
    }

    #[test]
    fn no_frames_is_an_error() {
        let none = ndarray::Array3::<f32>::zeros((0, 11, 11));
        let scratch = tempfile::tempdir().unwrap();
        assert!(draw(&scratch.path().join("a.png"), none.view()).is_err());
    }
}
