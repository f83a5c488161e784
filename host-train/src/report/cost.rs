//! Accuracy against cost.

use super::chart::{Mark, Panel, Picture, label, legend, line};
use super::labels::{self, Area, Around, LINE, Point};
use super::markup::{Markup, about, place};
use super::read::{Row, Table};
use crate::plot::axes::{Axis, Scale};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 560.0;

/// Million multiply-adds per frame, counted as published: rows that have no such count have no place.
fn work(row: &Row) -> Option<f64> {
    row.result.macs_per_frame.map(|work| work as f64 / 1e6)
}

/// CSO-mAP of a row by each kind of figure.
fn scores(row: &Row) -> [(Mark, Option<f64>); 3] {
    [
        (
            Mark::Printed,
            row.result.published.as_ref().map(|row| row.cso_map),
        ),
        (Mark::Grid, row.grid.as_ref().map(|scores| scores.cso_map)),
        (
            Mark::OffGrid,
            row.off_grid.as_ref().map(|scores| scores.cso_map),
        ),
    ]
}

/// Writes the figure; nothing where fewer than two rows have cost and accuracy.
pub fn write(page: &mut Markup, table: &Table) {
    let measured = |row: &&Row| work(row).is_some() && scores(row).iter().any(|s| s.1.is_some());
    let rows: Vec<&Row> = table.rows.iter().filter(measured).collect();
    if rows.len() < 2 {
        return;
    }
    page.tagged("h3", &[], "Accuracy against cost");
    page.element("figure", &[], |figure| {
        super::tables::scrolling(figure, "Accuracy against cost", |page| draw(page, &rows));
        figure.element("figcaption", &[], |caption| {
            legend(caption);
            caption.element("p", &[], |p| {
                p.text(
                    "Million multiply-adds per frame, counted as published, on a logarithmic axis. The \
                     stepped lines are the frontiers of what was measured here: the best CSO-mAP to be \
                     had for so many multiply-adds or fewer, by grid cells and between the cells. A thin \
                     line joins what one method reaches by both. ",
                );
                p.text(&left_out(table));
            });
        });
    });
}

fn left_out(table: &Table) -> String {
    let without = table
        .rows
        .iter()
        .filter(|row| work(row).is_none() && row.best().is_some());
    let names = without.map(|row| {
        let best = row.best().unwrap_or_default();
        format!("{} (CSO-mAP {best:.2})", row.result.label)
    });
    let names: Vec<String> = names.collect();
    if names.is_empty() {
        return String::new();
    }
    format!(
        "Not counted in multiply-adds of a network, and so not drawn: {}.",
        names.join(", ")
    )
}

fn draw(page: &mut Markup, rows: &[&Row]) {
    let works = || rows.iter().filter_map(|row| work(row));
    let (least, most) = (
        works().fold(f64::INFINITY, f64::min),
        works().fold(0.0, f64::max),
    );
    let panel = Panel {
        left: 44.0,
        top: 34.0,
        right: WIDTH - 14.0,
        bottom: HEIGHT - 44.0,
        horizontal: Axis {
            range: (least / 1.8, most * 1.8),
            scale: Scale::Log,
            label: "million multiply-adds per frame",
        },
        vertical: Axis::linear((0.0, 104.0), "CSO-mAP, %"),
        wanted: (8, 6),
    };
    let description = format!(
        "{} methods by cost and CSO-mAP. {}",
        rows.len(),
        described(rows)
    );
    let picture = Picture {
        size: (WIDTH, HEIGHT),
        class: "chart wide",
        title: "CSO-mAP against multiply-adds per frame",
        description: &description,
    };
    picture.write(page, |svg| {
        panel.axes(svg);
        let mut lines = Vec::new();
        for mark in [Mark::Grid, Mark::OffGrid] {
            let points: Vec<(f64, f64)> = points(rows, mark).map(|(_, point)| point).collect();
            let steps = steps(&panel, &frontier(&points));
            draw_steps(svg, mark, &steps);
            lines.extend(steps);
        }
        marks(svg, &panel, rows);
        names(svg, &panel, rows, lines);
    });
}

fn points<'a>(rows: &'a [&Row], mark: Mark) -> impl Iterator<Item = (&'a Row, (f64, f64))> {
    rows.iter().filter_map(move |row| {
        let score = scores(row).into_iter().find(|(of, _)| *of == mark)?.1?;
        Some((*row, (work(row)?, score)))
    })
}

/// The members of both frontiers, in words.
fn described(rows: &[&Row]) -> String {
    let mut text = String::new();
    for (mark, kind) in [
        (Mark::Grid, "grid cells"),
        (Mark::OffGrid, "answers between the cells"),
    ] {
        let points: Vec<_> = points(rows, mark).collect();
        let front = frontier(&points.iter().map(|(_, point)| *point).collect::<Vec<_>>());
        let members = front.iter().filter_map(|at| {
            let (row, (work, score)) = points.iter().find(|(_, point)| point == at)?;
            Some(format!(
                "{} ({} M, {score:.1} %)",
                row.result.label,
                about(*work)
            ))
        });
        let members: Vec<String> = members.collect();
        if !members.is_empty() {
            text += &format!("Frontier of {kind}: {}. ", members.join(", "));
        }
    }
    text
}

/// Cheapest first, only those that beat everything as cheap or cheaper.
pub fn frontier(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let mut front: Vec<(f64, f64)> = Vec::new();
    for point in sorted {
        if front.last().is_none_or(|last| point.1 > last.1) {
            front.push(point);
        }
    }
    front
}

/// Lines of a frontier: on to the next cost, then up to its score.
fn steps(panel: &Panel, front: &[(f64, f64)]) -> Vec<(Point, Point)> {
    let mut lines = Vec::new();
    for (k, &(x, y)) in front.iter().enumerate() {
        let (x, y) = panel.at(x, y);
        let next = front.get(k + 1).map(|&(x, y)| panel.at(x, y));
        let (end, up) = next.unwrap_or((panel.right, y));
        lines.extend([((x, y), (end, y)), ((end, y), (end, up))]);
    }
    lines
}

fn draw_steps(svg: &mut Markup, mark: Mark, lines: &[(Point, Point)]) {
    let Some((start, _)) = lines.first() else {
        return;
    };
    let ends = lines.iter().map(|(_, end)| end);
    let points = std::iter::once(start).chain(ends);
    let points = points.map(|&(x, y)| format!("{},{}", place(x), place(y)));
    let points = points.collect::<Vec<_>>().join(" ");
    let class = format!("frontier {}", mark.class());
    svg.element(
        "polyline",
        &[("class", &class), ("points", &points)],
        |svg| {
            svg.tagged("title", &[], "frontier");
        },
    );
}

fn marks(svg: &mut Markup, panel: &Panel, rows: &[&Row]) {
    for row in rows {
        if let (Some(work), Some(grid), Some(off)) = (work(row), &row.grid, &row.off_grid) {
            let ends = [grid, off].map(|scores| panel.at(work, scores.cso_map));
            line(svg, "joined", ends[0], ends[1]);
        }
    }
    for mark in [Mark::Printed, Mark::Grid, Mark::OffGrid] {
        for (row, (work, score)) in points(rows, mark) {
            let name = format!("{}: {score:.2} %, {} M", row.result.label, about(work));
            mark.draw(svg, panel.at(work, score), &name);
        }
    }
}

/// One name a row, at the highest of what was measured, or else at what was printed.
fn names(svg: &mut Markup, panel: &Panel, rows: &[&Row], lines: Vec<(Point, Point)>) {
    let named = rows.iter().filter_map(|row| {
        let printed = row.result.published.as_ref().map(|row| row.cso_map);
        let score = row.best().or(printed)?;
        Some((*row, panel.at(work(row)?, score)))
    });
    let named: Vec<(&Row, Point)> = named.collect();
    let all = [Mark::Printed, Mark::Grid, Mark::OffGrid];
    let marks = all.iter().flat_map(|&mark| points(rows, mark));
    let marks: Vec<Point> = marks
        .map(|(_, (work, score))| panel.at(work, score))
        .collect();
    let at: Vec<Point> = named.iter().map(|(_, at)| *at).collect();
    let ours = |row: &Row| row.result.group == crate::benchmark::result::Group::Ours;
    let widths = named
        .iter()
        .map(|(row, _)| labels::width(&row.result.label, ours(row)));
    let area = Area {
        left: panel.left,
        top: 2.0,
        right: panel.right,
        bottom: panel.bottom,
    };
    let around = Around::new(area, &marks, lines);
    let places = labels::place(&at, &widths.collect::<Vec<_>>(), &around);
    for ((row, _), place) in named.iter().zip(&places) {
        if let Some((from, to)) = place.leader {
            line(svg, "leader", from, to);
        }
        let class = if ours(row) {
            "point middle ours"
        } else {
            "point middle"
        };
        let middle = (place.area.left + place.area.right) / 2.0;
        label(
            svg,
            class,
            (middle, place.area.top + LINE - 3.5),
            &row.result.label,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frontier_rises() {
        let points = [
            (10.0, 40.0),
            (1.0, 30.0),
            (1.0, 35.0),
            (5.0, 35.0),
            (20.0, 39.0),
            (30.0, 41.0),
        ];
        assert_eq!(frontier(&points), [(1.0, 35.0), (10.0, 40.0), (30.0, 41.0)]);
        assert!(frontier(&[]).is_empty());
    }
}
