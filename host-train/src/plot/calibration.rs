//! Observed over nominal shares of truths inside the predicted ellipses.

use std::path::Path;

use super::axes::{Axes, Axis, text};
use super::canvas::{Anchor, Canvas, Pen, Point, pens};
use super::style::{GRID, INK, LABEL, Rgb, SMALL};
use crate::Result;

/// Calibration at one noise level.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Name in the legend.
    pub name: &'a str,
    /// Shares in ascending order of their nominal value.
    pub shares: &'a [Share],
}

/// Share of truths inside one ellipse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// What the covariance promises, per cent.
    pub nominal: f64,
    /// What is found, per cent.
    pub observed: f64,
    /// Standard error of `observed`, per cent, where known.
    pub standard_error: Option<f64>,
}

const SIDE: f32 = 380.0;
const LEFT: f32 = 84.0;
const TOP: f32 = 48.0;
const BOTTOM: f32 = 60.0;
/// From the right end of the left panel to the left end of the other.
const BETWEEN: f32 = 92.0;
const LEGEND: f32 = 200.0;
/// Ellipses of this nominal share should hold between these, per cent.
const BAND: (f64, [f64; 2]) = (95.0, [93.0, 97.0]);

/// Draws observed over nominal shares with the diagonal, and their difference on its right.
///
/// Lines above the diagonal promise too little, lines below too much.
///
/// # Errors
///
/// [`crate::Error::Io`] if `path` cannot be written.
pub fn draw(path: &Path, lines: &[Line], title: &str) -> Result<()> {
    let width = LEFT + 2.0 * SIDE + BETWEEN + LEGEND;
    let mut canvas = Canvas::new(width, TOP + SIDE + BOTTOM)?;
    let low = lowest(lines);
    shares(&mut canvas, lines, low, title);
    differences(&mut canvas, lines, low);
    legend(&mut canvas, lines);
    canvas.save(path)
}

fn shown<'a>(line: &Line<'a>) -> impl Iterator<Item = &'a Share> + use<'a> {
    let finite = |share: &&Share| share.nominal.is_finite() && share.observed.is_finite();
    line.shares.iter().filter(finite)
}

/// Lower end of both share axes: a multiple of ten below everything shown.
fn lowest(lines: &[Line]) -> f64 {
    let all = lines.iter().flat_map(shown);
    let low = all.map(|share| share.nominal.min(share.observed));
    let low = low.fold(50.0, f64::min);
    (10.0 * ((low - 4.0) / 10.0).floor()).max(-2.0)
}

fn shares(canvas: &mut Canvas, lines: &[Line], low: f64, title: &str) {
    let range = (low, 102.0);
    let axes = Axes {
        area: ((LEFT, TOP), (LEFT + SIDE, TOP + SIDE)),
        horizontal: Axis::linear(range, "nominal share, %"),
        vertical: Axis::linear(range, "truths inside the ellipse, %"),
    };
    axes.grid(canvas);
    diagonal(canvas, &axes, (low, low), (100.0, 100.0));
    curves(canvas, &axes, lines, |share| share.observed);
    axes.frame(canvas);
    axes.title(canvas, title);
}

fn differences(canvas: &mut Canvas, lines: &[Line], low: f64) {
    let left = LEFT + SIDE + BETWEEN;
    let all = lines.iter().flat_map(shown);
    let worst = all
        .map(|share| (share.observed - share.nominal).abs() + share.standard_error.unwrap_or(0.0))
        .fold(2.0, f64::max);
    let axes = Axes {
        area: ((left, TOP), (left + SIDE, TOP + SIDE)),
        horizontal: Axis::linear((low, 102.0), "nominal share, %"),
        vertical: Axis::linear(
            (-1.15 * worst, 1.15 * worst),
            "difference, percentage points",
        ),
    };
    axes.grid(canvas);
    goal(canvas, &axes);
    diagonal(canvas, &axes, (low, 0.0), (102.0, 0.0));
    curves(canvas, &axes, lines, |share| share.observed - share.nominal);
    axes.frame(canvas);
    axes.title(canvas, "Observed minus nominal");
}

/// Where perfect calibration lies.
fn diagonal(canvas: &mut Canvas, axes: &Axes, from: (f64, f64), to: (f64, f64)) {
    let pen = Pen {
        dashed: true,
        ..Pen::new(INK, 1.4)
    };
    canvas.line(&[axes.at(from.0, from.1), axes.at(to.0, to.1)], pen);
}

fn curves(canvas: &mut Canvas, axes: &Axes, lines: &[Line], value: impl Fn(&Share) -> f64) {
    canvas.clip(Some(axes.area));
    for (line, pen) in lines.iter().zip(pens()) {
        let points: Vec<Point> = shown(line)
            .map(|share| axes.at(share.nominal, value(share)))
            .collect();
        canvas.line(&points, pen);
        for (share, &point) in shown(line).zip(&points) {
            bar(
                canvas,
                axes,
                (share.nominal, value(share)),
                share.standard_error,
                pen.colour,
            );
            canvas.disc(point, 3.5, pen.colour);
        }
    }
    canvas.clip(None);
}

/// One standard error up and down.
fn bar(canvas: &mut Canvas, axes: &Axes, (x, y): (f64, f64), error: Option<f64>, colour: Rgb) {
    if let Some(error) = error.filter(|error| error.is_finite()) {
        let ends = [axes.at(x, y - error), axes.at(x, y + error)];
        canvas.line(&ends, Pen::new(colour, 1.4));
    }
}

/// Grey ground behind what passes at the 95 % ellipse.
fn goal(canvas: &mut Canvas, axes: &Axes) {
    let (nominal, [low, high]) = BAND;
    let (left, top) = axes.at(nominal - 1.5, high - nominal);
    let (right, bottom) = axes.at(nominal + 1.5, low - nominal);
    canvas.fill_rect(((left, top), (right, bottom)), GRID);
}

fn legend(canvas: &mut Canvas, lines: &[Line]) {
    let left = LEFT + 2.0 * SIDE + BETWEEN + 18.0;
    let mut y = TOP + LABEL / 2.0;
    for (line, pen) in lines.iter().zip(pens()) {
        canvas.line(&[(left, y), (left + 28.0, y)], pen);
        canvas.disc((left + 14.0, y), 3.5, pen.colour);
        canvas.text(
            (left + 38.0, y),
            line.name,
            text(LABEL, Anchor::Start, false),
        );
        y += 26.0;
    }
    let [low, high] = BAND.1;
    let notes = [
        "dashed: honest".to_owned(),
        "above it: too cautious".to_owned(),
        "bars: standard errors".to_owned(),
        format!("grey: {low:.0}\u{2013}{high:.0} % at {:.0} %", BAND.0),
    ];
    for note in notes {
        y += 20.0;
        canvas.text((left, y), &note, text(SMALL, Anchor::Start, false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::check_picture;

    fn line(shift: f64) -> Vec<Share> {
        [50.0, 68.0, 90.0, 95.0, 99.0]
            .map(|nominal| Share {
                nominal,
                // A covariance too large or too small by a factor of e^shift.
                observed: 100.0 * (1.0 - (1.0 - nominal / 100.0_f64).powf(shift.exp())),
                standard_error: Some(0.6 - 0.004 * nominal),
            })
            .to_vec()
    }

    #[test]
    fn draws_four_noise_levels() {
        let shares = [0.02, 0.08, -0.04, -0.12].map(line);
        let names = [
            "integer counts",
            "noise \u{3c3} = 1",
            "noise \u{3c3} = 2",
            "noise \u{3c3} = 5",
        ];
        let lines: Vec<Line> = names
            .iter()
            .zip(&shares)
            .map(|(name, shares)| Line { name, shares })
            .collect();
        let size = check_picture("calibration", |path| draw(path, &lines, "95 % means 95 %"));
        assert_eq!(size, (1136, 488));
    }

    #[test]
    fn draws_without_lines_and_with_bad_ones() {
        check_picture("calibration-empty", |path| draw(path, &[], "Nothing"));
        let shares =
            [(50.0, 4.0), (95.0, f64::NAN), (99.0, 12.0)].map(|(nominal, observed)| Share {
                nominal,
                observed,
                standard_error: None,
            });
        let lines = [Line {
            name: "overconfident",
            shares: &shares,
        }];
        check_picture("calibration-bad", |path| draw(path, &lines, "Far too sure"));
        assert_eq!(lowest(&lines), 0.0);
        assert_eq!(lowest(&[]), 40.0);
    }
}
