//! Answers with their uncertainty over the middle frame, close up.

use std::path::Path;

use ndarray::ArrayView2;

use super::axes::{Axes, Axis, text};
use super::canvas::{Anchor, Canvas, Point};
use super::heat::{Colours, cells, colour_bar};
use super::overlay::{Overlay, REGION, Symbol, TRUTH, legend_line, marks, scale_bar, zoom};
use super::style::{ColourMap, TITLE, VERMILION};
use super::{Mark, Series};
use crate::{Error, Result};

/// One close-up.
#[derive(Clone, Copy, Debug)]
pub struct Panel<'a> {
    /// Heading.
    pub title: &'a str,
    /// Counts of the middle frame, `(rows, columns)`.
    pub frame: ArrayView2<'a, f32>,
    /// True targets, drawn as crosses.
    pub truth: &'a [Mark],
    /// Answers, drawn as dots with the ellipse of 95 % where they have uncertainty.
    pub found: &'a [Mark],
}

const SIDE: f32 = 340.0;
const LEFT: f32 = 80.0;
const TOP: f32 = 84.0;
const BOTTOM: f32 = 106.0;
/// From the right end of a panel to the left end of the next.
const BETWEEN: f32 = 84.0;
const RIGHT: f32 = 110.0;
/// Pixels of the frame around the outermost marks.
const ROOM: f64 = 0.3;

/// Draws the panels side by side with one range of greys.
///
/// # Errors
///
/// [`Error::Usage`] without panels or with an empty frame, [`Error::Io`] if `path` cannot be
/// written.
pub fn draw(path: &Path, panels: &[Panel], title: &str) -> Result<()> {
    if panels.is_empty() || panels.iter().any(|panel| panel.frame.is_empty()) {
        return Err(Error::usage("ellipses: no panels, or one without pixels"));
    }
    let across = panels.len() as f32 * (SIDE + BETWEEN) - BETWEEN;
    let mut canvas = Canvas::new(LEFT + across + RIGHT, TOP + SIDE + BOTTOM)?;
    let middle = LEFT + across / 2.0;
    canvas.text((middle, 24.0), title, text(TITLE, Anchor::Middle, false));
    let counts = panels.iter().flat_map(|panel| panel.frame);
    let colours = Colours::covering(ColourMap::Grey, counts);
    let mut area = ((0.0, 0.0), (0.0, 0.0));
    for (index, panel) in panels.iter().enumerate() {
        let left = LEFT + index as f32 * (SIDE + BETWEEN);
        area = ((left, TOP), (left + SIDE, TOP + SIDE));
        draw_panel(&mut canvas, area, panel, colours);
    }
    colour_bar(&mut canvas, area, 16.0, colours, "counts");
    legend(&mut canvas, middle);
    canvas.save(path)
}

fn draw_panel(canvas: &mut Canvas, area: (Point, Point), panel: &Panel, colours: Colours) {
    let series = [Series {
        name: "",
        marks: panel.found,
    }];
    let overlay = Overlay {
        title: panel.title,
        frame: panel.frame.reborrow(),
        truth: panel.truth,
        series: &series,
    };
    let (rows, columns) = zoom(&overlay, ROOM);
    let axes = Axes {
        area,
        horizontal: Axis::linear(columns, "y (column), px"),
        vertical: Axis::linear((rows.1, rows.0), "x (row), px"),
    };
    cells(canvas, &axes, panel.frame, 1, colours);
    canvas.clip(Some(area));
    marks(canvas, &axes, &overlay, 1.0);
    canvas.clip(None);
    axes.frame(canvas);
    axes.panel_title(canvas, panel.title);
    scale_bar(canvas, &axes);
}

/// The symbols in one line below the panels.
fn legend(canvas: &mut Canvas, middle: f32) {
    let entries = [
        (TRUTH, "truth"),
        (Symbol::Dot(VERMILION), "answer"),
        (Symbol::Ellipse(VERMILION), REGION),
    ];
    legend_line(canvas, &entries, (middle, TOP + SIDE + BOTTOM - 24.0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::{check_picture, detections, truth, window};
    use ndarray::Axis;

    #[test]
    fn draws_three_panels() {
        let (frames, truth, found) = (window(5), truth(), detections());
        let scaled = |factor: f64| -> Vec<Mark> {
            let shrunk = |(mark, target): (&Mark, &Mark)| Mark {
                x: target.x + factor * (mark.x - target.x),
                y: target.y + factor * (mark.y - target.y),
                sigma: mark.sigma.map(|[a, b, r]| [factor * a, factor * b, r]),
                ..*mark
            };
            found.iter().zip(&truth).map(shrunk).collect()
        };
        let answers = [0.1, 0.5, 1.5].map(scaled);
        let titles = ["integer counts", "noise \u{3c3} = 2", "noise \u{3c3} = 5"];
        let panels: Vec<Panel> = titles
            .iter()
            .zip(&answers)
            .map(|(title, found)| Panel {
                title,
                frame: frames.index_axis(Axis(0), 2),
                truth: &truth,
                found,
            })
            .collect();
        let size = check_picture("ellipses", |path| {
            draw(
                path,
                &panels,
                "Targets off the grid, with their uncertainty",
            )
        });
        assert_eq!(size, (1378, 530));
    }

    #[test]
    fn draws_one_panel_without_answers_and_refuses_none() {
        let (frames, truth) = (window(5), truth());
        let panel = Panel {
            title: "nothing found",
            frame: frames.index_axis(Axis(0), 2),
            truth: &truth,
            found: &[],
        };
        let size = check_picture("ellipses-one", |path| draw(path, &[panel], "One window"));
        assert_eq!(size, (530, 530));
        let scratch = tempfile::tempdir().unwrap();
        assert!(draw(&scratch.path().join("a.png"), &[], "").is_err());
    }
}
