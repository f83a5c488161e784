//! The authors' annotation files, `COS<n>.xml`.
//!
//! `annotation` holds `filename`, `size` (`width`, `height`, `depth`), `sigma` (of the point spread
//! function, pixels) and one `object` per target: `name` (`Target`) and `coordinate` with `xc` (the
//! **row**, pixels), `yc` (the column) and `brightness` (counts). Numbers are decimal text; ours are
//! the shortest that read back to the same `f64`.

use crate::scene::Target;
use crate::{Error, Result};
use derefnet_core::physics::{FRAME_SIDE, PSF_SIGMA};
use quick_xml::Reader;
use quick_xml::events::Event;
use std::fmt::Write;
use std::path::Path;

/// Deepest element that is read; a valid file needs four.
const DEEPEST: usize = 8;

/// The annotation of one frame as text.
pub fn to_xml(number: u64, targets: &[Target]) -> String {
    let mut xml = format!(
        "<annotation>\n  <filename>COS{number}</filename>\n  <size>\n    \
         <width>{FRAME_SIDE}</width>\n    <height>{FRAME_SIDE}</height>\n    \
         <depth>1</depth>\n  </size>\n  <sigma>{PSF_SIGMA}</sigma>\n"
    );
    for Target { x, y, intensity } in targets {
        // Writing to a string cannot fail.
        let _ = write!(
            xml,
            "  <object>\n    <name>Target</name>\n    <coordinate>\n      <xc>{x}</xc>\n      \
             <yc>{y}</yc>\n      <brightness>{intensity}</brightness>\n    </coordinate>\n  \
             </object>\n"
        );
    }
    xml.push_str("</annotation>\n");
    xml
}

/// Targets of the annotation file `path`, in its order.
///
/// # Errors
/// [`Error::Io`] if it cannot be read; [`Error::Format`] names the field, found and expected value.
pub fn read(path: &Path) -> Result<Vec<Target>> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::io(path, source))?;
    parse(&text).map_err(|message| Error::format(path, message))
}

/// The same from text; the error is the message alone.
///
/// # Errors
/// What is wrong, with the field's path.
pub fn parse(text: &str) -> core::result::Result<Vec<Target>, String> {
    let root = parse_tree(text)?;
    if root.name != "annotation" {
        return Err(format!(
            "root element is '{}', expected 'annotation'",
            root.name
        ));
    }
    root.child("annotation", "filename")?;
    let size = root.child("annotation", "size")?;
    for (field, expected) in [("width", FRAME_SIDE), ("height", FRAME_SIDE), ("depth", 1)] {
        expect(
            size.number("annotation/size", field)?,
            field,
            expected as f64,
        )?;
    }
    expect(root.number("annotation", "sigma")?, "sigma", PSF_SIGMA)?;
    let objects = root.children.iter().filter(|child| child.name == "object");
    let parsed = objects.enumerate().map(|(index, object)| {
        let place = format!("annotation/object[{index}]");
        let name = &object.child(&place, "name")?.text;
        if name != "Target" {
            return Err(format!("{place}/name is '{name}', expected 'Target'"));
        }
        let point = object.child(&place, "coordinate")?;
        let place = format!("{place}/coordinate");
        Ok(Target {
            x: point.number(&place, "xc")?,
            y: point.number(&place, "yc")?,
            intensity: point.number(&place, "brightness")?,
        })
    });
    parsed.collect()
}

fn expect(found: f64, field: &str, expected: f64) -> core::result::Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{field} is {found}, expected {expected}"))
}

/// One element.
#[derive(Default)]
struct Node {
    name: String,
    text: String,
    children: Vec<Node>,
}

impl Node {
    /// The only child of that name; `place` is the path of `self`.
    fn child(&self, place: &str, name: &str) -> core::result::Result<&Self, String> {
        let mut found = self.children.iter().filter(|child| child.name == name);
        match (found.next(), found.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(format!("{place}/{name} is missing")),
            (Some(_), Some(_)) => Err(format!("{place}/{name} is given twice, expected once")),
        }
    }

    /// The finite number in that child.
    fn number(&self, place: &str, name: &str) -> core::result::Result<f64, String> {
        let text = self.child(place, name)?.text.trim();
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        number.ok_or_else(|| format!("{place}/{name} is '{text}', expected a number"))
    }
}

/// Elements and their text; attributes, comments and declarations are passed over.
fn parse_tree(text: &str) -> core::result::Result<Node, String> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    // The bottom entry collects the root.
    let mut open = vec![Node::default()];
    loop {
        let event = reader
            .read_event()
            .map_err(|error| format!("bad XML at byte {}: {error}", reader.error_position()))?;
        match event {
            Event::Start(_) if open.len() > DEEPEST => {
                return Err(format!("elements nest deeper than {DEEPEST}"));
            }
            Event::Start(tag) => open.push(Node {
                name: tag.local_name().as_ref().to_owned(),
                ..Node::default()
            }),
            Event::End(_) => {
                if let (Some(node), Some(parent)) = (open.pop(), open.last_mut()) {
                    parent.children.push(node);
                }
            }
            Event::Text(text) => {
                if let Some(node) = open.last_mut() {
                    node.text.push_str(text.xml10_content().trim());
                }
            }
            Event::CData(text) => {
                if let Some(node) = open.last_mut() {
                    node.text.push_str(text.xml10_content().trim());
                }
            }
            // Left out, it would shorten a number without a word.
            Event::GeneralRef(_) => return Err("found an entity, expected plain text".to_owned()),
            Event::Eof => break,
            _ => {}
        }
    }
    let unclosed = open.len() > 1;
    let name = open.last().map_or("", |node| node.name.as_str());
    if unclosed {
        return Err(format!("the file ends inside element '{name}'"));
    }
    let roots = open.pop().map(|bottom| bottom.children);
    let mut roots = roots.unwrap_or_default().into_iter();
    roots.next().ok_or_else(|| "no XML element".to_owned())
}
