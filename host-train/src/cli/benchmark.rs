//! `derefnet benchmark`: a table of methods, trained for an equal budget.

use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::backend::BackendKind;
use super::{Common, output};
use crate::benchmark::result::{RowResult, Scores};
use crate::benchmark::{Definition, Options, Row, Scale, Size, State, run as run_rows, state};
use crate::{Error, Result};

/// Options of `benchmark`.
#[derive(Clone, Debug, clap::Args)]
pub struct BenchmarkArgs {
    /// What to compare: a file of benches/definitions/, or your own.
    #[arg(value_name = "DEFINITION.toml")]
    pub definition: PathBuf,
    /// Folder of the results; one that is there already is gone on with. Several processes may work
    /// on one folder, each takes rows that no other is at.
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    pub out: Option<PathBuf>,
    /// Which of the definition's budgets.
    #[arg(long, value_enum, default_value = "hour")]
    pub preset: Scale,
    /// Only these rows.
    #[arg(long, value_name = "ROW", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Where networks train and answer; solvers, fits and quantised models stay on the processor.
    #[arg(long, value_enum, default_value = "cpu")]
    pub backend: BackendKind,
    /// Only list the rows, and with --out how far they are.
    #[arg(long)]
    pub list: bool,
}

#[derive(Serialize)]
struct Answer {
    title: String,
    preset: Scale,
    out: Option<PathBuf>,
    rows: Vec<RowAnswer>,
}

#[derive(Serialize)]
struct RowAnswer {
    row: String,
    label: String,
    /// `training`, `solver`, `fit` or `model`.
    work: &'static str,
    /// `done`, `kept`, `failed` or `elsewhere`; in lists `done`, `begun` or `open`.
    state: &'static str,
    #[serde(flatten)]
    size: Size,
    /// CSO-mAP of each seed.
    grid: Vec<Option<f64>>,
    off_grid: Vec<Option<f64>>,
    message: Option<String>,
}

/// Runs, or lists, the rows of a definition.
///
/// # Errors
/// Bad definition or options, rows of a changed definition, a file that is damaged or cannot be
/// written; a failed training, after the others are done.
pub fn run(args: &BenchmarkArgs, common: &Common) -> Result<()> {
    if common.seed.is_some() {
        return Err(Error::usage("--seed: the definition has the seeds"));
    }
    let mut definition = Definition::read(&args.definition, args.preset)?;
    definition.keep(&args.only)?;
    let mut answer = Answer {
        title: definition.title.clone(),
        preset: args.preset,
        out: args.out.clone(),
        rows: Vec::new(),
    };
    match &args.out {
        Some(out) if !args.list => {
            let options = Options {
                out: out.clone(),
                backend: args.backend,
            };
            run_rows(&definition, &options, |row, state| {
                let row = told(row, state);
                output::note(line(&row).trim_end());
                answer.rows.push(row);
                Ok(())
            })?;
        }
        out => {
            let how_far = |row| out.as_ref().map_or("open", |out| state(row, out));
            let rows = definition.rows.iter();
            answer.rows = rows.map(|row| listed(row, how_far(row))).collect();
        }
    }
    output::emit(common, &answer, &describe(&answer))?;
    let failed = answer.rows.iter().filter(|row| row.state == "failed");
    match failed.count() {
        0 => Ok(()),
        count => Err(Error::CheckFailed(format!("{count} rows failed"))),
    }
}

fn listed(row: &Row, state: &'static str) -> RowAnswer {
    RowAnswer {
        row: row.name.clone(),
        label: row.label.clone(),
        work: row.work.name(),
        state,
        size: row.size,
        grid: Vec::new(),
        off_grid: Vec::new(),
        message: None,
    }
}

fn told(row: &Row, state: &State) -> RowAnswer {
    let with = |result: &RowResult, state| {
        let scores = |scores: Option<Scores>| scores.map(|s| s.cso_map);
        RowAnswer {
            grid: result.runs.iter().map(|run| scores(run.grid)).collect(),
            off_grid: result.runs.iter().map(|run| scores(run.off_grid)).collect(),
            ..listed(row, state)
        }
    };
    match state {
        State::Done(result) => with(result, "done"),
        State::Kept(result) => with(result, "kept"),
        State::Elsewhere => listed(row, "elsewhere"),
        State::Failed(message) => RowAnswer {
            message: Some(message.clone()),
            ..listed(row, "failed")
        },
    }
}

fn line(row: &RowAnswer) -> String {
    let scores = |all: &[Option<f64>]| {
        let words = all
            .iter()
            .map(|s| s.map_or("-".to_owned(), |s| format!("{s:.2}")));
        words.collect::<Vec<_>>().join(" ")
    };
    let work = row.size.macs_per_frame_here;
    let work = work.map_or_else(String::new, |work| format!("{:.2}", work as f64 / 1e6));
    format!(
        "{:<20} {:<9} {:<9} {:>11} {work:>10}  {:<12} {:<12} {}\n",
        row.row,
        row.work,
        row.state,
        row.size.answering_parameters,
        scores(&row.grid),
        scores(&row.off_grid),
        row.message.as_deref().unwrap_or_default()
    )
}

fn describe(answer: &Answer) -> String {
    let mut text = format!(
        "{}, preset {}\n{:<20} {:<9} {:<9} {:>11} {:>10}  {:<12} {:<12}\n",
        answer.title,
        answer.preset.name(),
        "row",
        "work",
        "state",
        "parameters",
        "MMAC/frame",
        "grid",
        "off-grid"
    );
    answer.rows.iter().for_each(|row| text += &line(row));
    if let Some(out) = &answer.out {
        let _ = write!(text, "results: {}", out.display());
    }
    text
}
