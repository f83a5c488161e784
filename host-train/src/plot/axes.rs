//! A rectangle with two numbered axes.

use super::canvas::{Anchor, Canvas, Pen, Point, Text};
use super::style::{FRAME_WIDTH, GRID, INK, LABEL, SMALL, TITLE};

/// How values spread along an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    Linear,
    /// Values must be positive.
    Log,
}

/// One axis: where its data start and end, and its name with unit.
#[derive(Clone, Copy, Debug)]
pub struct Axis<'a> {
    /// Values at the left or bottom end and at the right or top end; may descend.
    pub range: (f64, f64),
    pub scale: Scale,
    pub label: &'a str,
}

impl<'a> Axis<'a> {
    pub fn linear(range: (f64, f64), label: &'a str) -> Self {
        Self {
            range,
            scale: Scale::Linear,
            label,
        }
    }

    /// Share of the way from the first to the second end.
    pub fn share(&self, value: f64) -> f64 {
        let (from, to) = self.range;
        match self.scale {
            Scale::Linear => (value - from) / (to - from),
            Scale::Log => (value / from).ln() / (to / from).ln(),
        }
    }

    /// Values to number, about `wanted` of them.
    pub fn ticks(&self, wanted: usize) -> Vec<f64> {
        let (low, high) = ordered(self.range);
        match self.scale {
            Scale::Linear => {
                let ticks = linear_ticks(low, high, wanted);
                // One number alone gives no scale.
                if ticks.len() > 1 {
                    ticks
                } else {
                    linear_ticks(low, high, 2 * wanted)
                }
            }
            Scale::Log => log_ticks(low, high),
        }
    }
}

fn ordered((a, b): (f64, f64)) -> (f64, f64) {
    if a <= b { (a, b) } else { (b, a) }
}

/// Multiples of 1, 2 or 5 times a power of ten within `low..=high`.
fn linear_ticks(low: f64, high: f64, wanted: usize) -> Vec<f64> {
    let rough = (high - low) / wanted.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|digit| digit * power)
        .find(|&step| step >= rough * 0.7)
        .unwrap_or(10.0 * power);
    let slack = 1e-9 * (high - low);
    let first = ((low - slack) / step).ceil() as i64;
    let last = ((high + slack) / step).floor() as i64;
    (first..=last).map(|index| index as f64 * step).collect()
}

/// Powers of ten within `low..=high`; with 2 and 5 between them where these alone are too few.
fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let within = |digits: &[f64]| -> Vec<f64> {
        powers
            .clone()
            .flat_map(|power| digits.iter().map(move |digit| digit * 10f64.powi(power)))
            .filter(|value| (low * 0.999..=high * 1.001).contains(value))
            .collect()
    };
    let choices = [within(&[1.0]), within(&[1.0, 2.0, 5.0])];
    let enough = choices.into_iter().find(|ticks| ticks.len() >= 3);
    enough.unwrap_or_else(|| linear_ticks(low, high, 4))
}

impl Axis<'_> {
    /// Numbers to print at `ticks`.
    pub fn texts(&self, ticks: &[f64]) -> Vec<String> {
        match self.scale {
            Scale::Linear => linear_texts(ticks),
            Scale::Log => ticks.iter().map(|&tick| log_text(tick)).collect(),
        }
    }
}

/// At most three significant digits; plain where that is short.
fn log_text(tick: f64) -> String {
    // Rounding drops the binary dust of a product such as 3 × 0.1.
    let rounded = format!("{tick:.2e}").parse().unwrap_or(tick);
    if (1e-4..1e5).contains(&rounded) {
        format!("{rounded}")
    } else {
        format!("{rounded:e}")
    }
}

/// Shortest decimal text that tells `ticks` apart.
fn linear_texts(ticks: &[f64]) -> Vec<String> {
    let size = ticks.iter().fold(0.0f64, |most, tick| most.max(tick.abs()));
    let steps = ticks.windows(2).map(|pair| (pair[1] - pair[0]).abs());
    let step = steps.fold(f64::INFINITY, f64::min).min(size);
    if size >= 1e5 || (size > 0.0 && step < 1e-4) {
        return ticks.iter().map(|tick| format!("{tick:.0e}")).collect();
    }
    let digits = if step > 0.0 && step.is_finite() {
        (-(step * 1.0001).log10().floor()).max(0.0) as usize
    } else {
        0
    };
    ticks
        .iter()
        .map(|tick| format!("{tick:.digits$}"))
        .collect()
}

/// Axes placed on a canvas.
#[derive(Clone, Copy, Debug)]
pub struct Axes<'a> {
    /// Left top and right bottom corner, pixels.
    pub area: (Point, Point),
    pub horizontal: Axis<'a>,
    pub vertical: Axis<'a>,
}

impl Axes<'_> {
    /// Canvas position of a data point.
    pub fn at(&self, horizontal: f64, vertical: f64) -> Point {
        let ((left, top), (right, bottom)) = self.area;
        let across = self.horizontal.share(horizontal) as f32;
        let up = self.vertical.share(vertical) as f32;
        (left + across * (right - left), bottom - up * (bottom - top))
    }

    /// Ruled lines behind the data.
    pub fn grid(&self, canvas: &mut Canvas) {
        let ((left, top), (right, bottom)) = self.area;
        let pen = Pen::new(GRID, 1.0);
        for tick in self.horizontal.ticks(self.wanted_across()) {
            let (x, _) = self.at(tick, self.vertical.range.0);
            canvas.line(&[(x, top), (x, bottom)], pen);
        }
        for tick in self.vertical.ticks(self.wanted_up()) {
            let (_, y) = self.at(self.horizontal.range.0, tick);
            canvas.line(&[(left, y), (right, y)], pen);
        }
    }

    /// Border, numbers and names; drawn after the data so that the border stays clean.
    pub fn frame(&self, canvas: &mut Canvas) {
        canvas.outline_rect(self.area, Pen::new(INK, FRAME_WIDTH));
        self.number_across(canvas);
        self.number_up(canvas);
    }

    /// Title above the border.
    pub fn title(&self, canvas: &mut Canvas, title: &str) {
        self.heading(canvas, title, TITLE);
    }

    /// Smaller title, for one panel of several.
    pub fn panel_title(&self, canvas: &mut Canvas, title: &str) {
        self.heading(canvas, title, LABEL);
    }

    fn heading(&self, canvas: &mut Canvas, title: &str, size: f32) {
        let ((left, top), (right, _)) = self.area;
        // A long title begins at the edge of the picture and goes on over what is to the right.
        let middle = ((left + right) / 2.0).max(canvas.text_width(title, size) / 2.0 + 6.0);
        let at = (middle, top - 0.95 * size);
        canvas.text(at, title, text(size, Anchor::Middle, false));
    }

    fn wanted_across(&self) -> usize {
        let ((left, _), (right, _)) = self.area;
        (((right - left) / 75.0) as usize).clamp(2, 10)
    }

    fn wanted_up(&self) -> usize {
        let ((_, top), (_, bottom)) = self.area;
        (((bottom - top) / 50.0) as usize).clamp(2, 10)
    }

    fn number_across(&self, canvas: &mut Canvas) {
        let ((left, _), (right, bottom)) = self.area;
        let ticks = self.horizontal.ticks(self.wanted_across());
        for (&tick, number) in ticks.iter().zip(self.horizontal.texts(&ticks)) {
            let (x, _) = self.at(tick, self.vertical.range.0);
            canvas.line(
                &[(x, bottom), (x, bottom + 5.0)],
                Pen::new(INK, FRAME_WIDTH),
            );
            let at = (x, bottom + 8.0 + SMALL / 2.0);
            canvas.text(at, &number, text(SMALL, Anchor::Middle, false));
        }
        let at = ((left + right) / 2.0, bottom + 16.0 + SMALL + LABEL / 2.0);
        canvas.text(
            at,
            self.horizontal.label,
            text(LABEL, Anchor::Middle, false),
        );
    }

    fn number_up(&self, canvas: &mut Canvas) {
        let ((left, top), (_, bottom)) = self.area;
        let ticks = self.vertical.ticks(self.wanted_up());
        let mut widest = 0.0f32;
        for (&tick, number) in ticks.iter().zip(self.vertical.texts(&ticks)) {
            let (_, y) = self.at(self.horizontal.range.0, tick);
            canvas.line(&[(left - 5.0, y), (left, y)], Pen::new(INK, FRAME_WIDTH));
            canvas.text((left - 8.0, y), &number, text(SMALL, Anchor::End, false));
            widest = widest.max(canvas.text_width(&number, SMALL));
        }
        let at = (left - 15.0 - widest - LABEL / 2.0, (top + bottom) / 2.0);
        canvas.text(at, self.vertical.label, text(LABEL, Anchor::Middle, true));
    }
}

/// Dark text.
pub fn text(size: f32, anchor: Anchor, upright: bool) -> Text {
    Text {
        size,
        colour: INK,
        anchor,
        upright,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_ticks_are_round_and_inside() {
        let texts = |range, wanted| linear_texts(&Axis::linear(range, "").ticks(wanted));
        assert_eq!(
            texts((0.0, 1.0), 5),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(texts((-0.5, 10.5), 6), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(texts((10.5, -0.5), 6), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(texts((3.9, 5.2), 3), ["4.0", "4.5", "5.0"]);
        assert_eq!(texts((5.52, 6.42), 2), ["5.6", "5.8", "6.0", "6.2", "6.4"]);
        assert_eq!(texts((0.0, 4e6), 4), ["0e0", "1e6", "2e6", "3e6", "4e6"]);
    }

    #[test]
    fn log_ticks_fill_short_ranges() {
        assert_eq!(log_ticks(0.3, 900.0), [1.0, 10.0, 100.0]);
        let short = log_ticks(0.02, 0.3);
        let wanted = [0.02, 0.05, 0.1, 0.2];
        assert!(short.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-12));
        assert_eq!(short.len(), wanted.len());
        assert_eq!(log_ticks(2.4, 3.9), [2.5, 3.0, 3.5]);
        let texts = [1e-7, 0.002, 3.0 * 0.1, 20.0, 1e6].map(log_text);
        assert_eq!(texts, ["1e-7", "0.002", "0.3", "20", "1e6"]);
    }

    #[test]
    fn data_land_where_the_axes_say() {
        let axes = Axes {
            area: ((100.0, 50.0), (300.0, 250.0)),
            horizontal: Axis::linear((0.0, 10.0), ""),
            vertical: Axis {
                range: (0.01, 1.0),
                scale: Scale::Log,
                label: "",
            },
        };
        let (x, y) = axes.at(5.0, 0.1);
        assert!((x - 200.0).abs() < 1e-3 && (y - 150.0).abs() < 1e-3);
    }
}
