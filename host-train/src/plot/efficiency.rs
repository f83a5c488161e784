//! Errors against the Cramér–Rao bound, by noise level and number of targets.

use std::path::Path;

use super::axes::{Axes, Axis, Scale, text};
use super::canvas::{Anchor, Canvas, Pen, Point, pens};
use super::style::{INK, LABEL, SMALL};
use crate::Result;

/// Errors for one number of targets, in ascending order of noise.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Name in the legend.
    pub name: &'a str,
    /// One entry per noise level.
    pub levels: &'a [Level],
}

/// Errors at one noise level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Standard deviation of the noise, counts.
    pub noise: f64,
    /// Root of the mean trace of the bound, pixels.
    pub bound: f64,
    /// Root mean square distance, pixels.
    pub rmse: f64,
    /// Standard error of `rmse / bound`, where known.
    pub standard_error: Option<f64>,
}

impl Level {
    fn ratio(&self) -> f64 {
        self.rmse / self.bound
    }

    /// Logarithms and quotients need positive numbers.
    fn is_good(&self) -> bool {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        positive(self.bound) && positive(self.rmse) && self.noise.is_finite()
    }
}

const SIDE: f32 = 380.0;
const LEFT: f32 = 90.0;
const TOP: f32 = 48.0;
const BOTTOM: f32 = 60.0;
/// From the right end of the left panel to the left end of the other.
const BETWEEN: f32 = 86.0;
const LEGEND: f32 = 170.0;

/// Draws errors over the bound on logarithmic axes, and their ratio over noise on the right.
///
/// # Errors
///
/// [`crate::Error::Io`] if `path` cannot be written.
pub fn draw(path: &Path, lines: &[Line], title: &str) -> Result<()> {
    let width = LEFT + 2.0 * SIDE + BETWEEN + LEGEND;
    let mut canvas = Canvas::new(width, TOP + SIDE + BOTTOM)?;
    errors(&mut canvas, lines, title);
    ratios(&mut canvas, lines);
    legend(&mut canvas, lines);
    canvas.save(path)
}

fn shown<'a>(line: &Line<'a>) -> impl Iterator<Item = &'a Level> + use<'a> {
    line.levels.iter().filter(|level| level.is_good())
}

/// Least and greatest of `values`, or `none` without any.
fn span(values: impl Iterator<Item = f64>, none: (f64, f64)) -> (f64, f64) {
    let start = (f64::INFINITY, f64::NEG_INFINITY);
    let (low, high) = values.fold(start, |(low, high), v| (low.min(v), high.max(v)));
    if low > high { none } else { (low, high) }
}

fn errors(canvas: &mut Canvas, lines: &[Line], title: &str) {
    let all = lines.iter().flat_map(shown);
    let (low, high) = span(all.flat_map(|l| [l.bound, l.rmse]), (0.001, 0.1));
    let range = (low / 1.4, high * 1.4);
    let axis = |label| Axis {
        range,
        scale: Scale::Log,
        label,
    };
    let axes = Axes {
        area: ((LEFT, TOP), (LEFT + SIDE, TOP + SIDE)),
        horizontal: axis("Cram\u{e9}r\u{2013}Rao bound, px"),
        vertical: axis("root mean square error, px"),
    };
    axes.grid(canvas);
    guide(canvas, &axes, (range.0, range.0), (range.1, range.1));
    curves(
        canvas,
        &axes,
        lines,
        |level| (level.bound, level.rmse),
        |_| None,
    );
    axes.frame(canvas);
    axes.title(canvas, title);
}

fn ratios(canvas: &mut Canvas, lines: &[Line]) {
    let left = LEFT + SIDE + BETWEEN;
    let all = || lines.iter().flat_map(shown);
    let (quiet, loud) = span(all().map(|level| level.noise), (0.0, 5.0));
    let room = 0.06 * (loud - quiet).max(1.0);
    let ends = all().flat_map(|level| {
        let error = level.standard_error.unwrap_or(0.0);
        [level.ratio() - error, level.ratio() + error]
    });
    let (low, high) = span(ends, (1.0, 1.0));
    let (low, high) = (low.min(0.9), high.max(1.2));
    let slack = 0.08 * (high - low);
    let axes = Axes {
        area: ((left, TOP), (left + SIDE, TOP + SIDE)),
        horizontal: Axis::linear((quiet - room, loud + room), "noise \u{3c3}, counts"),
        vertical: Axis::linear((low - slack, high + slack), "error / bound"),
    };
    axes.grid(canvas);
    let (from, to) = axes.horizontal.range;
    guide(canvas, &axes, (from, 1.0), (to, 1.0));
    let place = |level: &Level| (level.noise, level.ratio());
    curves(canvas, &axes, lines, place, |level| level.standard_error);
    axes.frame(canvas);
    axes.title(canvas, "Error in units of the bound");
}

/// Where an efficient estimator lies.
fn guide(canvas: &mut Canvas, axes: &Axes, from: (f64, f64), to: (f64, f64)) {
    let pen = Pen {
        dashed: true,
        ..Pen::new(INK, 1.4)
    };
    canvas.line(&[axes.at(from.0, from.1), axes.at(to.0, to.1)], pen);
}

fn curves(
    canvas: &mut Canvas,
    axes: &Axes,
    lines: &[Line],
    place: impl Fn(&Level) -> (f64, f64),
    error: impl Fn(&Level) -> Option<f64>,
) {
    canvas.clip(Some(axes.area));
    for (index, (line, pen)) in lines.iter().zip(pens()).enumerate() {
        let places: Vec<(f64, f64)> = shown(line).map(&place).collect();
        let points: Vec<Point> = places.iter().map(|&(x, y)| axes.at(x, y)).collect();
        canvas.line(&points, Pen { width: 1.4, ..pen });
        for ((level, &(x, y)), &point) in shown(line).zip(&places).zip(&points) {
            if let Some(error) = error(level).filter(|error| error.is_finite()) {
                let ends = [axes.at(x, y - error), axes.at(x, y + error)];
                canvas.line(&ends, Pen::new(pen.colour, 1.4));
            }
            marker(canvas, point, index, pen);
        }
    }
    canvas.clip(None);
}

/// Disc, square, triangle or diamond, so that lines differ without colour too.
fn marker(canvas: &mut Canvas, (x, y): Point, index: usize, pen: Pen) {
    let corners: &[(f32, f32)] = match index % 4 {
        0 => return canvas.disc((x, y), 5.0, pen.colour),
        1 => &[(-4.0, -4.0), (4.0, -4.0), (4.0, 4.0), (-4.0, 4.0)],
        2 => &[(0.0, -5.5), (5.0, 4.0), (-5.0, 4.0)],
        _ => &[(0.0, -6.0), (6.0, 0.0), (0.0, 6.0), (-6.0, 0.0)],
    };
    let corners: Vec<Point> = corners.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
    canvas.fill_polygon(&corners, pen.colour);
}

fn legend(canvas: &mut Canvas, lines: &[Line]) {
    let left = LEFT + 2.0 * SIDE + BETWEEN + 18.0;
    let mut y = TOP + LABEL / 2.0;
    for (index, (line, pen)) in lines.iter().zip(pens()).enumerate() {
        canvas.line(&[(left, y), (left + 28.0, y)], Pen { width: 1.4, ..pen });
        marker(canvas, (left + 14.0, y), index, pen);
        canvas.text(
            (left + 38.0, y),
            line.name,
            text(LABEL, Anchor::Start, false),
        );
        y += 26.0;
    }
    for note in ["dashed: the bound", "bars: standard errors"] {
        y += 20.0;
        canvas.text((left, y), note, text(SMALL, Anchor::Start, false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::check_picture;

    fn levels(bounds: [f64; 4], ratios: [f64; 4]) -> Vec<Level> {
        let noise = [0.0, 1.0, 2.0, 5.0];
        let all = noise.into_iter().zip(bounds).zip(ratios);
        all.map(|((noise, bound), ratio)| Level {
            noise,
            bound,
            rmse: ratio * bound,
            standard_error: Some(0.01 + 0.004 * noise),
        })
        .collect()
    }

    #[test]
    fn draws_three_numbers_of_targets() {
        let all = [
            levels([0.0044, 0.0102, 0.0164, 0.0345], [1.02, 1.01, 1.00, 1.03]),
            levels([0.0072, 0.015, 0.0238, 0.0509], [1.05, 1.03, 1.04, 1.02]),
            levels([0.0115, 0.0231, 0.038, 0.0868], [1.21, 1.10, 1.08, 0.97]),
        ];
        let names = ["2 targets", "3 targets", "4 targets"];
        let lines: Vec<Line> = names
            .iter()
            .zip(&all)
            .map(|(name, levels)| Line { name, levels })
            .collect();
        let size = check_picture("efficiency", |path| {
            draw(path, &lines, "Errors against the bound")
        });
        assert_eq!(size, (1106, 488));
    }

    #[test]
    fn draws_without_lines_and_with_bad_ones() {
        check_picture("efficiency-empty", |path| draw(path, &[], "Nothing"));
        let mut levels = levels([0.01, 0.0, 0.02, 0.03], [1.0, 1.0, f64::NAN, 6.0]);
        levels[0].standard_error = None;
        let lines = [Line {
            name: "partly",
            levels: &levels,
        }];
        check_picture("efficiency-bad", |path| {
            draw(path, &lines, "Hardly anything")
        });
    }
}
