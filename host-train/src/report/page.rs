//! The page: what it says first, its contents, its sections.

use super::columns::{COUNTS, PRECISIONS, SCORES};
use super::device::Devices;
use super::markup::{Markup, whole};
use super::read::{Row, Table};
use super::{cost, curves, gallery, overview, provenance, tables};
use crate::benchmark::result::Group;

/// Colours, sizes, and how the page fits a window, a dark screen and paper.
const STYLE: &str = include_str!("style.css");
/// Nothing is loaded and nothing runs, whatever a label may hold.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// The whole page.
pub fn write(tables: &[Table], devices: Option<&Devices>) -> String {
    let mut page = Markup::default();
    page.verbatim("<!DOCTYPE html>\n");
    page.element("html", &[("lang", "en")], |page| {
        head(page);
        page.element("body", &[], |page| {
            page.tagged(
                "a",
                &[("href", "#contents"), ("class", "skip")],
                "Skip to the contents",
            );
            page.element("header", &[], |page| first_screen(page, tables));
            page.element("main", &[], |page| {
                contents(page, tables, devices);
                for table in tables {
                    section(page, table);
                }
                if let Some(devices) = devices {
                    page.element("section", &[("id", "devices")], |page| {
                        page.tagged("h2", &[], "On devices");
                        devices.write(page);
                    });
                }
                sources(page, tables);
            });
        });
    });
    page.finish() + "\n"
}

fn head(page: &mut Markup) {
    page.element("head", &[], |head| {
        head.empty("meta", &[("charset", "utf-8")]);
        let viewport = "width=device-width, initial-scale=1";
        head.empty("meta", &[("name", "viewport"), ("content", viewport)]);
        let policy = [
            ("http-equiv", "Content-Security-Policy"),
            ("content", POLICY),
        ];
        head.empty("meta", &policy);
        head.empty(
            "meta",
            &[("name", "color-scheme"), ("content", "light dark")],
        );
        head.tagged("title", &[], "derefnet: methods compared");
        // The style sheet is ours and holds nothing to escape.
        head.element("style", &[], |style| style.verbatim(STYLE));
    });
}

fn first_screen(page: &mut Markup, tables: &[Table]) {
    page.tagged("p", &[("class", "brand")], "derefnet");
    page.tagged(
        "h1",
        &[],
        "Closely spaced infrared targets: methods compared",
    );
    page.tagged(
        "p",
        &[("class", "lead")],
        "Targets closer than one Rayleigh unit melt into one blob on the sensor. Every method here recovers \
         their places from 11×11 frames, and all are judged by CSO-mAP, the mean of five average precisions \
         within 0.05 to 0.25 px.",
    );
    let Some(table) = tables.first() else {
        return;
    };
    facts(page, table);
    page.tagged("p", &[("class", "how")], &circumstances(table));
}

/// The three figures to remember.
fn facts(page: &mut Markup, table: &Table) {
    let highest = |of: &dyn Fn(&Row) -> Option<f64>| -> Option<(f64, &str)> {
        let all = table
            .rows
            .iter()
            .filter_map(|row| Some((of(row)?, row.result.label.as_str())));
        all.max_by(|a, b| a.0.total_cmp(&b.0))
    };
    let off_grid = highest(&|row| row.off_grid.as_ref().map(|scores| scores.cso_map));
    let grid = highest(&|row| row.grid.as_ref().map(|scores| scores.cso_map));
    let printed = highest(&|row| row.result.published.as_ref().map(|row| row.cso_map));
    let facts = [
        ("off", "best measured here, between the cells", off_grid),
        ("grid", "best measured here, cells of the grid", grid),
        ("printed", "best published, on the authors' data", printed),
    ];
    if facts.iter().all(|(_, _, fact)| fact.is_none()) {
        return;
    }
    page.element("dl", &[("class", "facts")], |list| {
        for (class, what, fact) in facts {
            let Some((score, label)) = fact else {
                continue;
            };
            list.element("div", &[("class", class)], |div| {
                div.element("dt", &[], |dt| {
                    let class = format!("key {class}");
                    dt.tagged("span", &[("class", &class), ("aria-hidden", "true")], "");
                    dt.text(what);
                });
                div.element("dd", &[], |dd| {
                    dd.tagged("b", &[], &format!("{score:.2}"));
                    dd.tagged("span", &[], label);
                });
            });
        }
    });
}

/// How the figures of `table` came about, in words.
pub fn circumstances(table: &Table) -> String {
    let Some(first) = table.rows.first() else {
        return "No row has finished yet.".to_owned();
    };
    let first = &first.result;
    let same = table.rows.iter().all(|row| row.result.data == first.data);
    let data = if same {
        format!("Measured on the {}.", provenance::data(&first.data))
    } else {
        "Rows are measured on different data: see the provenance.".to_owned()
    };
    let mut machines: Vec<&str> = table
        .rows
        .iter()
        .map(|row| row.result.machine.cpu.as_str())
        .collect();
    machines.sort_unstable();
    machines.dedup();
    let trainings = table.rows.iter().flat_map(|row| &row.result.runs);
    let trainings: Vec<_> = trainings.filter_map(|run| run.training.as_ref()).collect();
    let minutes = trainings.iter().map(|training| training.minutes);
    let (least, most) = minutes.fold((f64::INFINITY, 0.0f64), |(least, most), minutes| {
        (least.min(minutes), most.max(minutes))
    });
    let budget = match (trainings.is_empty(), least.round() == most.round()) {
        (true, _) => String::new(),
        (false, true) => {
            format!(" Each learned method was trained for {most:.0} minutes of processor time.")
        }
        (false, false) => {
            format!(
                " Learned methods were trained for {least:.0} to {most:.0} minutes of processor time."
            )
        }
    };
    let compared = if table.rows.iter().any(|row| row.result.published.is_some()) {
        " Published figures were measured by their authors on other data of the same rules, after full \
         training: ours stand beside them and reproduce nothing."
    } else {
        ""
    };
    format!("{data}{budget} Machine: {}.{compared}", machines.join("; "))
}

fn contents(page: &mut Markup, tables: &[Table], devices: Option<&Devices>) {
    let labels = [("id", "contents"), ("aria-label", "Contents")];
    page.element("nav", &labels, |nav| {
        nav.element("ol", &[], |list| {
            let mut item = |link: &str, text: &str| {
                list.element("li", &[], |item| item.tagged("a", &[("href", link)], text));
            };
            for table in tables {
                item(&format!("#{}", table.anchor), &table.title);
            }
            if devices.is_some() {
                item("#devices", "On devices");
            }
            item("#provenance", "Provenance");
        });
    });
}

fn section(page: &mut Markup, table: &Table) {
    page.element("section", &[("id", &table.anchor)], |page| {
        page.tagged("h2", &[], &table.title);
        for paragraph in table.about.split("\n\n").filter(|text| !text.is_empty()) {
            page.element("p", &[], |p| p.prose(paragraph));
        }
        page.tagged("p", &[("class", "note")], &counted(table));
        overview::write(page, table);
        tables::write(page, table, &SCORES);
        cost::write(page, table);
        tables::write(page, table, &PRECISIONS);
        curves::precision_recall(page, table);
        tables::write(page, table, &COUNTS);
        gallery::write(page, table);
        curves::training(page, table);
    });
}

fn counted(table: &Table) -> String {
    let count = |group| {
        table
            .rows
            .iter()
            .filter(|row| row.result.group == group)
            .count() as u64
    };
    let parts = [
        (count(Group::Published), "published"),
        (count(Group::Baseline), "baseline"),
        (count(Group::Ours), "of this project"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts
        .map(|(count, name)| format!("{} {name}", whole(*count)))
        .collect();
    if parts.is_empty() {
        return "No row has finished yet.".to_owned();
    }
    format!("Rows: {}.", parts.join(", "))
}

fn sources(page: &mut Markup, tables: &[Table]) {
    page.element("section", &[("id", "provenance")], |page| {
        page.tagged("h2", &[], "Provenance");
        page.tagged(
            "p",
            &[],
            "Every figure above was read from a result file that the run of its row left behind; nothing \
             was trained or measured for this page. The same definition, seeds and program give the same \
             weights on a processor with the same vector instructions.",
        );
        for table in tables.iter().filter(|table| !table.rows.is_empty()) {
            provenance::write(page, table);
        }
    });
}
