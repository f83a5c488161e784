//! Truth and detections over the middle frame.

use std::path::Path;

use ndarray::ArrayView2;

use super::axes::{Axes, Axis, text};
use super::canvas::{Anchor, Canvas, Pen, Point};
use super::heat::{Colours, cells, colour_bar};
use super::style::{BLUE, ColourMap, INK, LABEL, Rgb, SMALL, VERMILION, WHITE};
use super::{Mark, Series};
use crate::{Error, Result};

/// Everything that one overlay shows.
#[derive(Clone, Copy, Debug)]
pub struct Overlay<'a> {
    /// Heading.
    pub title: &'a str,
    /// Counts of the middle frame, `(rows, columns)`.
    pub frame: ArrayView2<'a, f32>,
    /// True targets, drawn as oblique crosses.
    pub truth: &'a [Mark],
    /// Detections of one or two readouts: dots with their 95 % ellipses where they have uncertainty,
    /// else upright crosses.
    pub series: &'a [Series<'a>],
}

const SIDE: f32 = 560.0;
const LEFT: f32 = 80.0;
const TOP: f32 = 48.0;
const LEGEND: f32 = 32.0;
const RIGHT: f32 = 110.0;

/// Radius of a 95 % region of two normal variables, in standard deviations: √5.991.
const RADIUS_95: f64 = 2.447_746_830_680_816;

/// Colours of the series.
const LOOKS: [Rgb; 2] = [VERMILION, BLUE];

/// What stands for a true target.
pub(super) const TRUTH: Symbol = Symbol::Cross(INK, 45.0);

/// What stands for an answer.
fn answer(mark: Option<&Mark>, colour: Rgb) -> Symbol {
    match mark.and_then(|mark| mark.sigma) {
        Some(_) => Symbol::Dot(colour),
        None => Symbol::Cross(colour, 0.0),
    }
}

/// Draws the overlay, zoomed on the targets.
///
/// # Errors
///
/// [`Error::Usage`] without pixels or with more than two series, [`Error::Io`] if `path` cannot be
/// written.
pub fn draw(path: &Path, overlay: &Overlay) -> Result<()> {
    if overlay.frame.is_empty() || overlay.series.len() > LOOKS.len() {
        return Err(Error::usage(format!(
            "overlay: {} pixels and {} series, expected some and at most {}",
            overlay.frame.len(),
            overlay.series.len(),
            LOOKS.len()
        )));
    }
    let entries = legend_entries(overlay);
    let bottom = 70.0 + LEGEND * entries.len() as f32;
    let mut canvas = Canvas::new(LEFT + SIDE + RIGHT, TOP + SIDE + bottom)?;
    let area = ((LEFT, TOP), (LEFT + SIDE, TOP + SIDE));
    let colours = Colours::covering(ColourMap::Grey, overlay.frame.iter());
    let axes = panel(&mut canvas, area, overlay, colours);
    axes.frame(&mut canvas);
    axes.title(&mut canvas, overlay.title);
    scale_bar(&mut canvas, &axes);
    colour_bar(&mut canvas, area, 16.0, colours, "counts");
    for (row, (symbol, name)) in entries.iter().enumerate() {
        let y = TOP + SIDE + 70.0 + LEGEND * row as f32;
        symbol.draw(&mut canvas, (LEFT + 16.0, y), 1.0);
        let at = (LEFT + 40.0, y);
        canvas.text(at, name, text(LABEL, Anchor::Start, false));
    }
    canvas.save(path)
}

/// Background, truth and detections in `area`.
fn panel(
    canvas: &mut Canvas,
    area: (Point, Point),
    overlay: &Overlay,
    colours: Colours,
) -> Axes<'static> {
    let (rows, columns) = zoom(overlay, 0.4);
    let axes = Axes {
        area,
        horizontal: Axis::linear(columns, "y (column), px"),
        vertical: Axis::linear((rows.1, rows.0), "x (row), px"),
    };
    cells(canvas, &axes, overlay.frame, 1, colours);
    canvas.clip(Some(area));
    marks(canvas, &axes, overlay, 1.0);
    canvas.clip(None);
    axes
}

/// Truth below, then ellipses, which may be smaller than its symbol, then answers.
pub(super) fn marks(canvas: &mut Canvas, axes: &Axes, overlay: &Overlay, size: f32) {
    let answers = || {
        let series = overlay.series.iter().zip(LOOKS);
        series.flat_map(|(series, colour)| {
            let marks = series.marks.iter().filter(finite);
            marks.map(move |mark| (mark, colour))
        })
    };
    for mark in overlay.truth.iter().filter(finite) {
        TRUTH.draw(canvas, axes.at(mark.y, mark.x), size);
    }
    for (mark, colour) in answers() {
        ellipse(canvas, axes, mark, colour, size);
    }
    for (mark, colour) in answers() {
        answer(Some(mark), colour).draw(canvas, axes.at(mark.y, mark.x), size);
    }
}

pub(super) fn finite(mark: &&Mark) -> bool {
    mark.x.is_finite() && mark.y.is_finite()
}

/// Square region that holds every mark with `room` pixels around, as (rows, columns).
///
/// Without marks it is the whole frame. It never leaves the frame, but for what it takes to be
/// square.
pub(super) fn zoom(overlay: &Overlay, room: f64) -> ((f64, f64), (f64, f64)) {
    let marks = || {
        let found = overlay.series.iter().flat_map(|series| series.marks);
        overlay.truth.iter().chain(found).filter(finite)
    };
    let sides = overlay.frame.dim();
    let whole = |side: usize| (-0.5, side as f64 - 0.5);
    let (rows, columns) = (whole(sides.0), whole(sides.1));
    let span = |values: &mut dyn Iterator<Item = f64>, whole: (f64, f64)| {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            whole
        } else {
            ((low - room).max(whole.0), (high + room).min(whole.1))
        }
    };
    let rows = span(&mut marks().map(|mark| mark.x), rows);
    let columns = span(&mut marks().map(|mark| mark.y), columns);
    let least = 0.4 + 2.0 * room;
    let side = (rows.1 - rows.0).max(columns.1 - columns.0).max(least);
    let square = |(low, high): (f64, f64)| {
        let middle = (low + high) / 2.0;
        (middle - side / 2.0, middle + side / 2.0)
    };
    (square(rows), square(columns))
}

/// 95 % region of a detection with known uncertainty.
pub(super) fn ellipse(canvas: &mut Canvas, axes: &Axes, mark: &Mark, colour: Rgb, size: f32) {
    let Some([sigma_x, sigma_y, correlation]) = mark.sigma else {
        return;
    };
    let rest = (1.0 - correlation * correlation).max(0.0).sqrt();
    let points: Vec<Point> = (0..72)
        .map(|step| {
            let (sin, cos) = (f64::from(step) * std::f64::consts::TAU / 72.0).sin_cos();
            let x = mark.x + RADIUS_95 * sigma_x * cos;
            let y = mark.y + RADIUS_95 * sigma_y * (correlation * cos + rest * sin);
            axes.at(y, x)
        })
        .collect();
    if points.iter().all(|(x, y)| x.is_finite() && y.is_finite()) {
        canvas.polygon(&points, Pen::new(WHITE, 3.6 * size));
        canvas.polygon(&points, Pen::new(colour, 1.8 * size));
    }
}

/// What stands for a target or a detection, here and in the legend.
#[derive(Clone, Copy, Debug)]
pub(super) enum Symbol {
    /// Colour and angle in degrees from upright.
    Cross(Rgb, f64),
    Dot(Rgb),
    Ellipse(Rgb),
}

impl Symbol {
    /// Draws it with a light rim, so that it shows on any grey.
    pub(super) fn draw(self, canvas: &mut Canvas, (x, y): Point, size: f32) {
        match self {
            Self::Cross(colour, angle) => {
                for (rim, pen) in [
                    (1.4, Pen::new(WHITE, 5.2 * size)),
                    (0.0, Pen::new(colour, 2.8 * size)),
                ] {
                    for turn in [angle, angle + 90.0] {
                        let (sin, cos) = turn.to_radians().sin_cos();
                        let arm = (8.0 + rim) * size;
                        let (across, up) = (arm * sin as f32, arm * cos as f32);
                        canvas.line(&[(x - across, y - up), (x + across, y + up)], pen);
                    }
                }
            }
            Self::Dot(colour) => {
                canvas.disc((x, y), 3.8 * size, WHITE);
                canvas.disc((x, y), 2.8 * size, colour);
            }
            Self::Ellipse(colour) => {
                let points: Vec<Point> = (0..36)
                    .map(|step| {
                        let (sin, cos) = (step as f32 * std::f32::consts::TAU / 36.0).sin_cos();
                        (x + 13.0 * size * cos, y + 7.0 * size * sin)
                    })
                    .collect();
                canvas.polygon(&points, Pen::new(colour, 1.8 * size));
            }
        }
    }
}

/// Name of an ellipse.
pub(super) const REGION: &str = "95 % region of its position";

/// Room for a symbol in a line of them, pixels.
const SYMBOL: f32 = 34.0;
/// Between the entries of the line.
const APART: f32 = 30.0;

/// Symbols with their names in one line around `at`.
pub(super) fn legend_line(canvas: &mut Canvas, entries: &[(Symbol, &str)], at: Point) {
    let width = |canvas: &Canvas, name: &str| SYMBOL + canvas.text_width(name, LABEL) + APART;
    let total: f32 = entries.iter().map(|(_, name)| width(canvas, name)).sum();
    let mut x = at.0 - (total - APART) / 2.0;
    for (symbol, name) in entries {
        symbol.draw(canvas, (x + 14.0, at.1), 1.0);
        let place = (x + SYMBOL, at.1);
        canvas.text(place, name, text(LABEL, Anchor::Start, false));
        x += width(canvas, name);
    }
}

/// Symbols with their names, for what the overlay really shows.
fn legend_entries(overlay: &Overlay) -> Vec<(Symbol, String)> {
    let mut entries = Vec::new();
    if !overlay.truth.is_empty() {
        entries.push((TRUTH, format!("truth ({})", overlay.truth.len())));
    }
    for (series, colour) in overlay.series.iter().zip(LOOKS) {
        let name = format!("{} ({})", series.name, series.marks.len());
        entries.push((answer(series.marks.first(), colour), name));
        if series.marks.iter().any(|mark| mark.sigma.is_some()) {
            entries.push((Symbol::Ellipse(colour), REGION.to_owned()));
        }
    }
    entries
}

/// Bar of a round length in the left bottom corner, on its own ground.
pub(super) fn scale_bar(canvas: &mut Canvas, axes: &Axes) {
    let ((left, _), (right, bottom)) = axes.area;
    let (low, high) = axes.horizontal.range;
    let length = match high - low {
        span if span < 3.0 => 0.2,
        span if span < 6.0 => 0.5,
        _ => 1.0,
    };
    let pixels = (length / (high - low)) as f32 * (right - left);
    let name = format!("{length} px");
    let wide = pixels.max(canvas.text_width(&name, SMALL)) + 20.0;
    let ground = (
        (left + 8.0, bottom - 46.0),
        (left + 8.0 + wide, bottom - 8.0),
    );
    canvas.fill_rect(ground, WHITE);
    canvas.outline_rect(ground, Pen::new(INK, 1.0));
    let middle = left + 8.0 + wide / 2.0;
    let (from, to) = (middle - pixels / 2.0, middle + pixels / 2.0);
    canvas.line(
        &[(from, bottom - 18.0), (to, bottom - 18.0)],
        Pen::new(INK, 3.0),
    );
    let at = (middle, bottom - 34.0);
    canvas.text(at, &name, text(SMALL, Anchor::Middle, false));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::{check_picture, detections, truth, window};
    use ndarray::Axis;

    #[test]
    fn draws_truth_and_two_readouts() {
        let frames = window(5);
        let (truth, off_grid, grid) = (truth(), detections(), crate::plot::testing::grid_readout());
        let series = [
            Series {
                name: "off-grid",
                marks: &off_grid,
            },
            Series {
                name: "grid cells",
                marks: &grid,
            },
        ];
        let overlay = Overlay {
            title: "Targets found in frame t",
            frame: frames.index_axis(Axis(0), 2),
            truth: &truth,
            series: &series,
        };
        let size = check_picture("overlay", |path| draw(path, &overlay));
        assert_eq!(size, (750, 806));
    }

    #[test]
    fn draws_an_empty_scene_and_broken_marks() {
        let frames = window(5);
        let broken = [Mark {
            x: f64::NAN,
            y: 2.0,
            score: 1.0,
            sigma: None,
        }];
        let series = [Series {
            name: "none",
            marks: &broken,
        }];
        let overlay = Overlay {
            title: "Nothing found",
            frame: frames.index_axis(Axis(0), 2),
            truth: &[],
            series: &series,
        };
        check_picture("overlay-empty", |path| draw(path, &overlay));
        assert_eq!(zoom(&overlay, 0.6), ((-0.5, 10.5), (-0.5, 10.5)));
    }

    #[test]
    fn zoom_is_square_and_holds_all_marks() {
        let frames = window(5);
        let (truth, found) = (truth(), detections());
        let series = [Series {
            name: "off-grid",
            marks: &found,
        }];
        let overlay = Overlay {
            title: "",
            frame: frames.index_axis(Axis(0), 2),
            truth: &truth,
            series: &series,
        };
        let (rows, columns) = zoom(&overlay, 0.6);
        assert!((rows.1 - rows.0 - (columns.1 - columns.0)).abs() < 1e-12);
        for mark in truth.iter().chain(&found) {
            assert!((rows.0..rows.1).contains(&mark.x));
            assert!((columns.0..columns.1).contains(&mark.y));
        }
    }
}
