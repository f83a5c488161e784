//! Axes and curves as inline SVG, coloured by the style sheet.

use super::labels::{LINE, Point};
use super::markup::{Markup, place};
use crate::plot::axes::Axis;

/// An SVG picture with its name and a description for those who do not see it.
pub struct Picture<'a> {
    /// Units across and down.
    pub size: (f64, f64),
    /// Classes of the style sheet.
    pub class: &'a str,
    pub title: &'a str,
    pub description: &'a str,
}

impl Picture<'_> {
    /// Writes it around what `inside` draws.
    pub fn write(&self, page: &mut Markup, inside: impl FnOnce(&mut Markup)) {
        let view = format!("0 0 {} {}", place(self.size.0), place(self.size.1));
        let attributes = [
            ("viewBox", view.as_str()),
            ("role", "img"),
            ("class", self.class),
        ];
        page.element("svg", &attributes, |svg| {
            svg.tagged("title", &[], self.title);
            svg.tagged("desc", &[], self.description);
            inside(svg);
        });
    }
}

/// A rectangle with two numbered axes.
pub struct Panel<'a> {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
    pub horizontal: Axis<'a>,
    pub vertical: Axis<'a>,
    /// About how many numbers across and up.
    pub wanted: (usize, usize),
}

impl Panel<'_> {
    /// Where a value lies.
    pub fn at(&self, horizontal: f64, vertical: f64) -> Point {
        let across = self.horizontal.share(horizontal);
        let up = self.vertical.share(vertical);
        (
            self.left + across * (self.right - self.left),
            self.bottom - up * (self.bottom - self.top),
        )
    }

    /// Lines, numbers and names, to be drawn before the data.
    pub fn axes(&self, svg: &mut Markup) {
        self.across(svg);
        self.up(svg);
    }

    /// The horizontal axis alone.
    pub fn across(&self, svg: &mut Markup) {
        let ticks = self.horizontal.ticks(self.wanted.0);
        for (tick, text) in ticks.iter().zip(self.horizontal.texts(&ticks)) {
            let (x, _) = self.at(*tick, self.vertical.range.0);
            line(svg, "rule", (x, self.top), (x, self.bottom));
            label(svg, "tick middle", (x, self.bottom + 15.0), &text);
        }
        let middle = (self.left + self.right) / 2.0;
        label(
            svg,
            "name middle",
            (middle, self.bottom + 32.0),
            self.horizontal.label,
        );
    }

    /// The vertical axis alone.
    pub fn up(&self, svg: &mut Markup) {
        let ticks = self.vertical.ticks(self.wanted.1);
        let mut last = f64::INFINITY;
        for (tick, text) in ticks.iter().zip(self.vertical.texts(&ticks)) {
            let (_, y) = self.at(self.horizontal.range.0, *tick);
            // Logarithmic axes may offer more numbers than a small panel has room for.
            if (last - y).abs() < LINE {
                continue;
            }
            last = y;
            line(svg, "rule", (self.left, y), (self.right, y));
            label(svg, "tick end", (self.left - 6.0, y + 4.0), &text);
        }
        line(
            svg,
            "axis",
            (self.left, self.bottom),
            (self.right, self.bottom),
        );
        // Upright text is hard to read: the name stands above its axis.
        label(svg, "name", (2.0, self.top - 9.0), self.vertical.label);
    }

    /// A curve through `points`, whose name shows under the pointer.
    pub fn curve(&self, svg: &mut Markup, class: &str, name: &str, points: &[(f64, f64)]) {
        let at = points.iter().map(|&(x, y)| {
            let (x, y) = self.at(x, y);
            format!("{},{}", place(x), place(y))
        });
        let at = at.collect::<Vec<_>>().join(" ");
        svg.element("polyline", &[("class", class), ("points", &at)], |svg| {
            svg.tagged("title", &[], name);
        });
    }
}

/// A straight line.
pub fn line(svg: &mut Markup, class: &str, from: Point, to: Point) {
    let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(place);
    let ends = [("x1", x1.as_str()), ("y1", &y1), ("x2", &x2), ("y2", &y2)];
    svg.empty("line", &[&[("class", class)], &ends[..]].concat());
}

/// Text from, to or around a point on its base line, as the class says.
pub fn label(svg: &mut Markup, class: &str, at: Point, text: &str) {
    if !text.is_empty() {
        let (x, y) = (place(at.0), place(at.1));
        svg.tagged("text", &[("class", class), ("x", &x), ("y", &y)], text);
    }
}

/// Marks of the three kinds of figures: never told apart by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A ring: as printed by others.
    Printed,
    /// A dot: cells as answers.
    Grid,
    /// A diamond: answers between the cells.
    OffGrid,
}

impl Mark {
    /// Class of the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Printed => "printed",
            Self::Grid => "grid",
            Self::OffGrid => "off",
        }
    }

    /// Draws it; `name` shows under the pointer.
    pub fn draw(self, svg: &mut Markup, (x, y): Point, name: &str) {
        let class = format!("mark {}", self.class());
        let title = |svg: &mut Markup| svg.tagged("title", &[], name);
        if self == Self::OffGrid {
            let [left, right, top, bottom] = [x - 5.5, x + 5.5, y - 5.5, y + 5.5].map(place);
            let (x, y) = (place(x), place(y));
            let path = format!("M{left},{y}L{x},{top}L{right},{y}L{x},{bottom}Z");
            svg.element("path", &[("class", &class), ("d", &path)], title);
        } else {
            let (x, y) = (place(x), place(y));
            let attributes = [
                ("class", class.as_str()),
                ("cx", &x),
                ("cy", &y),
                ("r", "4.2"),
            ];
            svg.element("circle", &attributes, title);
        }
    }
}

/// What the marks mean, for the captions of pictures that use them.
pub fn legend(page: &mut Markup) {
    page.element("ul", &[("class", "legend")], |list| {
        for (mark, meaning) in [
            (
                Mark::Printed,
                "published: as printed by the authors, on their data",
            ),
            (Mark::Grid, "measured here: cells of the grid as answers"),
            (Mark::OffGrid, "measured here: answers between the cells"),
        ] {
            list.element("li", &[], |item| {
                let class = format!("key {}", mark.class());
                item.tagged("span", &[("class", &class), ("aria-hidden", "true")], "");
                item.text(meaning);
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_at_their_values() {
        let panel = Panel {
            left: 100.0,
            top: 20.0,
            right: 300.0,
            bottom: 220.0,
            horizontal: Axis::linear((0.0, 10.0), "steps"),
            vertical: Axis::linear((0.0, 100.0), "per cent"),
            wanted: (2, 2),
        };
        assert_eq!(panel.at(5.0, 25.0), (200.0, 170.0));
        let mut svg = Markup::default();
        panel.axes(&mut svg);
        let text = svg.finish();
        for expected in [
            "x=\"200\" y=\"235\">5<",
            "x=\"94\" y=\"124\">50<",
            ">steps<",
            ">per cent<",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
}
