//! Where every figure comes from.

use super::markup::{Markup, about, whole};
use super::read::{Row, Table};
use super::tables::{head, row_anchor, scrolling};
use crate::benchmark::result::{DataUsed, RunResult};
use crate::scene::Arrangement;

/// Writes a line for every row of `table`.
pub fn write(page: &mut Markup, table: &Table) {
    page.tagged("h3", &[], &table.title);
    page.tagged(
        "p",
        &[("class", "note")],
        &super::page::circumstances(table),
    );
    let label = format!("Provenance: {}", table.title);
    scrolling(page, &label, |page| {
        page.element("table", &[("class", "texts")], |page| {
            let columns = [
                ("method", "key and form"),
                ("method", "what it is, and where it departs"),
                ("training", "seeds"),
                ("training", "budget"),
                ("training", "steps"),
                ("answers", "off-grid readout"),
                ("answers", "evaluated on"),
                ("run", "machine"),
                ("run", "program"),
                ("run", "date"),
            ];
            head(page, "row", &columns);
            page.element("tbody", &[], |page| {
                for row in &table.rows {
                    write_row(page, table, row);
                }
            });
        });
    });
}

fn write_row(page: &mut Markup, table: &Table, row: &Row) {
    let result = &row.result;
    let form = [result.method.as_deref(), result.variant.as_deref()];
    let form = form.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let about = result.about.clone().unwrap_or_default();
    let seeds = result.runs.iter().map(|run| run.seed.to_string());
    let seeds = seeds.collect::<Vec<_>>().join(", ");
    let readout = result
        .runs
        .iter()
        .find_map(|run| run.off_grid_readout.clone());
    let machine = &result.machine;
    let machine = format!("{}, {} cores, {}", machine.cpu, machine.cores, machine.isa);
    let cells = [
        (form, "first"),
        (about, "wrap"),
        (seeds, "first"),
        (budget(&result.runs), ""),
        (steps(&result.runs), ""),
        (readout.unwrap_or_default(), "first"),
        (data(&result.data), "wrap"),
        (machine, "first wrap"),
        (result.program.clone(), ""),
        (result.date.clone(), ""),
    ];
    let id = row_anchor(table, row);
    page.element("tr", &[("id", &id)], |page| {
        page.tagged("th", &[("scope", "row")], &result.label);
        for (text, class) in &cells {
            page.element("td", &[("class", class)], |td| {
                if text.is_empty() {
                    td.tagged("span", &[("class", "none")], "–");
                } else {
                    td.prose(text);
                }
            });
        }
    });
}

/// Shortest and longest of the runs' budgets.
fn budget(runs: &[RunResult]) -> String {
    let trainings: Vec<_> = runs
        .iter()
        .filter_map(|run| run.training.as_ref())
        .collect();
    let Some(first) = trainings.first() else {
        return String::new();
    };
    let minutes = trainings.iter().map(|training| training.minutes);
    let (least, most) = minutes.fold((f64::INFINITY, 0.0f64), |(least, most), minutes| {
        (least.min(minutes), most.max(minutes))
    });
    let (least, most) = (about(least), about(most));
    let minutes = if least == most {
        least
    } else {
        format!("{least}–{most}")
    };
    let threads = if first.threads == 1 {
        "thread"
    } else {
        "threads"
    };
    format!(
        "{minutes} min, {} {threads}, preset {}",
        first.threads,
        first.preset.name()
    )
}

fn steps(runs: &[RunResult]) -> String {
    let trainings = runs.iter().filter_map(|run| run.training.as_ref());
    let texts = trainings.map(|training| {
        let best = training
            .best_step
            .map_or_else(String::new, |best| format!(", best at {}", whole(best)));
        format!(
            "{}, batch {}, {} trajectories seen, rate {}{best}",
            whole(training.steps),
            training.batch,
            whole(training.trajectories),
            training.rate
        )
    });
    texts.collect::<Vec<_>>().join("; ")
}

/// A data set in words.
pub fn data(data: &DataUsed) -> String {
    let [few, many] = data.targets;
    let arranged = match data.arrangement {
        Arrangement::Rules => "arranged by the published rules",
        Arrangement::Free => "arranged freely",
    };
    let before = data
        .background
        .as_ref()
        .map_or_else(String::new, |background| format!(", before {background}"));
    format!(
        "{} split of seed {}, {} trajectories, {} frames, {few}–{many} targets {arranged}, noise σ = {} \
         counts{before}",
        data.split,
        data.seed,
        whole(data.trajectories as u64),
        whole(data.frames as u64),
        data.noise
    )
}
