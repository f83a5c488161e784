//! Gallery: one row per sequence with input, network map and result.

use std::path::Path;

use derefnet_core::physics::RATIO;
use ndarray::ArrayView2;

use super::axes::text;
use super::canvas::{Anchor, Canvas, Point};
use super::heat::{Colours, cells, colour_bar, image_axes};
use super::overlay::{Overlay, legend_entries, panel};
use super::style::{ColourMap, LABEL, TITLE};
use super::{Mark, Series};
use crate::{Error, Result};

/// One row of the gallery.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Name of the sequence.
    pub name: &'a str,
    /// Middle frame, `(rows, columns)` in counts.
    pub frame: ArrayView2<'a, f32>,
    /// Network map, three cells per pixel and axis, in counts.
    pub map: ArrayView2<'a, f32>,
    /// True targets.
    pub truth: &'a [Mark],
    /// What was found.
    pub detections: &'a [Mark],
}

const PANEL: f32 = 230.0;
const LEFT: f32 = 74.0;
const TOP: f32 = 96.0;
/// From the left end of a panel to that of the next: colour bar, its numbers, axis numbers.
const ACROSS: f32 = PANEL + 166.0;
const DOWN: f32 = PANEL + 96.0;
const LEGEND: f32 = 22.0;

/// Draws one row per sequence.
///
/// # Errors
///
/// [`Error::Usage`] without rows or with an empty picture, [`Error::Io`] if `path` cannot be
/// written.
pub fn draw(path: &Path, rows: &[Row], title: &str) -> Result<()> {
    if rows.is_empty()
        || rows
            .iter()
            .any(|row| row.frame.is_empty() || row.map.is_empty())
    {
        return Err(Error::usage("gallery: no sequences, or one without pixels"));
    }
    let width = LEFT + 2.0 * ACROSS + PANEL + 24.0;
    let mut canvas = Canvas::new(width, TOP + DOWN * rows.len() as f32 - 20.0)?;
    let at = (width / 2.0, 24.0);
    canvas.text(at, title, text(TITLE, Anchor::Middle, false));
    legend(&mut canvas, rows, width);
    for (index, row) in rows.iter().enumerate() {
        draw_row(&mut canvas, row, TOP + DOWN * index as f32);
    }
    canvas.save(path)
}

fn draw_row(canvas: &mut Canvas, row: &Row, top: f32) {
    let area = |column: usize| -> (Point, Point) {
        let left = LEFT + ACROSS * column as f32;
        ((left, top), (left + PANEL, top + PANEL))
    };
    let pictures = [
        (row.frame, 1, format!("{}: frame t", row.name)),
        (row.map, RATIO, "network map".to_owned()),
    ];
    for (column, (matrix, ratio, name)) in pictures.into_iter().enumerate() {
        let colours = Colours::covering(ColourMap::Inferno, matrix.iter());
        let axes = image_axes(area(column), matrix.dim(), ratio);
        cells(canvas, &axes, matrix, ratio, colours);
        axes.frame(canvas);
        axes.panel_title(canvas, &name);
        colour_bar(canvas, area(column), 12.0, colours, "counts");
    }
    let colours = Colours::covering(ColourMap::Grey, row.frame.iter());
    let series = [found(row)];
    let axes = panel(canvas, area(2), &overlay(row, &series), colours, 0.8);
    axes.frame(canvas);
    axes.panel_title(canvas, "targets found");
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

/// Symbols of the third column, in one line under the title.
fn legend(canvas: &mut Canvas, rows: &[Row], width: f32) {
    // The row that shows most symbols speaks for all.
    let counts = rows.iter().map(|row| {
        let series = [found(row)];
        legend_entries(&overlay(row, &series))
    });
    let Some(entries) = counts.max_by_key(Vec::len) else {
        return;
    };
    let names = ["truth", "found", "95 % region of a detection"];
    let widths = names.map(|name| LEGEND + canvas.text_width(name, LABEL) + 30.0);
    let total: f32 = widths[..entries.len()].iter().sum();
    let mut x = (width - total + 30.0) / 2.0;
    for (((symbol, _), name), wide) in entries.iter().zip(names).zip(widths) {
        symbol.draw(canvas, (x, 54.0), 0.8);
        let at = (x + LEGEND, 54.0);
        canvas.text(at, name, text(LABEL, Anchor::Start, false));
        x += wide;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::{answer, check_picture, detections, truth, window};
    use ndarray::Axis;

    #[test]
    fn draws_two_sequences() {
        let (frames, map, truth, found) = (window(5), answer(), truth(), detections());
        let row = |name| Row {
            name,
            frame: frames.index_axis(Axis(0), 2),
            map: map.view(),
            truth: &truth,
            detections: &found,
        };
        let rows = [row("sequence 17"), row("sequence 18")];
        let size = check_picture("sequence", |path| draw(path, &rows, "Held-out sequences"));
        assert_eq!(size, (1120, 728));
    }

    #[test]
    fn no_rows_is_an_error() {
        let scratch = tempfile::tempdir().unwrap();
        assert!(draw(&scratch.path().join("a.png"), &[], "").is_err());
    }
}
