//! Answers of all methods to the same frames.

use derefnet_core::physics::{FRAME_SIDE, MAP_SIDE, RATIO};

use super::chart::Picture;
use super::heat::address;
use super::labels::Point;
use super::markup::{Markup, place};
use super::read::{Row, Table};
use crate::benchmark::result::GalleryFrame;

/// Units a low-resolution pixel is drawn with, close up.
const ZOOM: f64 = 40.0;
/// Low-resolution pixels of a close-up.
const FIELD: f64 = 3.0;
const SIDE: f64 = ZOOM * FIELD;
/// Side of the whole field, in the corner.
const INSET: f64 = 33.0;

/// A frame that several rows answered.
struct Frame<'a> {
    picture: &'a GalleryFrame,
    /// The brightest colour, counts.
    high: f64,
    /// Top left corner of the close-up, low-resolution pixels, row and column.
    corner: Point,
}

/// Writes the gallery; nothing where no row has answers.
pub fn write(page: &mut Markup, table: &Table) {
    let frames = frames(&table.rows);
    if frames.is_empty() {
        return;
    }
    let rows: Vec<&Row> = table
        .rows
        .iter()
        .filter(|row| !row.result.gallery.is_empty())
        .collect();
    page.tagged("h3", &[], "The same frames, by every method");
    page.element("figure", &[], |figure| {
        figure.element("div", &[("class", "gallery")], |page| {
            line(page, "the sensor's frames", &frames, |page, frame, k| {
                sensor(page, table, frame, k);
            });
            for row in &rows {
                line(page, &row.result.label, &frames, |page, frame, k| {
                    answer(page, table, row, frame, k);
                });
            }
        });
        figure.element("figcaption", &[], |caption| {
            key(caption, &frames);
            caption.tagged("p", &[("class", "note")], &caption_of(&frames));
        });
    });
}

/// The frames of all rows, in the order of the first row that has them.
fn frames(rows: &[Row]) -> Vec<Frame<'_>> {
    let mut frames: Vec<Frame> = Vec::new();
    for picture in rows.iter().flat_map(|row| &row.result.gallery) {
        if !frames.iter().any(|frame| same(frame.picture, picture)) {
            frames.push(Frame {
                picture,
                high: high(rows, picture),
                corner: corner(picture),
            });
        }
    }
    frames
}

fn same(a: &GalleryFrame, b: &GalleryFrame) -> bool {
    (a.trajectory, a.frame) == (b.trajectory, b.frame)
}

/// The brightest cell of all maps of a frame, at most twice the brightest target: one method that
/// strays must not darken the others.
fn high(rows: &[Row], picture: &GalleryFrame) -> f64 {
    let of_frame = rows
        .iter()
        .flat_map(|row| &row.result.gallery)
        .filter(|p| same(p, picture));
    let cells = of_frame
        .filter_map(|picture| picture.map.as_ref())
        .flatten();
    let brightest = cells.fold(0.0f64, |most, &cell| most.max(cell));
    let target = picture
        .truth
        .iter()
        .map(|target| target[2])
        .fold(0.0, f64::max);
    let bounded = if target > 0.0 {
        brightest.min(2.0 * target)
    } else {
        brightest
    };
    bounded.max(1.0)
}

/// Centres the close-up on the targets, within the field.
fn corner(picture: &GalleryFrame) -> Point {
    let middle = |axis: usize| {
        let all = picture.truth.iter().map(|target| target[axis]);
        let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let middle = if low <= high {
            (low + high) / 2.0
        } else {
            (FRAME_SIDE - 1) as f64 / 2.0
        };
        (middle - FIELD / 2.0).clamp(-0.5, FRAME_SIDE as f64 - 0.5 - FIELD)
    };
    (middle(0), middle(1))
}

fn line(
    page: &mut Markup,
    name: &str,
    frames: &[Frame],
    cell: impl Fn(&mut Markup, &Frame, usize),
) {
    page.element("div", &[("class", "strip")], |strip| {
        strip.tagged("p", &[("class", "strip-name")], name);
        for (k, frame) in frames.iter().enumerate() {
            cell(strip, frame, k);
        }
    });
}

impl Frame<'_> {
    /// Where a place of the field is in the close-up; rows go down.
    fn at(&self, row: f64, column: f64) -> Point {
        (
            ZOOM * (column - self.corner.1),
            ZOOM * (row - self.corner.0),
        )
    }

    /// Draws a picture over the whole field so that the close-up shows its part of it.
    fn image(&self, svg: &mut Markup, address: &str, id: &str) {
        let (left, top) = self.at(-0.5, -0.5);
        let side = place(ZOOM * FRAME_SIDE as f64);
        let attributes = [
            ("id", id),
            ("href", address),
            ("width", &side),
            ("height", &side),
            ("x", &place(left)),
            ("y", &place(top)),
            ("preserveAspectRatio", "none"),
        ];
        svg.empty("image", &attributes);
        self.inset(svg, id, (left, top));
    }

    /// The whole field in the corner, with what is shown close up framed.
    fn inset(&self, svg: &mut Markup, id: &str, (left, top): Point) {
        let scale = INSET / (ZOOM * FRAME_SIDE as f64);
        let (x, y) = (SIDE - INSET - 2.0, 2.0);
        let link = format!("#{id}");
        let shift = format!(
            "translate({} {}) scale({scale:.5}) translate({} {})",
            place(x),
            place(y),
            place(-left),
            place(-top)
        );
        let clip = format!("{id}-clip");
        svg.element("clipPath", &[("id", &clip)], |svg| {
            rectangle(svg, "", (x, y), INSET)
        });
        let within = format!("url(#{clip})");
        svg.element("g", &[("clip-path", &within)], |svg| {
            svg.empty("use", &[("href", &link), ("transform", &shift)]);
        });
        rectangle(svg, "inset", (x, y), INSET);
        let cells = INSET / FRAME_SIDE as f64;
        let corner = (
            x + cells * (self.corner.1 + 0.5),
            y + cells * (self.corner.0 + 0.5),
        );
        rectangle(svg, "inset part", corner, cells * FIELD);
    }

    fn truth(&self, svg: &mut Markup) {
        for &[row, column, _] in &self.picture.truth {
            let (x, y) = self.at(row, column);
            let [left, right, top, bottom] = [x - 7.0, x + 7.0, y - 7.0, y + 7.0].map(place);
            let (x, y) = (place(x), place(y));
            let path = format!("M{left},{y}H{right}M{x},{top}V{bottom}");
            // A dark edge keeps the cross visible on bright cells.
            for class in ["cross edge", "cross"] {
                svg.empty("path", &[("class", class), ("d", &path)]);
            }
        }
    }
}

fn rectangle(svg: &mut Markup, class: &str, (x, y): Point, side: f64) {
    let side = place(side);
    let attributes = [
        ("x", place(x)),
        ("y", place(y)),
        ("width", side.clone()),
        ("height", side),
        ("class", class.to_owned()),
    ];
    let attributes = attributes.iter().map(|(key, value)| (*key, value.as_str()));
    let attributes: Vec<_> = attributes.filter(|(_, value)| !value.is_empty()).collect();
    svg.empty("rect", &attributes);
}

fn sensor(page: &mut Markup, table: &Table, frame: &Frame, k: usize) {
    let counts = &frame.picture.frame_counts;
    let counts = || counts.iter().map(|&count| f64::from(count));
    let high = counts().fold(1.0, f64::max);
    let title = format!("Frame {}: what the sensor saw", k + 1);
    let description = format!(
        "11 by 11 pixels, brightest {high:.0} counts, with {} targets close together",
        frame.picture.truth.len()
    );
    let id = format!("{}-sensor-{k}", table.anchor);
    closeup(page, (&title, &description), |svg| {
        let address = address(counts(), FRAME_SIDE, high);
        frame.image(svg, &address, &id);
        frame.truth(svg);
    });
}

fn answer(page: &mut Markup, table: &Table, row: &Row, frame: &Frame, k: usize) {
    let Some(picture) = row
        .result
        .gallery
        .iter()
        .find(|picture| same(picture, frame.picture))
    else {
        page.tagged("p", &[("class", "none")], "no answer kept");
        return;
    };
    let title = format!("Frame {} by {}", k + 1, row.result.label);
    let found = picture.targets.as_ref().map_or_else(
        || "no answers between the cells".to_owned(),
        |targets| format!("{} answers between the cells", targets.len()),
    );
    let map = if picture.map.is_some() {
        "map of 33 by 33 cells"
    } else {
        "no map"
    };
    let description = format!("{} targets; {map}, {found}", frame.picture.truth.len());
    let id = format!("{}-{k}", super::tables::row_anchor(table, row));
    closeup(page, (&title, &description), |svg| {
        if let Some(map) = &picture.map {
            let cells = map.iter().copied();
            frame.image(svg, &address(cells, MAP_SIDE, frame.high), &id);
        }
        frame.truth(svg);
        for &[row, column, score] in picture.targets.iter().flatten() {
            let (x, y) = frame.at(row, column);
            let (x, y) = (place(x), place(y));
            let attributes = [
                ("class", "found"),
                ("cx", x.as_str()),
                ("cy", &y),
                ("r", "2.6"),
            ];
            svg.element("circle", &attributes, |svg| {
                let text = format!("row {row:.2}, column {column:.2}, score {score:.2}");
                svg.tagged("title", &[], &text);
            });
        }
    });
}

fn closeup(
    page: &mut Markup,
    (title, description): (&str, &str),
    inside: impl FnOnce(&mut Markup),
) {
    let picture = Picture {
        size: (SIDE, SIDE),
        class: "closeup",
        title,
        description,
    };
    picture.write(page, |svg| {
        let side = place(SIDE);
        svg.empty(
            "rect",
            &[("class", "ground"), ("width", &side), ("height", &side)],
        );
        inside(svg);
    });
}

/// Colours and marks.
fn key(page: &mut Markup, frames: &[Frame]) {
    page.element("ul", &[("class", "legend")], |list| {
        for (class, meaning) in [
            ("key cross-key", "targets"),
            ("key found-key", "answers between the cells"),
        ] {
            list.element("li", &[], |item| {
                item.tagged("span", &[("class", class), ("aria-hidden", "true")], "");
                item.text(meaning);
            });
        }
        let highs = frames.iter().map(|frame| format!("{:.0}", frame.high));
        let highs = highs.collect::<Vec<_>>().join(", ");
        list.element("li", &[], |item| {
            let ramp = address((0..64).map(f64::from), 64, 63.0);
            let alternative = "colours from black over purple and orange to pale yellow";
            item.empty(
                "img",
                &[("src", &ramp), ("alt", alternative), ("class", "ramp")],
            );
            item.text(&format!(
                "0 to {highs} counts (frames 1 to {})",
                frames.len()
            ));
        });
    });
}

fn caption_of(frames: &[Frame]) -> String {
    let names = frames.iter().map(|frame| {
        let (trajectory, number) = (frame.picture.trajectory, frame.picture.frame);
        format!("trajectory {trajectory}, frame {number}")
    });
    format!(
        "{}. Close-ups of {FIELD:.0}×{FIELD:.0} low-resolution pixels, {} cells, around the targets; the whole \
         field in the corner. One colour scale a frame for all methods, ending at the brightest cell, or \
         at twice the brightest target where some method went beyond; the sensor's frames have scales of \
         their own.",
        names.collect::<Vec<_>>().join("; "),
        format_args!("{0}×{0}", FIELD as usize * RATIO)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(truth: Vec<[f64; 3]>) -> GalleryFrame {
        GalleryFrame {
            trajectory: 1,
            frame: 2,
            truth,
            frame_counts: Vec::new(),
            map: None,
            targets: None,
        }
    }

    #[test]
    fn closeups_stay_within_the_field() {
        assert_eq!(
            corner(&picture(vec![[5.0, 4.8, 230.0], [5.0, 5.2, 230.0]])),
            (3.5, 3.5)
        );
        assert_eq!(corner(&picture(vec![[0.2, 10.4, 230.0]])), (-0.5, 7.5));
        assert_eq!(corner(&picture(Vec::new())), (3.5, 3.5));
    }

    #[test]
    fn crosses_stand_on_their_cells() {
        let picture = picture(vec![[5.0, 4.8, 230.0]]);
        let frame = Frame {
            picture: &picture,
            high: 1.0,
            corner: (3.0, 3.0),
        };
        // One low-resolution pixel down and half of one to the right of the corner.
        assert_eq!(frame.at(4.0, 3.5), (20.0, 40.0));
    }
}
