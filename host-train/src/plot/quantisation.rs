//! Errors of a quantised network's tensors, from its frames to its answers.

use std::path::Path;

use super::axes::{Axes, Axis, text};
use super::canvas::{Anchor, Canvas};
use super::style::{BLUE, GREEN, LABEL, ORANGE, PURPLE, Rgb, SMALL};
use crate::Result;
use crate::quantize::TensorError;

const WIDTH: f32 = 760.0;
const HEIGHT: f32 = 360.0;
const LEFT: f32 = 84.0;
const TOP: f32 = 48.0;
const BOTTOM: f32 = 60.0;
const LEGEND: f32 = 170.0;
const RADIUS: f32 = 4.0;
/// Distance of lines in the legend.
const LINE: f32 = 24.0;

/// Parts of the network, and how the names of their tensors begin.
const PARTS: [(&str, Rgb, &[&str]); 4] = [
    (
        "stages",
        BLUE,
        &["Start", "Back", "Step", "Hidden", "Stage"],
    ),
    (
        "alignment",
        ORANGE,
        &["Coded", "Feature", "Aggregate", "Offsets", "Deformed"],
    ),
    ("tail", GREEN, &["Stack", "Tail", "Block", "Map"]),
    ("offset head", PURPLE, &["Head"]),
];

/// Draws signal over error of every tensor that has one, in the order given; names the
/// worst of each part.
///
/// # Errors
///
/// [`crate::Error::Io`] if `path` cannot be written.
pub fn draw(path: &Path, errors: &[TensorError], title: &str) -> Result<()> {
    let mut canvas = Canvas::new(LEFT + WIDTH + LEGEND, TOP + HEIGHT + BOTTOM)?;
    let finite = |(index, error): (usize, &'_ TensorError)| Some((index, error.ratio_db?));
    let points: Vec<(usize, f64)> = errors.iter().enumerate().filter_map(finite).collect();
    let axes = Axes {
        area: ((LEFT, TOP), (LEFT + WIDTH, TOP + HEIGHT)),
        horizontal: Axis::linear(
            (-1.0, errors.len().max(1) as f64),
            "tensor, in the order of the network",
        ),
        vertical: Axis::linear(range(&points), "signal over error, dB"),
    };
    axes.grid(&mut canvas);
    for &(index, ratio) in &points {
        let colour = part(&errors[index].tensor).1;
        canvas.disc(axes.at(index as f64, ratio), RADIUS, colour);
    }
    for (of_part, _, _) in PARTS {
        let here = points
            .iter()
            .filter(|(index, _)| part(&errors[*index].tensor).0 == of_part);
        if let Some(&(index, ratio)) = here.min_by(|a, b| a.1.total_cmp(&b.1)) {
            name(
                &mut canvas,
                axes.at(index as f64, ratio),
                &errors[index].tensor,
            );
        }
    }
    axes.frame(&mut canvas);
    axes.title(&mut canvas, title);
    legend(&mut canvas, errors);
    canvas.save(path)
}

/// From below the worst to above the best, in whole tens of decibels.
fn range(points: &[(usize, f64)]) -> (f64, f64) {
    let ratios = || points.iter().map(|point| point.1);
    let low = ratios().fold(f64::INFINITY, f64::min);
    let high = ratios().fold(f64::NEG_INFINITY, f64::max);
    if low > high {
        return (0.0, 100.0);
    }
    let tens = |value: f64, round: fn(f64) -> f64| 10.0 * round(value / 10.0);
    (tens(low - 3.0, f64::floor), tens(high + 3.0, f64::ceil))
}

fn part(tensor: &str) -> (&'static str, Rgb) {
    let is = |(_, _, names): &&(_, _, &[&str])| names.iter().any(|n| tensor.starts_with(n));
    let (name, colour, _) = PARTS.iter().find(is).unwrap_or(&PARTS[0]);
    (name, *colour)
}

/// Writes a name below its point.
fn name(canvas: &mut Canvas, (x, y): (f32, f32), name: &str) {
    let half = canvas.text_width(name, SMALL) / 2.0;
    let x = x.clamp(LEFT + half + 5.0, LEFT + WIDTH - half - 5.0);
    let at = (x, y + RADIUS + SMALL / 2.0 + 4.0);
    canvas.text(at, name, text(SMALL, Anchor::Middle, false));
}

/// The parts that have tensors here.
fn legend(canvas: &mut Canvas, errors: &[TensorError]) {
    let left = LEFT + WIDTH + 24.0;
    let mut y = TOP + LABEL / 2.0;
    for (name, colour, _) in PARTS {
        if errors.iter().any(|error| part(&error.tensor).0 == name) {
            canvas.disc((left, y), RADIUS, colour);
            canvas.text((left + 14.0, y), name, text(LABEL, Anchor::Start, false));
            y += LINE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::check_picture;

    fn error(tensor: &str, ratio_db: Option<f64>) -> TensorError {
        TensorError {
            tensor: tensor.to_owned(),
            signal_rms: 1.0,
            error_rms: 0.01,
            ratio_db,
            saturated: 0,
            values: 1089,
        }
    }

    #[test]
    fn draws_every_part_and_nothing() {
        let names = [
            "Start",
            "Back",
            "Hidden(0, 1)",
            "Feature(3)",
            "Deformed(4, 1)",
            "Map",
        ];
        let all = (0..).zip(names.iter().cycle().take(40));
        let mut errors: Vec<TensorError> = all
            .map(|(index, name)| error(name, Some(40.0 + f64::from(index * index % 37))))
            .collect();
        errors.push(error("HeadAnswer", Some(31.0)));
        errors.push(error("HeadInput", None));
        let size = check_picture("quantisation", |path| {
            draw(path, &errors, "Errors by tensor")
        });
        assert_eq!(size, (1014, 468));
        check_picture("quantisation-none", |path| draw(path, &[], "None"));
    }

    #[test]
    fn every_tensor_belongs_to_a_part() {
        let part_of = |tensor: &str| part(tensor).0;
        assert_eq!(part_of("Stage(2)"), "stages");
        assert_eq!(part_of("Stack"), "tail");
        assert_eq!(part_of("HeadBlock(0, 1)"), "offset head");
        assert_eq!(part_of("Offsets(1, 0)"), "alignment");
    }
}
