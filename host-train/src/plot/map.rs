//! The network's high-resolution answer.

use std::path::Path;

use derefnet_core::physics::RATIO;
use ndarray::ArrayView2;

use super::canvas::Canvas;
use super::heat::{Colours, cells, colour_bar, image_axes};
use super::style::ColourMap;
use crate::{Error, Result};

const SIDE: f32 = 528.0;
const LEFT: f32 = 74.0;
const TOP: f32 = 48.0;
const BOTTOM: f32 = 58.0;
const RIGHT: f32 = 110.0;

/// Draws `map`, `(3·rows, 3·columns)` in counts, on axes in low-resolution pixels.
///
/// # Errors
///
/// [`Error::Usage`] without cells, [`Error::Io`] if `path` cannot be written.
pub fn draw(path: &Path, map: ArrayView2<f32>, title: &str) -> Result<()> {
    let (rows, columns) = map.dim();
    if map.is_empty() {
        return Err(Error::usage(format!("map to draw: {rows}x{columns} cells")));
    }
    let height = (SIDE * rows as f32 / columns as f32).max(80.0);
    let mut canvas = Canvas::new(LEFT + SIDE + RIGHT, TOP + height + BOTTOM)?;
    let area = ((LEFT, TOP), (LEFT + SIDE, TOP + height));
    let colours = Colours::covering(ColourMap::Inferno, map.iter());
    let axes = image_axes(area, (rows, columns), RATIO);
    cells(&mut canvas, &axes, map, RATIO, colours);
    axes.frame(&mut canvas);
    axes.title(&mut canvas, title);
    colour_bar(&mut canvas, area, 16.0, colours, "counts");
    canvas.save(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::{answer, check_picture, decode};

    #[test]
    fn draws_a_map() {
        let map = answer();
        let size = check_picture("map", |path| draw(path, map.view(), "Network map"));
        assert_eq!(size, (712, 634));
    }

    #[test]
    fn rows_go_down_and_columns_go_right() {
        let mut map = ndarray::Array2::<f32>::zeros((33, 33));
        map[(4, 25)] = 100.0;
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("map.png");
        draw(&path, map.view(), "").unwrap();
        let ((width, _), pixels) = decode(&path);
        // Cells are 16 pixels wide; the figure's margins are LEFT and TOP.
        let colour = |row: u32, column: u32| {
            let (x, y) = (LEFT as u32 + 16 * column + 8, TOP as u32 + 16 * row + 8);
            let start = 3 * (y * width + x) as usize;
            [pixels[start], pixels[start + 1], pixels[start + 2]]
        };
        assert_eq!(colour(4, 25), ColourMap::Inferno.at(1.0));
        assert_eq!(colour(25, 4), ColourMap::Inferno.at(0.0));
        assert_eq!(colour(28, 25), ColourMap::Inferno.at(0.0));
    }

    #[test]
    fn missing_values_do_not_stop_it() {
        let mut map = answer();
        map[(3, 4)] = f32::NAN;
        check_picture("map-nan", |path| draw(path, map.view(), "One cell missing"));
    }
}
