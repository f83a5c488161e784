//! Precision over recall for every matching distance.

use std::path::Path;

use super::axes::{Axes, Axis, text};
use super::canvas::{Anchor, Canvas, Point, pens};
use super::style::LABEL;
use crate::{Error, Result};

/// One curve.
#[derive(Clone, Copy, Debug)]
pub struct Curve<'a> {
    /// Matching distance δ, low-resolution pixels.
    pub delta: f64,
    /// Average precision, 0..1.
    pub ap: f64,
    /// Recall at each point, 0..1, ascending.
    pub recall: &'a [f64],
    /// Precision at each point, 0..1.
    pub precision: &'a [f64],
}

const WIDTH: f32 = 520.0;
const HEIGHT: f32 = 420.0;
const LEFT: f32 = 78.0;
const TOP: f32 = 48.0;
const BOTTOM: f32 = 58.0;
const LEGEND: f32 = 230.0;

/// Draws the curves with their AP in the legend, and the mean AP as its last line.
///
/// # Errors
///
/// [`Error::Usage`] if a curve's lists differ in length, [`Error::Io`] if `path` cannot be
/// written.
pub fn draw(path: &Path, curves: &[Curve], title: &str) -> Result<()> {
    for curve in curves {
        if curve.recall.len() != curve.precision.len() {
            return Err(Error::usage(format!(
                "curve for \u{3b4} = {}: {} recalls, {} precisions",
                curve.delta,
                curve.recall.len(),
                curve.precision.len()
            )));
        }
    }
    let mut canvas = Canvas::new(LEFT + WIDTH + LEGEND, TOP + HEIGHT + BOTTOM)?;
    let axes = Axes {
        area: ((LEFT, TOP), (LEFT + WIDTH, TOP + HEIGHT)),
        // Slightly wider than 0..1, so that a perfect curve does not hide in the border.
        horizontal: Axis::linear((-0.01, 1.01), "recall"),
        vertical: Axis::linear((-0.01, 1.02), "precision"),
    };
    axes.grid(&mut canvas);
    canvas.clip(Some(axes.area));
    for (curve, pen) in curves.iter().zip(pens()) {
        let points = curve.recall.iter().zip(curve.precision);
        let points: Vec<Point> = points
            .filter(|(recall, precision)| recall.is_finite() && precision.is_finite())
            .map(|(&recall, &precision)| axes.at(recall, precision))
            .collect();
        canvas.line(&points, pen);
        // A curve of one point has no line to see.
        if let [only] = points[..] {
            canvas.disc(only, 4.0, pen.colour);
        }
    }
    canvas.clip(None);
    axes.frame(&mut canvas);
    axes.title(&mut canvas, title);
    legend(&mut canvas, curves);
    canvas.save(path)
}

fn legend(canvas: &mut Canvas, curves: &[Curve]) {
    let left = LEFT + WIDTH + 18.0;
    let mut y = TOP + LABEL / 2.0;
    let style = text(LABEL, Anchor::Start, false);
    canvas.text((left, y), "matching distance \u{3b4}", style);
    for (curve, pen) in curves.iter().zip(pens()) {
        y += 26.0;
        canvas.line(&[(left, y), (left + 28.0, y)], pen);
        let name = format!("{:.2} px   AP {:.1} %", curve.delta, 100.0 * curve.ap);
        canvas.text((left + 38.0, y), &name, style);
    }
    if curves.len() > 1 {
        let mean = curves.iter().map(|curve| curve.ap).sum::<f64>() / curves.len() as f64;
        y += 34.0;
        let name = format!("mean of APs {:.1} %", 100.0 * mean);
        canvas.text((left, y), &name, style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::check_picture;

    #[test]
    fn draws_five_curves() {
        let recall: Vec<f64> = (0..=200).map(|i| f64::from(i) / 200.0).collect();
        let deltas = [0.05, 0.10, 0.15, 0.20, 0.25];
        let precisions: Vec<Vec<f64>> = deltas
            .iter()
            .map(|delta| {
                let fall = |r: &f64| 1.0 - r.powf(30.0 * delta) * (1.05 - 3.0 * delta);
                recall.iter().map(fall).collect()
            })
            .collect();
        let curves: Vec<Curve> = deltas
            .iter()
            .zip(&precisions)
            .map(|(&delta, precision)| Curve {
                delta,
                ap: precision.iter().sum::<f64>() / 201.0,
                recall: &recall,
                precision,
            })
            .collect();
        let size = check_picture("precision-recall", |path| {
            draw(path, &curves, "Precision and recall")
        });
        assert_eq!(size, (828, 526));
    }

    #[test]
    fn draws_without_points_and_refuses_uneven_lists() {
        let none = Curve {
            delta: 0.05,
            ap: 0.0,
            recall: &[],
            precision: &[],
        };
        let one = Curve {
            delta: 0.10,
            ap: 0.4,
            recall: &[0.5],
            precision: &[0.8],
        };
        check_picture("precision-recall-empty", |path| {
            draw(path, &[none, one], "Hardly anything found")
        });
        let uneven = Curve {
            precision: &[],
            ..one
        };
        let scratch = tempfile::tempdir().unwrap();
        let error = draw(&scratch.path().join("a.png"), &[uneven], "").unwrap_err();
        assert!(error.to_string().contains("1 recalls, 0 precisions"));
    }
}
