//! Validation over training time, one curve for each of several ways to train.

use std::path::Path;

use super::axes::{Axes, Axis, text};
use super::canvas::{Anchor, Canvas, Pen, Point, pens};
use super::style::{LABEL, SMALL};
use crate::Result;

/// Validations of one way to train, in the order of time.
#[derive(Clone, Copy, Debug)]
pub struct Arm<'a> {
    /// Name in the legend.
    pub name: &'a str,
    /// Validations.
    pub points: &'a [Validated],
}

/// Result of one validation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Validated {
    /// Training time before it, seconds.
    pub seconds: f64,
    /// CSO-mAP, per cent.
    pub cso_map: f64,
    /// AP at δ = 0.25 px, per cent.
    pub ap25: f64,
}

const WIDTH: f32 = 620.0;
const HEIGHT: f32 = 280.0;
const LEFT: f32 = 84.0;
const TOP: f32 = 48.0;
const BETWEEN: f32 = 52.0;
const BOTTOM: f32 = 60.0;
const LEGEND: f32 = 290.0;
/// Distance of lines in the legend.
const LINE: f32 = 24.0;

/// Picks the value of one panel.
type ValueOf = fn(&Validated) -> f64;

const PANELS: [(&str, ValueOf); 2] = [
    ("CSO-mAP, %", |point| point.cso_map),
    ("AP25, %", |point| point.ap25),
];

/// Draws CSO-mAP above and AP25 below; the legend lists the last values, the best CSO-mAP first.
///
/// # Errors
///
/// [`crate::Error::Io`] if `path` cannot be written.
pub fn draw(path: &Path, arms: &[Arm], title: &str) -> Result<()> {
    let lower = TOP + HEIGHT + BETWEEN;
    let size = (LEFT + WIDTH + LEGEND, lower + HEIGHT + BOTTOM);
    let mut canvas = Canvas::new(size.0, size.1)?;
    let points = arms.iter().flat_map(|arm| arm.points);
    let minutes = points.map(|p| p.seconds / 60.0).fold(0.0, f64::max);
    // A little room, so that the last points do not hide in the border.
    let span = (0.0, if minutes > 0.0 { 1.02 * minutes } else { 1.0 });
    for (panel, (label, value)) in PANELS.into_iter().enumerate() {
        let top = [TOP, lower][panel];
        let names = ["", "training time, minutes"];
        let axes = Axes {
            area: ((LEFT, top), (LEFT + WIDTH, top + HEIGHT)),
            horizontal: Axis::linear(span, names[panel]),
            vertical: Axis::linear(range(arms, value), label),
        };
        axes.grid(&mut canvas);
        for (arm, pen) in arms.iter().zip(pens()) {
            curve(&mut canvas, &axes, arm, value, pen);
        }
        axes.frame(&mut canvas);
        if panel == 0 {
            axes.title(&mut canvas, title);
        }
    }
    legend(&mut canvas, arms);
    canvas.save(path)
}

/// From somewhat below the worst last value to the best value: the first minutes, which climb from
/// nothing, would squeeze everything else into a band.
fn range(arms: &[Arm], value: ValueOf) -> (f64, f64) {
    let finite = |v: &f64| v.is_finite();
    let last = arms.iter().filter_map(|arm| arm.points.last().map(value));
    let low = last.filter(finite).fold(f64::INFINITY, f64::min);
    let all = arms.iter().flat_map(|arm| arm.points).map(value);
    let high = all.filter(finite).fold(f64::NEG_INFINITY, f64::max);
    if low > high {
        return (0.0, 100.0);
    }
    let room = (high - low).max(4.0);
    // A little below zero, so that curves that stay there do not hide in the border.
    let bottom = (low - 0.4 * room).max(-0.03 * room);
    (bottom, (high + 0.08 * room).max(bottom + room).min(102.0))
}

fn curve(canvas: &mut Canvas, axes: &Axes, arm: &Arm, value: ValueOf, pen: Pen) {
    let points = arm.points.iter().filter(|&point| value(point).is_finite());
    let points: Vec<Point> = points
        .map(|point| axes.at(point.seconds / 60.0, value(point)))
        .collect();
    canvas.clip(Some(axes.area));
    canvas.line(&points, pen);
    if points.len() <= 12 {
        for &point in &points {
            canvas.disc(point, 3.0, pen.colour);
        }
    }
    canvas.clip(None);
}

/// Name and last values of every arm.
fn legend(canvas: &mut Canvas, arms: &[Arm]) {
    let left = LEFT + WIDTH + 18.0;
    let columns = [left + 195.0, left + 255.0];
    let mut y = TOP + LABEL / 2.0;
    for (x, name) in columns.into_iter().zip(["CSO-mAP", "AP25"]) {
        canvas.text((x, y), name, text(SMALL, Anchor::End, false));
    }
    let last = |arm: &Arm| arm.points.last().copied();
    let mut sorted: Vec<(&Arm, Pen)> = arms.iter().zip(pens()).collect();
    let rank = |arm: &Arm| last(arm).map_or(f64::NEG_INFINITY, |point| point.cso_map);
    sorted.sort_by(|(a, _), (b, _)| rank(b).total_cmp(&rank(a)));
    for (arm, pen) in sorted {
        y += LINE;
        canvas.line(&[(left, y), (left + 28.0, y)], pen);
        canvas.text(
            (left + 36.0, y),
            arm.name,
            text(LABEL, Anchor::Start, false),
        );
        let Some(point) = last(arm) else { continue };
        for (x, value) in columns.into_iter().zip([point.cso_map, point.ap25]) {
            let number = format!("{value:.1}");
            canvas.text((x, y), &number, text(LABEL, Anchor::End, false));
        }
    }
    let note = "last validation of each";
    canvas.text(
        (left, y + LINE + 6.0),
        note,
        text(SMALL, Anchor::Start, false),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::check_picture;

    /// `count` validations that rise towards `end` within about `pace` seconds.
    fn rising(count: u32, end: f64, pace: f64) -> Vec<Validated> {
        let point = |index: u32| {
            let seconds = 40.0 * f64::from(index);
            let share = 1.0 - (-seconds / pace).exp();
            Validated {
                seconds,
                cso_map: end * share,
                ap25: (1.9 * end).min(99.0) * share,
            }
        };
        (1..=count).map(point).collect()
    }

    #[test]
    fn draws_more_arms_than_colours() {
        let names = [
            "published",
            "scale",
            "rate",
            "cosine",
            "ema",
            "no-constraint",
            "batch-4",
        ];
        let curves: Vec<Vec<Validated>> = (0..names.len() as u32)
            .map(|index| rising(30 - index, 34.0 + 2.5 * f64::from(index), 150.0))
            .collect();
        let arms: Vec<Arm> = names
            .iter()
            .zip(&curves)
            .map(|(name, points)| Arm { name, points })
            .collect();
        let size = check_picture("ablation", |path| draw(path, &arms, "Equal training time"));
        assert_eq!(size, (994, 720));
    }

    #[test]
    fn draws_arms_that_have_just_begun() {
        check_picture("ablation-none", |path| draw(path, &[], "Nothing yet"));
        let broken = Validated {
            seconds: 3.0,
            cso_map: f64::NAN,
            ap25: 1.0,
        };
        let arms = [
            Arm {
                name: "empty",
                points: &[],
            },
            Arm {
                name: "one",
                points: &rising(1, 30.0, 100.0),
            },
            Arm {
                name: "broken",
                points: &[broken],
            },
        ];
        check_picture("ablation-first", |path| draw(path, &arms, "First minutes"));
    }

    #[test]
    fn the_range_leaves_out_the_first_climb() {
        let points = rising(30, 40.0, 100.0);
        let arms = [Arm {
            name: "a",
            points: &points,
        }];
        let (low, high) = range(&arms, |point| point.cso_map);
        assert!(points[0].cso_map < low && low < 40.0);
        assert!((40.0..43.0).contains(&high));
    }
}
