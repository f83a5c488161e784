//! The page is well-formed, stands alone, tells its pictures to those who do not see them, and holds
//! everything that it was given.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use derefnet::methods::METHODS;
use derefnet_tests::results;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::{records, written};

/// What a page is made of.
#[derive(Default)]
struct Page {
    /// Elements by name.
    elements: HashMap<String, usize>,
    /// Attributes of all elements: element, name, value.
    attributes: Vec<(String, String, String)>,
    /// Text outside of the style sheet.
    text: String,
    /// Pictures without role, name or description.
    mute: Vec<String>,
}

/// Reads `html` as XML, which checks that elements nest.
fn parse(html: &str) -> Page {
    let mut reader = Reader::from_str(html);
    let mut page = Page::default();
    let mut open: Vec<String> = Vec::new();
    // Texts of the elements `title` and `desc` of the picture around.
    let mut told: Vec<usize> = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => break,
            Event::Start(element) => {
                let name = page.enter(&element);
                if name == "svg" {
                    told.push(0);
                }
                open.push(name);
            }
            Event::Empty(element) => {
                page.enter(&element);
            }
            Event::End(_) => {
                let untold = open.pop().unwrap() == "svg" && told.pop().unwrap() < 2;
                if untold {
                    page.mute.push("svg without title or desc".to_owned());
                }
            }
            Event::Text(text) => {
                let inside =
                    [open.iter().rev().nth(1), open.last()].map(|name| name.map(String::as_str));
                let filled = !text.is_empty();
                if let ([Some("svg"), Some("title" | "desc")], true) = (inside, filled) {
                    *told.last_mut().unwrap() += 1;
                }
                if inside[1] != Some("style") {
                    page.text += &text[..];
                }
            }
            Event::GeneralRef(entity) => {
                page.text.push(match &entity[..] {
                    "lt" => '<',
                    "gt" => '>',
                    "amp" => '&',
                    "quot" => '"',
                    "#39" => '\'',
                    other => panic!("entity {other}"),
                });
            }
            _ => {}
        }
    }
    assert!(open.is_empty(), "not closed: {open:?}");
    page
}

impl Page {
    fn enter(&mut self, element: &BytesStart) -> String {
        let name = element.name().as_ref().to_owned();
        *self.elements.entry(name.clone()).or_default() += 1;
        let mut own = HashMap::new();
        for attribute in element.attributes() {
            let attribute = attribute.unwrap();
            let value = attribute.value.to_string();
            own.insert(attribute.key.as_ref().to_owned(), value.clone());
            self.attributes
                .push((name.clone(), attribute.key.as_ref().to_owned(), value));
        }
        let is = |key: &str, value: &str| own.get(key).is_some_and(|own| own == value);
        let told = match name.as_str() {
            "svg" => is("role", "img"),
            "img" => own.get("alt").is_some_and(|text| !text.is_empty()),
            _ => true,
        };
        if !told {
            self.mute.push(format!("{name} {own:?}"));
        }
        name
    }

    fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let own = move |(_, name, value): &'a (String, String, String)| {
            (name == key).then_some(value.as_str())
        };
        self.attributes.iter().filter_map(own)
    }
}

/// The page of all methods, with devices.
fn whole(folder: &Path) -> String {
    let results = folder.join("synthetic");
    results::write(&results);
    let device = records();
    let options = ["--device", device.to_str().unwrap()];
    written(&[&results], &options, &folder.join("report.html"))
}

#[test]
fn is_well_formed_and_stands_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let html = whole(scratch.path());
    for forbidden in [
        "http:",
        "https:",
        "<script",
        "<link",
        "@import",
        "<iframe",
        "javascript:",
    ] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    let page = parse(&html);
    assert!(page.mute.is_empty(), "{:?}", page.mute);
    for name in ["svg", "img", "table", "image", "nav", "h1"] {
        assert!(page.elements.contains_key(name), "no {name}");
    }
    let ids: Vec<&str> = page.values("id").collect();
    let distinct: HashSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len(), "an id twice");
    for link in page.values("href").chain(page.values("src")) {
        let known = link
            .strip_prefix('#')
            .is_some_and(|id| distinct.contains(id));
        assert!(
            known || link.starts_with("data:image/png;base64,"),
            "{link}"
        );
    }
    let addresses = html.split("url(").skip(1);
    assert!(addresses.clone().count() > 0);
    for address in addresses {
        assert!(address.starts_with('#'), "{}", &address[..20]);
    }
}

#[test]
fn holds_every_row_and_figure() {
    let scratch = tempfile::tempdir().unwrap();
    let page = parse(&whole(scratch.path()));
    for method in METHODS {
        // Overview, tables, curves, gallery, provenance.
        let count = page.text.matches(method.name).count();
        assert!(count >= 5, "{}: {count} times", method.name);
        if let Some(published) = method.published {
            assert!(
                page.text.contains(&format!("{:.2}", published.cso_map)),
                "{}",
                method.name
            );
        }
    }
    for text in [
        results::TITLE,
        "Figures to try the report with: a < b & \"c\".",
        "Accuracy against cost",
        "Average precision by distance",
        "Counting and distance",
        "Precision and recall",
        "Training",
        "The same frames, by every method",
        "Cortex-M7 (mps2-an500-edge), fit, σ = 5",
        "instructions under QEMU",
        "best measured here, between the cells",
        "Measured on the test split of seed 1, 750 trajectories, 12,000 frames",
    ] {
        assert!(page.text.contains(text), "{text}");
    }
    // Five distances, a panel for every trained row, three frames for every row and the sensor.
    let panels = page.elements["svg"];
    assert!(panels > 5 + 20 + 3 * (METHODS.len() + 1), "{panels}");
}

#[test]
fn labels_cannot_become_markup() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("nasty");
    let nasty = "<script>alert(\"x\")</script> & 'y' </svg>";
    results::write_definition(&folder, "Definition <b>bold</b>");
    let mut row = results::row(&METHODS[2], 2);
    row["label"] = nasty.into();
    row["about"] = nasty.into();
    row["machine"]["cpu"] = nasty.into();
    row["runs"][0]["off_grid_readout"] = nasty.into();
    results::write_row(&folder, &row);
    results::write_row(&folder, &results::row(&METHODS[3], 3));
    let html = written(&[&folder], &[], &scratch.path().join("report.html"));
    let page = parse(&html);
    assert!(page.text.matches(nasty).count() > 8);
    assert!(page.text.contains("Definition <b>bold</b>"));
    // What a first screen's figures are set in.
    assert_eq!(page.elements["b"], 3);
    assert!(!page.elements.contains_key("script"));
}

#[test]
fn what_is_missing_is_left_out() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("bare");
    results::write_definition(&folder, "Bare");
    let out = scratch.path().join("report.html");
    let empty = parse(&written(&[&folder], &[], &out));
    assert!(empty.text.contains("No row has finished yet."));
    results::write_row(&folder, &results::bare("nothing-known"));
    let page = parse(&written(&[&folder], &[], &out));
    assert!(page.text.contains("nothing-known"));
    assert!(!page.elements.contains_key("svg"));
    for heading in ["Accuracy", "Precision", "Training", "devices", "NaN"] {
        assert!(!page.text.contains(heading), "{heading}");
    }
}

#[test]
fn several_folders_are_several_sections() {
    let scratch = tempfile::tempdir().unwrap();
    let folders = ["first", "second"].map(|name| scratch.path().join(name));
    for folder in &folders {
        // The same rows under the same title: links must still be told apart.
        results::write_definition(folder, "Alike");
        results::write_row(folder, &results::row(&METHODS[2], 2));
    }
    let out = scratch.path().join("report.html");
    let page = parse(&written(&[&folders[0], &folders[1]], &[], &out));
    let ids: Vec<&str> = page.values("id").collect();
    let distinct: HashSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len());
    assert_eq!(page.elements["section"], 3);
}
