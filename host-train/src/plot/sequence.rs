//! Gallery: one row per sequence with the blob, the network's map and the targets close up.

use std::path::Path;

use derefnet_core::physics::RATIO;
use ndarray::ArrayView2;

use super::axes::{Axes, Axis, text};
use super::canvas::{Anchor, Canvas, Pen, Point};
use super::heat::{Colours, cells, image_axes};
use super::overlay::{Overlay, REGION, Symbol, TRUTH, legend_line, marks, zoom};
use super::style::{ColourMap, TITLE, VERMILION, WHITE};
use super::{Mark, Series};
use crate::{Error, Result};

/// One row of the gallery.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Name of the sequence or of its frame.
    pub name: &'a str,
    /// Middle frame, `(rows, columns)` in counts.
    pub frame: ArrayView2<'a, f32>,
    /// Row and column of the frame's first pixel: the axes count from there on.
    pub origin: [usize; 2],
    /// Network map, three cells per pixel and axis, in counts; either every row has one or none.
    pub map: Option<ArrayView2<'a, f32>>,
    /// True targets, in pixels from the frame's first.
    pub truth: &'a [Mark],
    /// What was found, in the same pixels.
    pub detections: &'a [Mark],
}

/// Dots per pixel of the layout: a gallery is often shown at half its size.
const SCALE: f32 = 2.0;
const LEFT: f32 = 66.0;
const RIGHT: f32 = 20.0;
const TOP: f32 = 68.0;
const BOTTOM: f32 = 86.0;
/// From the right end of a panel to the left end of the next, and from its bottom to the next top.
const GAP: (f32, f32) = (46.0, 60.0);
/// Pixels of the frame around the outermost marks.
const ROOM: f64 = 0.25;
/// Of the symbols.
const SIZE: f32 = 0.6;

/// Draws one row per sequence; a single row is drawn larger.
///
/// # Errors
///
/// [`Error::Usage`] without rows or with an empty picture, [`Error::Io`] if `path` cannot be
/// written.
pub fn draw(path: &Path, rows: &[Row], title: &str) -> Result<()> {
    let empty = |row: &Row| row.frame.is_empty() || row.map.is_some_and(|map| map.is_empty());
    if rows.is_empty() || rows.iter().any(empty) {
        return Err(Error::usage("gallery: no sequences, or one without pixels"));
    }
    let layout = Layout::of(rows);
    let (width, height) = layout.size();
    let mut canvas = Canvas::scaled(width, height, SCALE)?;
    let at = (width / 2.0, 24.0);
    canvas.text(at, title, text(TITLE, Anchor::Middle, false));
    for (index, row) in rows.iter().enumerate() {
        draw_row(&mut canvas, row, index, &layout);
    }
    legend(&mut canvas, rows, (width / 2.0, height - 18.0));
    canvas.save(path)
}

/// Where the panels lie.
struct Layout {
    rows: usize,
    columns: usize,
    side: f32,
}

impl Layout {
    fn of(rows: &[Row]) -> Self {
        let mapped = rows.iter().any(|row| row.map.is_some());
        Self {
            rows: rows.len(),
            columns: if mapped { 3 } else { 2 },
            side: if rows.len() > 1 { 200.0 } else { 340.0 },
        }
    }

    fn size(&self) -> (f32, f32) {
        let (columns, rows) = (self.columns as f32, self.rows as f32);
        (
            LEFT + columns * (self.side + GAP.0) - GAP.0 + RIGHT,
            TOP + rows * (self.side + GAP.1) - GAP.1 + BOTTOM,
        )
    }

    fn area(&self, row: usize, column: usize) -> (Point, Point) {
        let left = LEFT + column as f32 * (self.side + GAP.0);
        let top = TOP + row as f32 * (self.side + GAP.1);
        ((left, top), (left + self.side, top + self.side))
    }

    /// Numbers along the axes in pixels of the whole picture; their names at the left and bottom
    /// ends of the gallery alone.
    fn frame(&self, canvas: &mut Canvas, axes: &Axes, origin: [usize; 2], place: (usize, usize)) {
        let moved = |axis: &Axis, by: usize| (axis.range.0 + by as f64, axis.range.1 + by as f64);
        let (bottom, left) = (place.0 + 1 == self.rows, place.1 == 0);
        let named = |here: bool, name: &'static str| if here { name } else { "" };
        let axes = Axes {
            area: axes.area,
            horizontal: Axis::linear(
                moved(&axes.horizontal, origin[1]),
                named(bottom, "y (column), px"),
            ),
            vertical: Axis::linear(moved(&axes.vertical, origin[0]), named(left, "x (row), px")),
        };
        axes.frame(canvas);
    }
}

fn draw_row(canvas: &mut Canvas, row: &Row, index: usize, layout: &Layout) {
    let series = [found(row)];
    let overlay = overlay(row, &series);
    let (rows, columns) = zoom(&overlay, ROOM);
    let pictures = [
        Some((row.frame, 1, row.name)),
        row.map.map(|map| (map, RATIO, "map")),
    ];
    for (column, (matrix, ratio, name)) in pictures.into_iter().flatten().enumerate() {
        let colours = Colours::covering(ColourMap::Inferno, matrix.iter());
        let axes = image_axes(layout.area(index, column), matrix.dim(), ratio);
        cells(canvas, &axes, matrix, ratio, colours);
        canvas.outline_rect(
            (axes.at(columns.0, rows.0), axes.at(columns.1, rows.1)),
            Pen::new(WHITE, 1.2),
        );
        layout.frame(canvas, &axes, row.origin, (index, column));
        let (low, high) = (colours.low, colours.high);
        axes.panel_title(canvas, &format!("{name}, {low:.0} to {high:.0} counts"));
    }
    let column = layout.columns - 1;
    let axes = Axes {
        area: layout.area(index, column),
        horizontal: Axis::linear(columns, ""),
        vertical: Axis::linear((rows.1, rows.0), ""),
    };
    close_up(canvas, &axes, &overlay);
    layout.frame(canvas, &axes, row.origin, (index, column));
    axes.panel_title(canvas, &count(row));
}

fn close_up(canvas: &mut Canvas, axes: &Axes, overlay: &Overlay) {
    let colours = Colours::covering(ColourMap::Grey, overlay.frame.iter());
    cells(canvas, axes, overlay.frame, 1, colours);
    canvas.clip(Some(axes.area));
    marks(canvas, axes, overlay, SIZE);
    canvas.clip(None);
}

/// `3 targets, 3 found`, as much of it as is known.
fn count(row: &Row) -> String {
    let found = format!("{} found", row.detections.len());
    match row.truth.len() {
        0 => found,
        1 => format!("1 target, {found}"),
        targets => format!("{targets} targets, {found}"),
    }
}

fn found<'a>(row: &'a Row) -> Series<'a> {
    Series {
        name: "found",
        marks: row.detections,
    }
}

fn overlay<'a>(row: &'a Row, series: &'a [Series<'a>]) -> Overlay<'a> {
    Overlay {
        title: row.name,
        frame: row.frame.reborrow(),
        truth: row.truth,
        series,
    }
}

/// Symbols of the last column, in one line around `at`.
fn legend(canvas: &mut Canvas, rows: &[Row], at: Point) {
    let mut entries = Vec::new();
    if rows.iter().any(|row| !row.truth.is_empty()) {
        entries.push((TRUTH, "truth"));
    }
    let mut marks = rows.iter().flat_map(|row| row.detections);
    if marks.clone().any(|mark| mark.sigma.is_some()) {
        entries.push((Symbol::Dot(VERMILION), "found"));
        entries.push((Symbol::Ellipse(VERMILION), REGION));
    } else if marks.next().is_some() {
        entries.push((Symbol::Cross(VERMILION, 0.0), "found"));
    }
    legend_line(canvas, &entries, at);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::{answer, check_picture, detections, grid_readout, truth, window};
    use ndarray::Axis;

    #[test]
    fn draws_two_sequences() {
        let (frames, map, truth) = (window(5), answer(), truth());
        let found = [detections(), grid_readout()];
        let row = |name, found| Row {
            name,
            frame: frames.index_axis(Axis(0), 2),
            origin: [0, 0],
            map: Some(map.view()),
            truth: &truth,
            detections: found,
        };
        let rows = [row("frame 17", &found[0]), row("frame 18", &found[1])];
        let size = check_picture("sequence", |path| draw(path, &rows, "Held-out sequences"));
        assert_eq!(size, (1556, 1228));
    }

    #[test]
    fn draws_one_frame_without_map_or_truth() {
        let (frames, found) = (window(5), detections());
        let row = Row {
            name: "frame 9",
            frame: frames.index_axis(Axis(0), 2),
            origin: [120, 340],
            map: None,
            truth: &[],
            detections: &found,
        };
        let size = check_picture("sequence-one", |path| draw(path, &[row], "frames"));
        assert_eq!(size, (1624, 988));
        let nothing = Row {
            detections: &[],
            ..row
        };
        check_picture("sequence-none", |path| draw(path, &[nothing], "frames"));
    }

    #[test]
    fn no_rows_is_an_error() {
        let scratch = tempfile::tempdir().unwrap();
        assert!(draw(&scratch.path().join("a.png"), &[], "").is_err());
    }
}
