//! JSON lists of points per frame: an array of frames, each an array of `[x, y, third]`.
//!
//! The reader follows its own position instead of the parser's line and column alone, so that
//! every error names the frame, the entry and the field. Indices count from 0.

use std::cell::Cell;
use std::fmt;
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};

use crate::{Error, Result};

/// Points of one frame.
pub type Points = Vec<[f64; 3]>;

/// Reads the file at `path`; `third` names the third field, `"score"` or `"intensity"`.
///
/// # Errors
/// [`Error::Io`] if it cannot be read, [`Error::Format`] naming frame, entry, field and expected
/// value if it holds anything but finite numbers in the layout above.
pub fn read(path: &Path, third: &'static str) -> Result<Vec<Points>> {
    let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
    parse(&bytes, third).map_err(|message| Error::format(path, message))
}

/// [`read`] on bytes in memory; the error is a message without the file's name.
///
/// # Errors
/// A message naming frame, entry, field and expected value.
pub fn parse(bytes: &[u8], third: &'static str) -> std::result::Result<Vec<Points>, String> {
    let place = Cell::new(Place::default());
    let fields = Fields {
        third,
        place: &place,
    };
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let frames = Frames(fields)
        .deserialize(&mut parser)
        .map_err(|error| format!("{}{error}", fields.describe(place.get())))?;
    parser
        .end()
        .map_err(|error| format!("after the array of frames: {error}"))?;
    Ok(frames)
}

/// How deep the reader is, and where.
#[derive(Clone, Copy, Default)]
struct Place {
    frame: Option<usize>,
    entry: Option<usize>,
    field: Option<usize>,
}

#[derive(Clone, Copy)]
struct Fields<'p> {
    third: &'static str,
    place: &'p Cell<Place>,
}

impl Fields<'_> {
    fn name(&self, field: usize) -> &'static str {
        ["x", "y", self.third].get(field).copied().unwrap_or("?")
    }

    /// `frame 3, entry 0, field x: expected a finite number: `, as deep as the reader came.
    fn describe(&self, place: Place) -> String {
        let mut text = String::new();
        let Some(frame) = place.frame else {
            return format!("expected {}: ", self.layout());
        };
        text += &format!("frame {frame}");
        if let Some(entry) = place.entry {
            text += &format!(", entry {entry}");
        }
        match (place.entry, place.field) {
            (_, Some(field)) => {
                text += &format!(", field {}: expected a finite number: ", self.name(field));
            }
            (Some(_), None) => text += &format!(": expected [x, y, {}]: ", self.third),
            (None, None) => text += &format!(": expected an array of [x, y, {}]: ", self.third),
        }
        text
    }

    fn layout(&self) -> String {
        format!(
            "an array of frames, each an array of [x, y, {}]",
            self.third
        )
    }

    fn update(&self, change: impl FnOnce(&mut Place)) {
        let mut place = self.place.get();
        change(&mut place);
        self.place.set(place);
    }
}

struct Frames<'p>(Fields<'p>);
struct Frame<'p>(Fields<'p>);
struct Entry<'p>(Fields<'p>);
struct Number;

impl<'de> DeserializeSeed<'de> for Frames<'_> {
    type Value = Vec<Points>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        from: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Frames<'_> {
    type Value = Vec<Points>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array of frames")
    }

    fn visit_seq<A: SeqAccess<'de>>(
        self,
        mut list: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut frames = Vec::new();
        loop {
            self.0.place.set(Place {
                frame: Some(frames.len()),
                ..Place::default()
            });
            match list.next_element_seed(Frame(self.0))? {
                Some(frame) => frames.push(frame),
                None => break,
            }
        }
        self.0.place.set(Place::default());
        Ok(frames)
    }
}

impl<'de> DeserializeSeed<'de> for Frame<'_> {
    type Value = Points;

    fn deserialize<D: Deserializer<'de>>(
        self,
        from: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Frame<'_> {
    type Value = Points;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(
        self,
        mut list: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut points = Vec::new();
        loop {
            self.0.update(|place| {
                (place.entry, place.field) = (Some(points.len()), None);
            });
            match list.next_element_seed(Entry(self.0))? {
                Some(point) => points.push(point),
                None => break,
            }
        }
        self.0.update(|place| place.entry = None);
        Ok(points)
    }
}

impl<'de> DeserializeSeed<'de> for Entry<'_> {
    type Value = [f64; 3];

    fn deserialize<D: Deserializer<'de>>(
        self,
        from: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entry<'_> {
    type Value = [f64; 3];

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array of three numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(
        self,
        mut list: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut point = [0.0; 3];
        for (field, value) in point.iter_mut().enumerate() {
            self.0.update(|place| place.field = Some(field));
            *value = list
                .next_element_seed(Number)?
                .ok_or_else(|| A::Error::custom("the entry ends before it"))?;
        }
        self.0.update(|place| place.field = None);
        let mut extra = 0;
        while list.next_element::<IgnoredAny>()?.is_some() {
            extra += 1;
        }
        if extra > 0 {
            let count = point.len() + extra;
            return Err(A::Error::custom(format!("the entry has {count} values")));
        }
        Ok(point)
    }
}

impl<'de> DeserializeSeed<'de> for Number {
    type Value = f64;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> std::result::Result<f64, D::Error> {
        let value: f64 = serde::Deserialize::deserialize(from)?;
        if value.is_finite() {
            return Ok(value);
        }
        Err(D::Error::custom("the number is not finite"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_frames_of_points() {
        let text = b" [[[1, 2.5, -3e2]], [], [[0,0,0],[10,10,1e-3]]]\n";
        let expected = vec![
            vec![[1.0, 2.5, -300.0]],
            vec![],
            vec![[0.0; 3], [10.0, 10.0, 0.001]],
        ];
        assert_eq!(parse(text, "score").unwrap(), expected);
        assert_eq!(parse(b"[]", "score").unwrap(), Vec::<Points>::new());
    }

    /// Every bad text names the place and what was expected there.
    #[test]
    fn errors_name_frame_entry_and_field() {
        let field = |name: &str| format!("field {name}: expected a finite number");
        for (text, parts) in [
            (
                "[[],[[1,2,3],[1,2,NaN]]]",
                ["frame 1, entry 1, ", &field("score")],
            ),
            ("[[[1,null,3]]]", ["frame 0, entry 0, ", &field("y")]),
            ("[[[1e999,2,3]]]", ["frame 0, entry 0, ", &field("x")]),
            ("[[[1,2,-1e999]]]", ["frame 0, entry 0, ", &field("score")]),
            (
                "[[[1,2,Infinity]]]",
                ["frame 0, entry 0, ", &field("score")],
            ),
            ("[[[1,\"2\",3]]]", ["frame 0, entry 0, ", &field("y")]),
            ("[[[1,2]]]", ["frame 0, entry 0, ", &field("score")]),
            ("[[[]]]", ["frame 0, entry 0, ", &field("x")]),
            (
                "[[],[[1,2,3,4,5]]]",
                ["frame 1, entry 0: expected [x, y, score]", "5 values"],
            ),
            (
                "[[{\"x\":1}]]",
                ["frame 0, entry 0: expected [x, y, score]", "map"],
            ),
            (
                "[[1,2,3]]",
                ["frame 0, entry 0: expected [x, y, score]", "integer `1`"],
            ),
            (
                "[[],null]",
                ["frame 1: expected an array of [x, y, score]", "null"],
            ),
            (
                "[[],[]",
                ["frame 2: expected an array of [x, y, score]", "EOF"],
            ),
            ("{}", ["expected an array of frames", "map"]),
            ("", ["expected an array of frames", "EOF"]),
            ("[] []", ["after the array of frames", "trailing"]),
        ] {
            let message = parse(text.as_bytes(), "score").unwrap_err();
            for part in parts {
                assert!(message.contains(part), "{text}: {message}");
            }
        }
    }

    #[test]
    fn the_third_field_has_its_own_name() {
        let message = parse(b"[[[1,2,null]]]", "intensity").unwrap_err();
        assert!(message.contains("field intensity"), "{message}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Path::new("/nowhere/frames.json"), "score").unwrap_err();
        assert!(error.to_string().contains("/nowhere/frames.json"));
        assert_eq!(error.exit_code(), 2);
    }
}
