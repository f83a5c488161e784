//! Loss and validation results over training steps.

use std::path::Path;

use super::axes::{Axes, Axis, Scale, text};
use super::canvas::{Anchor, Canvas, Pen, Point};
use super::style::{BLUE, CURVE_WIDTH, LABEL, Rgb, SKY, VERMILION};
use crate::Result;

/// Result of one validation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Validation {
    /// Training steps done before it.
    pub step: u64,
    /// CSO-mAP, per cent.
    pub cso_map: f64,
    /// AP at δ = 0.25 px, per cent.
    pub ap25: f64,
}

const WIDTH: f32 = 680.0;
const HEIGHT: f32 = 250.0;
const LEFT: f32 = 92.0;
const RIGHT: f32 = 30.0;
const TOP: f32 = 48.0;
const BETWEEN: f32 = 118.0;
const BOTTOM: f32 = 60.0;

/// Draws the loss of every recorded step, its running median, and the validations below.
///
/// # Errors
///
/// [`crate::Error::Io`] if `path` cannot be written.
pub fn draw(path: &Path, losses: &[(u64, f64)], validations: &[Validation]) -> Result<()> {
    let lower = TOP + HEIGHT + BETWEEN;
    let mut canvas = Canvas::new(LEFT + WIDTH + RIGHT, lower + HEIGHT + BOTTOM)?;
    let steps = losses.iter().map(|&(step, _)| step);
    let last = steps
        .chain(validations.iter().map(|result| result.step))
        .max();
    let span = (0.0, last.unwrap_or(0).max(10) as f64);
    let loss_area = ((LEFT, TOP), (LEFT + WIDTH, TOP + HEIGHT));
    draw_losses(&mut canvas, loss_area, span, losses);
    let area = ((LEFT, lower), (LEFT + WIDTH, lower + HEIGHT));
    draw_validations(&mut canvas, area, span, validations);
    canvas.save(path)
}

fn draw_losses(canvas: &mut Canvas, area: (Point, Point), span: (f64, f64), losses: &[(u64, f64)]) {
    // A logarithm has no place for zero, negative or broken losses: they are left out.
    let shown: Vec<(f64, f64)> = losses
        .iter()
        .filter(|(_, loss)| loss.is_finite() && *loss > 0.0)
        .map(|&(step, loss)| (step as f64, loss))
        .collect();
    let values = shown.iter().map(|&(_, loss)| loss);
    let (low, high) = values.fold((f64::INFINITY, 0.0f64), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let range = if high > 0.0 {
        (low / 1.3, high * 1.3)
    } else {
        (0.1, 10.0)
    };
    let axes = Axes {
        area,
        horizontal: Axis::linear(span, "training step"),
        vertical: Axis {
            range,
            scale: Scale::Log,
            label: "loss (log scale)",
        },
    };
    axes.grid(canvas);
    curve(canvas, &axes, &extremes(&shown), Pen::new(SKY, 1.0));
    curve(
        canvas,
        &axes,
        &running_median(&shown),
        Pen::new(BLUE, CURVE_WIDTH),
    );
    axes.frame(canvas);
    legend(
        canvas,
        &axes,
        &[("each step", SKY), ("running median", BLUE)],
    );
    heading(canvas, &axes, "Training loss");
}

/// Picks one curve's value out of a validation.
type ValueOf = fn(&Validation) -> f64;

fn draw_validations(
    canvas: &mut Canvas,
    area: (Point, Point),
    span: (f64, f64),
    validations: &[Validation],
) {
    let axes = Axes {
        area,
        horizontal: Axis::linear(span, "training step"),
        vertical: Axis::linear((-1.0, 102.0), "validation, %"),
    };
    axes.grid(canvas);
    let series: [(ValueOf, Rgb); 2] = [
        (|result| result.cso_map, BLUE),
        (|result| result.ap25, VERMILION),
    ];
    for (value, colour) in series {
        let points: Vec<(f64, f64)> = validations
            .iter()
            .map(|result| (result.step as f64, value(result)))
            .filter(|(_, value)| value.is_finite())
            .collect();
        curve(canvas, &axes, &points, Pen::new(colour, CURVE_WIDTH));
        if points.len() <= 60 {
            for &(step, value) in &points {
                canvas.disc(axes.at(step, value), 3.5, colour);
            }
        }
    }
    axes.frame(canvas);
    legend(canvas, &axes, &[("CSO-mAP", BLUE), ("AP25", VERMILION)]);
    heading(canvas, &axes, "Validation");
}

fn curve(canvas: &mut Canvas, axes: &Axes, points: &[(f64, f64)], pen: Pen) {
    canvas.clip(Some(axes.area));
    let points: Vec<Point> = points
        .iter()
        .map(|&(step, value)| axes.at(step, value))
        .collect();
    canvas.line(&points, pen);
    // A single point has no line to see.
    if let [only] = points[..] {
        canvas.disc(only, 3.5, pen.colour);
    }
    canvas.clip(None);
}

/// Median over a fortieth of the curve around each point: robust to single wild steps.
fn running_median(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let half = (points.len() / 80).max(1);
    let around = |index: usize| {
        let end = points.len().min(index + half + 1);
        let near = &points[index.saturating_sub(half)..end];
        let mut values: Vec<f64> = near.iter().map(|&(_, value)| value).collect();
        let middle = values.len() / 2;
        let (_, median, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
        (points[index].0, *median)
    };
    // The picture has fewer columns than a long run has steps.
    let stride = (points.len() / 1000).max(1);
    (0..points.len()).step_by(stride).map(around).collect()
}

/// Lowest and highest of every group of steps that share a column of the picture, in their order.
fn extremes(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let group = (points.len() / WIDTH as usize).max(1);
    if group < 3 {
        return points.to_vec();
    }
    let ends = |group: &[(f64, f64)]| {
        let by_loss = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let low = group.iter().min_by(by_loss).copied();
        let high = group.iter().max_by(by_loss).copied();
        let mut both = [low, high];
        both.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        both.into_iter().flatten()
    };
    points.chunks(group).flat_map(ends).collect()
}

fn heading(canvas: &mut Canvas, axes: &Axes, title: &str) {
    let ((left, top), _) = axes.area;
    let style = text(super::style::TITLE, Anchor::Start, false);
    canvas.text((left, top - 18.0), title, style);
}

/// Names at the right end of the heading's line, above the data.
fn legend(canvas: &mut Canvas, axes: &Axes, names: &[(&str, Rgb)]) {
    let ((_, top), (right, _)) = axes.area;
    let (mut x, y) = (right, top - 18.0);
    for &(name, colour) in names.iter().rev() {
        canvas.text((x, y), name, text(LABEL, Anchor::End, false));
        x -= canvas.text_width(name, LABEL) + 8.0;
        canvas.line(
            &[(x - 26.0, y), (x, y)],
            Pen::new(colour, CURVE_WIDTH + 0.6),
        );
        x -= 26.0 + 22.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::check_picture;

    fn losses() -> Vec<(u64, f64)> {
        let noise = |step: u64| 1.0 + 0.3 * ((step as f64 * 12.9898).sin() * 43758.5).fract();
        (0..4000)
            .map(|step| {
                (
                    step,
                    noise(step) * (30.0 / (1.0 + step as f64 / 60.0) + 0.4),
                )
            })
            .collect()
    }

    #[test]
    fn draws_a_run() {
        let validations: Vec<Validation> = (1..=20)
            .map(|index| {
                let rise = 1.0 - (-f64::from(index) / 6.0).exp();
                Validation {
                    step: 200 * index as u64,
                    cso_map: 52.0 * rise,
                    ap25: 97.0 * rise,
                }
            })
            .collect();
        let size = check_picture("training", |path| draw(path, &losses(), &validations));
        assert_eq!(size, (802, 726));
    }

    #[test]
    fn draws_the_first_moment_and_broken_losses() {
        check_picture("training-empty", |path| draw(path, &[], &[]));
        let broken = [(0, f64::NAN), (1, 0.0), (2, 3.0), (3, f64::INFINITY)];
        check_picture("training-broken", |path| draw(path, &broken, &[]));
    }

    #[test]
    fn long_runs_keep_their_extremes() {
        let mut points: Vec<(f64, f64)> = (0..1_000_000).map(|i| (f64::from(i), 1.0)).collect();
        points[654_321].1 = 9.0;
        points[654_300].1 = 0.2;
        let few = extremes(&points);
        assert!(few.len() < 3000);
        assert!(few.contains(&(654_321.0, 9.0)) && few.contains(&(654_300.0, 0.2)));
        assert!(few.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        assert_eq!(extremes(&points[..700]).len(), 700);
    }

    #[test]
    fn running_median_ignores_a_wild_step() {
        let mut points: Vec<(f64, f64)> = (0..200).map(|i| (f64::from(i), 1.0)).collect();
        points[100].1 = 1e6;
        assert!(
            running_median(&points)
                .iter()
                .all(|&(_, value)| value == 1.0)
        );
    }
}
