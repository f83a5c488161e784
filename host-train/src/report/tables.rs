//! Tables in HTML.

use super::cells::Cell;
use super::columns::{Column, Layout};
use super::markup::{Markup, anchor};
use super::read::{Row, Table};
use crate::benchmark::result::Group;

/// Rows of a group, under its name.
pub const GROUPS: [(Group, &str); 3] = [
    (
        Group::Published,
        "Published methods, trained and measured here",
    ),
    (Group::Baseline, "Baselines"),
    (Group::Ours, "Methods of this project"),
];

/// A table that scrolls within its own box.
///
/// The box can be focused: a keyboard scrolls what has the focus.
pub fn scrolling(page: &mut Markup, label: &str, inside: impl FnOnce(&mut Markup)) {
    let attributes = [
        ("class", "scroll"),
        ("role", "region"),
        ("tabindex", "0"),
        ("aria-label", label),
    ];
    page.element("div", &attributes, inside);
}

/// `layout` over the rows of `table`, without the columns that nobody has; nothing if none is left.
pub fn write(page: &mut Markup, table: &Table, layout: &Layout) {
    let columns: Vec<(&Column, Vec<_>)> = layout
        .columns
        .iter()
        .map(|column| (column, column.cells(&table.rows)))
        .filter(|(_, cells)| cells.iter().any(Option::is_some))
        .collect();
    if columns.is_empty() {
        return;
    }
    page.tagged("h3", &[], layout.title);
    scrolling(
        page,
        &format!("{}: {}", table.title, layout.title),
        |page| {
            page.element("table", &[], |page| {
                let names = columns
                    .iter()
                    .map(|(column, _)| (column.group, column.name));
                head(page, "method", &names.collect::<Vec<_>>());
                for (group, name) in GROUPS {
                    body(page, table, &columns, group, name);
                }
            });
        },
    );
    page.element("p", &[("class", "note")], |p| p.prose(layout.reading));
}

/// Two lines of headings: names of groups over their columns, then names.
pub fn head(page: &mut Markup, first: &str, columns: &[(&str, &str)]) {
    page.element("thead", &[], |page| {
        page.element("tr", &[], |page| {
            page.tagged("th", &[("scope", "col"), ("rowspan", "2")], first);
            for group in columns.chunk_by(|a, b| a.0 == b.0) {
                let span = group.len().to_string();
                let attributes = [
                    ("scope", "colgroup"),
                    ("colspan", span.as_str()),
                    ("class", "span"),
                ];
                page.tagged("th", &attributes, group[0].0);
            }
        });
        page.element("tr", &[], |page| {
            for (k, (group, name)) in columns.iter().enumerate() {
                let first = k == 0 || columns[k - 1].0 != *group;
                let class = if first { "number first" } else { "number" };
                page.tagged("th", &[("scope", "col"), ("class", class)], name);
            }
        });
    });
}

type Cells = Vec<Option<(Cell, bool)>>;

fn body(page: &mut Markup, table: &Table, columns: &[(&Column, Cells)], group: Group, name: &str) {
    let members = || {
        table
            .rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.result.group == group)
    };
    if members().next().is_none() {
        return;
    }
    page.element("tbody", &[], |page| {
        page.element("tr", &[("class", "group")], |page| {
            let span = (columns.len() + 1).to_string();
            page.element(
                "th",
                &[("scope", "rowgroup"), ("colspan", span.as_str())],
                |th| {
                    th.tagged("span", &[], name);
                },
            );
        });
        for (at, row) in members() {
            page.element("tr", &[], |page| {
                name_of(page, table, row);
                for (k, (column, cells)) in columns.iter().enumerate() {
                    let first = k == 0 || columns[k - 1].0.group != column.group;
                    cell(page, cells[at].as_ref(), first);
                }
            });
        }
    });
}

/// The row's heading; a star leads to what it does differently.
fn name_of(page: &mut Markup, table: &Table, row: &Row) {
    page.element("th", &[("scope", "row")], |page| {
        page.text(&row.result.label);
        if row.result.about.is_some() {
            let link = format!("#{}", row_anchor(table, row));
            let label = format!("{}: what it is, and where it departs", row.result.label);
            page.text("\u{a0}");
            page.tagged(
                "a",
                &[("href", &link), ("aria-label", &label), ("class", "star")],
                "*",
            );
        }
    });
}

/// Where the provenance of a row stands.
pub fn row_anchor(table: &Table, row: &Row) -> String {
    format!("{}-{}", table.anchor, anchor(&row.result.row))
}

fn cell(page: &mut Markup, cell: Option<&(Cell, bool)>, first: bool) {
    let class = if first { "number first" } else { "number" };
    page.element("td", &[("class", class)], |page| match cell {
        None => page.tagged("span", &[("class", "none")], "–"),
        Some((cell, best)) => {
            if *best {
                page.tagged("strong", &[], &cell.text);
            } else {
                page.text(&cell.text);
            }
            if let Some(note) = &cell.note {
                page.tagged("small", &[], note);
            }
        }
    });
}
