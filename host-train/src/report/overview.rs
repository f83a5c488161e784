//! Every row's accuracies on one line each.

use super::chart::{Mark, Panel, Picture, label, legend, line};
use super::labels::width;
use super::markup::{Markup, place};
use super::read::{Row, Table};
use crate::benchmark::result::Group;
use crate::plot::axes::Axis;

const WIDTH: f64 = 960.0;
const LINE: f64 = 20.0;
const TOP: f64 = 30.0;

/// Writes the figure; nothing where no row has an accuracy.
pub fn write(page: &mut Markup, table: &Table) {
    let has = |row: &&Row| row.best().is_some() || row.result.published.is_some();
    let rows: Vec<&Row> = table.rows.iter().filter(has).collect();
    if rows.is_empty() {
        return;
    }
    page.element("figure", &[], |figure| {
        legend(figure);
        super::tables::scrolling(figure, "CSO-mAP of every row", |page| draw(page, &rows));
    });
}

fn draw(page: &mut Markup, rows: &[&Row]) {
    let names = rows
        .iter()
        .map(|row| width(&row.result.label, row.result.group == Group::Ours));
    let left = names.fold(60.0, f64::max) + 14.0;
    let height = TOP + LINE * rows.len() as f64;
    let panel = Panel {
        left,
        top: TOP,
        right: WIDTH - 14.0,
        bottom: height,
        horizontal: Axis::linear((0.0, 100.0), "CSO-mAP, %"),
        vertical: Axis::linear((rows.len() as f64, 0.0), ""),
        wanted: (10, 2),
    };
    let best = rows
        .iter()
        .max_by(|a, b| a.best().unwrap_or(0.0).total_cmp(&b.best().unwrap_or(0.0)));
    let best = best.and_then(|row| {
        Some(format!(
            "Highest here: {}, {:.2} %. ",
            row.result.label,
            row.best()?
        ))
    });
    let description = format!(
        "{}A line for each of {} rows, with its published figure and what was measured here; the tables \
         below hold the numbers.",
        best.unwrap_or_default(),
        rows.len()
    );
    let picture = Picture {
        size: (WIDTH, height + 42.0),
        class: "chart wide",
        title: "CSO-mAP of every row",
        description: &description,
    };
    picture.write(page, |svg| {
        panel.across(svg);
        for (k, row) in rows.iter().enumerate() {
            draw_row(svg, &panel, row, k as f64 + 0.5);
        }
    });
}

fn draw_row(svg: &mut Markup, panel: &Panel, row: &Row, at: f64) {
    let (_, y) = panel.at(0.0, at);
    let ours = row.result.group == Group::Ours;
    if ours {
        let (top, height) = (place(y - LINE / 2.0), place(LINE));
        let attributes = [
            ("class", "band"),
            ("width", &place(WIDTH)),
            ("y", &top),
            ("height", &height),
        ];
        svg.empty("rect", &attributes);
    }
    let class = if ours { "point end ours" } else { "point end" };
    label(svg, class, (panel.left - 8.0, y + 4.0), &row.result.label);
    line(svg, "rule row", (panel.left, y), (panel.right, y));
    let marks = [
        (
            Mark::Printed,
            row.result.published.as_ref().map(|printed| printed.cso_map),
        ),
        (Mark::Grid, row.grid.as_ref().map(|scores| scores.cso_map)),
        (
            Mark::OffGrid,
            row.off_grid.as_ref().map(|scores| scores.cso_map),
        ),
    ];
    for (mark, score) in marks {
        if let Some(score) = score {
            let name = format!("{}: {score:.2} %", row.result.label);
            mark.draw(svg, panel.at(score, at), &name);
        }
    }
}
