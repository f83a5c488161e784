//! Small multiples: precision over recall for every distance, training for every row.

use super::chart::{Panel, Picture};
use super::markup::Markup;
use super::read::{Row, Table};
use super::tables::scrolling;
use crate::benchmark::result::{Group, PrecisionRecall};
use crate::plot::axes::{Axis, Scale};

/// Rows that are told apart by colour and dash; more would be a tangle.
const NAMED: usize = 6;

/// Writes precision over recall; nothing where no row has curves.
pub fn precision_recall(page: &mut Markup, table: &Table) {
    let deltas = deltas(&table.rows);
    if deltas.is_empty() {
        return;
    }
    let named = named(&table.rows);
    page.tagged("h3", &[], "Precision and recall");
    page.element("figure", &[], |figure| {
        figure.element("div", &[("class", "multiples")], |page| {
            for &delta in &deltas {
                panel(page, &table.rows, &named, delta);
            }
        });
        figure.element("figcaption", &[], |caption| {
            caption.element("ul", &[("class", "legend")], |list| {
                for (k, &at) in named.iter().enumerate() {
                    key(list, &format!("c{k}"), &table.rows[at].result.label);
                }
                if named.len() < curves_of(&table.rows, deltas[0]).count() {
                    key(list, "rest", "all other rows");
                }
            });
            caption.tagged(
                "p",
                &[],
                "Of the test frames, by matching distance. Cells of the grid are the answers; of rows \
                 without a map, those between the cells. Named: this project's methods, and the best of \
                 the others.",
            );
        });
    });
}

fn key(list: &mut Markup, class: &str, name: &str) {
    list.element("li", &[], |item| {
        let class = format!("key line {class}");
        item.tagged("span", &[("class", &class), ("aria-hidden", "true")], "");
        item.text(name);
    });
}

/// All distances, ascending.
fn deltas(rows: &[Row]) -> Vec<f64> {
    let all = rows.iter().flat_map(|row| &row.result.precision_recall);
    let mut deltas: Vec<f64> = all.map(|curve| curve.delta).collect();
    deltas.sort_by(f64::total_cmp);
    deltas.dedup();
    deltas
}

fn curves_of(rows: &[Row], delta: f64) -> impl Iterator<Item = (usize, &PrecisionRecall)> {
    rows.iter().enumerate().filter_map(move |(at, row)| {
        let mut curves = row.result.precision_recall.iter();
        let curve = curves.find(|curve| curve.delta == delta && !curve.points.is_empty())?;
        Some((at, curve))
    })
}

/// Ours, then the best others, as many as can be told apart.
fn named(rows: &[Row]) -> Vec<usize> {
    let has = |at: &usize| !rows[*at].result.precision_recall.is_empty();
    let mut all: Vec<usize> = (0..rows.len()).filter(has).collect();
    let score = |row: &Row| {
        row.grid
            .as_ref()
            .or(row.off_grid.as_ref())
            .map_or(0.0, |s| s.cso_map)
    };
    all.sort_by(|&a, &b| {
        let others = |at: usize| rows[at].result.group != Group::Ours;
        let by_score = score(&rows[b]).total_cmp(&score(&rows[a]));
        others(a).cmp(&others(b)).then(by_score)
    });
    all.truncate(NAMED);
    all
}

fn panel(page: &mut Markup, rows: &[Row], named: &[usize], delta: f64) {
    let panel = Panel {
        left: 30.0,
        top: 26.0,
        right: 222.0,
        bottom: 196.0,
        horizontal: Axis::linear((0.0, 1.0), "recall"),
        vertical: Axis::linear((0.0, 1.0), ""),
        wanted: (5, 5),
    };
    let title = format!("Precision over recall within {delta:.2} px");
    let description = named.iter().filter_map(|&at| {
        let (_, curve) = curves_of(rows, delta).find(|(of, _)| *of == at)?;
        let furthest = curve
            .points
            .iter()
            .map(|point| point[0])
            .fold(0.0, f64::max);
        Some(format!(
            "{} reaches recall {furthest:.2}",
            rows[at].result.label
        ))
    });
    let description = description.collect::<Vec<_>>().join("; ");
    let picture = Picture {
        size: (236.0, 236.0),
        class: "chart",
        title: &title,
        description: &description,
    };
    picture.write(page, |svg| {
        panel.axes(svg);
        let heading = format!("precision, {delta:.2} px");
        super::chart::label(svg, "heading", (2.0, 14.0), &heading);
        let rank = |at: usize| named.iter().position(|&of| of == at);
        // Named curves above the others, the first one on top.
        let mut curves: Vec<(usize, &PrecisionRecall)> = curves_of(rows, delta).collect();
        curves.sort_by_key(|(at, _)| std::cmp::Reverse(rank(*at).unwrap_or(NAMED)));
        for (at, curve) in curves {
            let class = rank(at).map_or("curve rest".to_owned(), |k| format!("curve c{k}"));
            let points: Vec<(f64, f64)> = curve.points.iter().map(|p| (p[0], p[1])).collect();
            panel.curve(svg, &class, &rows[at].result.label, &points);
        }
    });
}

/// Writes losses and validations; nothing where nothing was trained.
pub fn training(page: &mut Markup, table: &Table) {
    let trained =
        |row: &&Row| row.result.training_curve.len() > 1 || row.result.validation_curve.len() > 1;
    let rows: Vec<&Row> = table.rows.iter().filter(trained).collect();
    if rows.is_empty() {
        return;
    }
    let validations = rows.iter().flat_map(|row| &row.result.validation_curve);
    let highest = validations
        .map(|point| point.1.max(point.2))
        .fold(1.0, f64::max);
    page.tagged("h3", &[], "Training");
    page.element("figure", &[], |figure| {
        let label = format!("Training: {}", table.title);
        scrolling(figure, &label, |figure| {
            figure.element("div", &[("class", "multiples")], |page| {
                for row in &rows {
                    trained_panel(page, row, highest);
                }
            });
        });
        figure.element("figcaption", &[], |caption| {
            caption.element("ul", &[("class", "legend")], |list| {
                key(list, "loss", "loss, logarithmic, each method's own");
                key(list, "c0", "CSO-mAP of the validation split, %");
                key(list, "c1", "AP at 0.25 px there, %");
            });
            caption.tagged(
                "p",
                &[],
                "Over steps. Losses of different methods are no common measure; the percentages below \
                 share one scale.",
            );
        });
    });
}

fn trained_panel(page: &mut Markup, row: &Row, highest: f64) {
    let result = &row.result;
    let steps = result.training_curve.iter().map(|point| point.0);
    let steps = steps.chain(result.validation_curve.iter().map(|point| point.0));
    let steps = Axis::linear((0.0, steps.max().unwrap_or(1).max(1) as f64), "step");
    let last = result.validation_curve.last();
    let validated = last.map_or_else(String::new, |(step, map, ap)| {
        format!("CSO-mAP {map:.1} % and AP at 0.25 px {ap:.1} % at step {step}. ")
    });
    let losses: Vec<(f64, f64)> = result
        .training_curve
        .iter()
        .map(|&(step, loss)| (step as f64, loss))
        // A logarithm has no place for others.
        .filter(|(_, loss)| *loss > 0.0)
        .collect();
    let (first, end) = (losses.first(), losses.last());
    let fallen = first.zip(end).map_or_else(String::new, |(first, end)| {
        format!("Loss from {:.3e} to {:.3e}.", first.1, end.1)
    });
    let picture = Picture {
        size: (236.0, 240.0),
        class: "chart",
        title: &format!("Training of {}", result.label),
        description: &(validated + &fallen),
    };
    picture.write(page, |svg| {
        super::chart::label(svg, "heading", (2.0, 14.0), &result.label);
        loss(svg, Axis { label: "", ..steps }, &losses);
        validation(svg, steps, row, highest);
    });
}

fn loss(svg: &mut Markup, steps: Axis, losses: &[(f64, f64)]) {
    let low = losses
        .iter()
        .map(|point| point.1)
        .fold(f64::INFINITY, f64::min);
    let high = losses.iter().map(|point| point.1).fold(0.0, f64::max);
    if losses.is_empty() {
        return;
    }
    let panel = Panel {
        left: 38.0,
        top: 24.0,
        right: 224.0,
        bottom: 84.0,
        horizontal: steps,
        vertical: Axis {
            range: (low / 1.15, high * 1.15),
            scale: Scale::Log,
            label: "",
        },
        wanted: (2, 2),
    };
    panel.up(svg);
    panel.curve(svg, "curve loss", "loss", losses);
}

fn validation(svg: &mut Markup, steps: Axis, row: &Row, highest: f64) {
    let panel = Panel {
        left: 38.0,
        top: 98.0,
        right: 224.0,
        bottom: 200.0,
        horizontal: steps,
        vertical: Axis::linear((0.0, highest), ""),
        wanted: (3, 3),
    };
    panel.axes(svg);
    let curve = &row.result.validation_curve;
    let at = |of: fn(&(u64, f64, f64)) -> f64| -> Vec<(f64, f64)> {
        curve
            .iter()
            .map(|point| (point.0 as f64, of(point)))
            .collect()
    };
    panel.curve(svg, "curve c1", "AP at 0.25 px", &at(|point| point.2));
    panel.curve(svg, "curve c0", "CSO-mAP", &at(|point| point.1));
}
