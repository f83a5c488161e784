//! Drawing surface: anti-aliased lines, shapes and text on an opaque bitmap.

use std::path::Path;

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};
use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Paint, PathBuilder, Pixmap, Rect, Stroke, StrokeDash,
    Transform,
};

use super::style::{CURVE_WIDTH, CURVES, Rgb, WHITE};
use crate::{Error, Result, atomic};

/// Position on the canvas in pixels, right and down.
pub type Point = (f32, f32);

/// Where a text's anchor point lies within it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text is set.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    pub size: f32,
    pub colour: Rgb,
    pub anchor: Anchor,
    /// Turned a quarter left, to be read from bottom to top.
    pub upright: bool,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Pen {
    pub colour: Rgb,
    pub width: f32,
    pub dashed: bool,
}

impl Pen {
    /// Solid line.
    pub fn new(colour: Rgb, width: f32) -> Self {
        Self {
            colour,
            width,
            dashed: false,
        }
    }
}

/// Pens of a many-curve figure, as many as needed; dashed where colours repeat.
pub fn pens() -> impl Iterator<Item = Pen> {
    (0..).map(|index: usize| Pen {
        colour: CURVES[index % CURVES.len()],
        width: CURVE_WIDTH,
        dashed: index / CURVES.len() % 2 == 1,
    })
}

pub struct Canvas {
    pixmap: Pixmap,
    font: FontRef<'static>,
    clip: Option<tiny_skia::Mask>,
    /// Dots of the picture per pixel of the layout.
    scale: f32,
}

impl Canvas {
    /// White canvas of `width` × `height` pixels.
    pub fn new(width: f32, height: f32) -> Result<Self> {
        Self::scaled(width, height, 1.0)
    }

    /// White canvas whose every length, also `width` and `height`, is drawn `scale` times as large:
    /// a figure that shows fine detail and still reads where it is shown small.
    pub fn scaled(width: f32, height: f32, scale: f32) -> Result<Self> {
        let dots = |length: f32| (scale * length).ceil() as u32;
        let (width, height) = (dots(width), dots(height));
        let mut pixmap = Pixmap::new(width, height)
            .ok_or_else(|| Error::usage(format!("a figure of {width}x{height} pixels")))?;
        pixmap.fill(colour_of(WHITE));
        let font = FontRef::try_from_slice(dejavu::sans::regular())
            .map_err(|source| Error::usage(format!("embedded font: {source}")))?;
        Ok(Self {
            pixmap,
            font,
            clip: None,
            scale,
        })
    }

    /// From the layout to the dots of the picture.
    fn transform(&self) -> Transform {
        Transform::from_scale(self.scale, self.scale)
    }

    /// Limits lines and shapes (not text) to a rectangle, or lifts the limit.
    pub fn clip(&mut self, area: Option<(Point, Point)>) {
        self.clip = area.and_then(|area| {
            let rect = rect_of(area)?;
            let mut mask = tiny_skia::Mask::new(self.pixmap.width(), self.pixmap.height())?;
            let path = PathBuilder::from_rect(rect);
            mask.fill_path(&path, FillRule::Winding, false, self.transform());
            Some(mask)
        });
    }

    pub fn fill_rect(&mut self, area: (Point, Point), colour: Rgb) {
        if let Some(rect) = rect_of(area) {
            let mut paint = paint_of(colour);
            // Neighbouring cells must meet without a seam.
            paint.anti_alias = false;
            let transform = self.transform();
            self.pixmap
                .fill_rect(rect, &paint, transform, self.clip.as_ref());
        }
    }

    pub fn outline_rect(&mut self, ((left, top), (right, bottom)): (Point, Point), pen: Pen) {
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
        self.polygon(&corners, pen);
    }

    pub fn line(&mut self, points: &[Point], pen: Pen) {
        self.stroke(points, false, pen);
    }

    pub fn polygon(&mut self, points: &[Point], pen: Pen) {
        self.stroke(points, true, pen);
    }

    pub fn disc(&mut self, (x, y): Point, radius: f32, colour: Rgb) {
        if let Some(path) = PathBuilder::from_circle(x, y, radius) {
            let (paint, transform) = (paint_of(colour), self.transform());
            let clip = self.clip.as_ref();
            self.pixmap
                .fill_path(&path, &paint, FillRule::Winding, transform, clip);
        }
    }

    pub fn fill_polygon(&mut self, points: &[Point], colour: Rgb) {
        if let Some(path) = path_of(points, true) {
            let (paint, transform) = (paint_of(colour), self.transform());
            let clip = self.clip.as_ref();
            self.pixmap
                .fill_path(&path, &paint, FillRule::Winding, transform, clip);
        }
    }

    fn stroke(&mut self, points: &[Point], closed: bool, pen: Pen) {
        if let Some(path) = path_of(points, closed) {
            self.stroke_path(&path, pen);
        }
    }

    fn stroke_path(&mut self, path: &tiny_skia::Path, pen: Pen) {
        let dash = if pen.dashed {
            StrokeDash::new(vec![3.0 * pen.width, 2.0 * pen.width], 0.0)
        } else {
            None
        };
        let stroke = Stroke {
            width: pen.width,
            line_cap: LineCap::Butt,
            line_join: LineJoin::Round,
            dash,
            ..Stroke::default()
        };
        let (paint, transform) = (paint_of(pen.colour), self.transform());
        let clip = self.clip.as_ref();
        self.pixmap
            .stroke_path(path, &paint, &stroke, transform, clip);
    }

    /// Width of `text` at `size`, in pixels.
    pub fn text_width(&self, text: &str, size: f32) -> f32 {
        self.layout(text, size).1
    }

    /// Writes one line, centred on `at` across the reading direction.
    pub fn text(&mut self, at: Point, text: &str, style: Text) {
        let at = (self.scale * at.0, self.scale * at.1);
        let size = self.scale * style.size;
        let (glyphs, width) = self.layout(text, size);
        let shift = match style.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -width / 2.0,
            Anchor::End => -width,
        };
        // Digits and capitals of DejaVu are 0.73 em high.
        let baseline = 0.365 * size;
        for glyph in glyphs {
            let Some(outline) = self.font.outline_glyph(glyph) else {
                continue;
            };
            let bounds = outline.px_bounds();
            let pixmap = &mut self.pixmap;
            outline.draw(|column, row, coverage| {
                let along = bounds.min.x + column as f32 + shift;
                let down = bounds.min.y + row as f32 + baseline;
                let (x, y) = if style.upright {
                    (at.0 + down, at.1 - along)
                } else {
                    (at.0 + along, at.1 + down)
                };
                blend(pixmap, (x.round(), y.round()), style.colour, coverage);
            });
        }
    }

    fn layout(&self, text: &str, size: f32) -> (Vec<Glyph>, f32) {
        let per_em = self.font.units_per_em().unwrap_or(2048.0);
        // ab_glyph scales by the height of a line, typographers by the em.
        let scale = PxScale::from(size * self.font.height_unscaled() / per_em);
        let font = self.font.as_scaled(scale);
        let mut pen = 0.0;
        let mut last = None;
        let glyphs = text.chars().map(|letter| {
            let id = font.glyph_id(letter);
            if let Some(last) = last.replace(id) {
                pen += font.kern(last, id);
            }
            let glyph = id.with_scale_and_position(scale, point(pen, 0.0));
            pen += font.h_advance(id);
            glyph
        });
        let glyphs = glyphs.collect();
        (glyphs, pen)
    }

    /// Writes the picture to `path`.
    pub fn save(&self, path: &Path) -> Result<()> {
        let bytes = self
            .encode()
            .map_err(|source| Error::io(path, std::io::Error::other(source)))?;
        atomic::write_bytes(path, &bytes)
    }

    fn encode(&self) -> std::result::Result<Vec<u8>, png::EncodingError> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.pixmap.width(), self.pixmap.height());
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let opaque: Vec<u8> = self
            .pixmap
            .pixels()
            .iter()
            .flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()])
            .collect();
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&opaque)?;
        writer.finish()?;
        Ok(bytes)
    }
}

fn colour_of([red, green, blue]: Rgb) -> Color {
    Color::from_rgba8(red, green, blue, 255)
}

fn paint_of(colour: Rgb) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color(colour_of(colour));
    paint.anti_alias = true;
    paint
}

fn path_of(points: &[Point], closed: bool) -> Option<tiny_skia::Path> {
    let mut builder = PathBuilder::new();
    for (index, &(x, y)) in points.iter().enumerate() {
        if index == 0 {
            builder.move_to(x, y);
        } else {
            builder.line_to(x, y);
        }
    }
    if closed {
        builder.close();
    }
    builder.finish()
}

fn rect_of(((left, top), (right, bottom)): (Point, Point)) -> Option<Rect> {
    Rect::from_ltrb(left, top, right, bottom)
}

/// Mixes `colour` into one pixel; outside the canvas nothing happens.
fn blend(pixmap: &mut Pixmap, (x, y): Point, colour: Rgb, coverage: f32) {
    let (width, height) = (pixmap.width() as f32, pixmap.height() as f32);
    if x < 0.0 || y < 0.0 || x >= width || y >= height {
        return;
    }
    let start = 4 * (y as usize * pixmap.width() as usize + x as usize);
    let share = coverage.clamp(0.0, 1.0);
    for (old, new) in pixmap.data_mut()[start..start + 3].iter_mut().zip(colour) {
        *old = (f32::from(*old) + share * (f32::from(new) - f32::from(*old))).round() as u8;
    }
}
