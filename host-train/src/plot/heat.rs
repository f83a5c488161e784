//! A matrix as coloured cells, and the colour bar beside it.

use ndarray::ArrayView2;

use super::axes::{Axes, Axis, text};
use super::canvas::{Anchor, Canvas, Pen, Point};
use super::style::{COLOUR_BAR, ColourMap, FRAME_WIDTH, INK, LABEL, SMALL};

/// Colour range of a figure.
#[derive(Clone, Copy, Debug)]
pub struct Colours {
    pub map: ColourMap,
    pub low: f64,
    pub high: f64,
}

impl Colours {
    /// Covers all finite `values`; never empty.
    pub fn covering<'a>(map: ColourMap, values: impl IntoIterator<Item = &'a f32>) -> Self {
        let finite = values.into_iter().filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| {
            (low.min(value.into()), high.max(value.into()))
        });
        if low > high {
            return Self {
                map,
                low: 0.0,
                high: 1.0,
            };
        }
        // A constant picture still needs a range to divide by.
        let least = 1e-6 * low.abs().max(1e-6);
        Self {
            map,
            low,
            high: high.max(low + least),
        }
    }

    fn share(&self, value: f64) -> f64 {
        if value.is_finite() {
            (value - self.low) / (self.high - self.low)
        } else {
            f64::NAN
        }
    }
}

/// Axes over all of a `(rows, columns)` matrix with `ratio` cells per low-resolution pixel.
pub fn image_axes<'a>(area: (Point, Point), shape: (usize, usize), ratio: usize) -> Axes<'a> {
    let (rows, columns) = (extent(shape.0, ratio), extent(shape.1, ratio));
    Axes {
        area,
        horizontal: Axis::linear(columns, "y (column), px"),
        // Rows count downwards.
        vertical: Axis::linear((rows.1, rows.0), "x (row), px"),
    }
}

/// Outer edges of `cells` cells, in low-resolution pixels.
fn extent(cells: usize, ratio: usize) -> (f64, f64) {
    (-0.5, cells as f64 / ratio as f64 - 0.5)
}

/// Fills the axes with the cells of `matrix`, each where its pixels lie.
pub fn cells(
    canvas: &mut Canvas,
    axes: &Axes,
    matrix: ArrayView2<f32>,
    ratio: usize,
    colours: Colours,
) {
    let edge = |index: usize| index as f64 / ratio as f64 - 0.5;
    canvas.clip(Some(axes.area));
    for ((row, column), &value) in matrix.indexed_iter() {
        let (left, top) = axes.at(edge(column), edge(row));
        let (right, bottom) = axes.at(edge(column + 1), edge(row + 1));
        let area = ((left.round(), top.round()), (right.round(), bottom.round()));
        let share = colours.share(f64::from(value));
        canvas.fill_rect(area, colours.map.at(share));
    }
    canvas.clip(None);
}

/// Colour bar beside `area`, as high as it, `gap` pixels to its right.
pub fn colour_bar(
    canvas: &mut Canvas,
    area: (Point, Point),
    gap: f32,
    colours: Colours,
    label: &str,
) {
    let ((_, top), (right, bottom)) = area;
    let (left, right) = (right + gap, right + gap + COLOUR_BAR);
    let height = bottom - top;
    for step in 0..height as usize {
        let y = bottom - 1.0 - step as f32;
        let share = (step as f64 + 0.5) / f64::from(height);
        canvas.fill_rect(((left, y), (right, y + 1.0)), colours.map.at(share));
    }
    let pen = Pen::new(INK, FRAME_WIDTH);
    canvas.outline_rect(((left, top), (right, bottom)), pen);
    let axis = Axis::linear((colours.low, colours.high), label);
    let ticks = axis.ticks(((height / 50.0) as usize).clamp(2, 8));
    let mut widest = 0.0f32;
    for (&tick, number) in ticks.iter().zip(axis.texts(&ticks)) {
        let y = bottom - height * colours.share(tick) as f32;
        canvas.line(&[(right, y), (right + 5.0, y)], pen);
        canvas.text((right + 8.0, y), &number, text(SMALL, Anchor::Start, false));
        widest = widest.max(canvas.text_width(&number, SMALL));
    }
    let at = (right + 14.0 + widest + LABEL / 2.0, (top + bottom) / 2.0);
    canvas.text(at, label, text(LABEL, Anchor::Middle, true));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_range_survives_constant_and_missing_values() {
        for values in [vec![], vec![f32::NAN], vec![7.0; 4], vec![0.0; 4]] {
            let colours = Colours::covering(ColourMap::Grey, &values);
            assert!(colours.high > colours.low, "{values:?}");
        }
        let colours = Colours::covering(ColourMap::Grey, &[1.0, f32::INFINITY, 3.0]);
        assert_eq!((colours.low, colours.high), (1.0, 3.0));
    }

    #[test]
    fn cell_centres_lie_at_thirds() {
        let axes = image_axes(((0.0, 0.0), (330.0, 330.0)), (33, 33), 3);
        // Cell (1, 1) is centred on pixel 0, cell (16, 16) on pixel 5.
        assert_eq!(axes.at(0.0, 0.0), (15.0, 15.0));
        assert_eq!(axes.at(5.0, 5.0), (165.0, 165.0));
    }
}
