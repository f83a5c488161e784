//! What the columns' cells hold.

use super::markup::{about, whole};
use super::read::Row;
use crate::benchmark::result::{PublishedFigures, Scores};

/// What a cell holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// To compare with other rows, as precise as it is printed.
    pub value: f64,
    /// As printed.
    pub text: String,
    /// Beneath it.
    pub note: Option<String>,
}

pub(super) fn printed(row: &Row) -> Option<&PublishedFigures> {
    row.result.published.as_ref()
}

/// A figure to so many decimals; its value is what these say.
pub(super) fn percent(value: f64, decimals: usize) -> Option<Cell> {
    let text = format!("{value:.decimals$}");
    let value = text.parse().ok()?;
    Some(Cell {
        value,
        text,
        note: None,
    })
}

pub(super) fn score(scores: Option<&Scores>, interval: Option<[f64; 2]>) -> Option<Cell> {
    let cell = percent(scores?.cso_map, 2)?;
    let note = interval.map(|[low, high]| format!("{low:.2}–{high:.2}"));
    Some(Cell { note, ..cell })
}

pub(super) fn interval(row: &Row, off_grid: bool) -> Option<[f64; 2]> {
    let interval = row.result.interval.as_ref()?;
    if off_grid {
        interval.off_grid
    } else {
        interval.grid
    }
}

pub(super) fn ap(scores: &Option<Scores>, at: usize) -> Option<Cell> {
    percent(scores.as_ref()?.aps[at], 1)
}

pub(super) fn ap_printed(row: &Row, at: usize) -> Option<Cell> {
    percent(printed(row)?.aps[at], 1)
}

pub(super) fn plain(value: f64) -> Cell {
    Cell {
        value,
        text: about(value),
        note: None,
    }
}

pub(super) fn parameters(row: &Row) -> Option<Cell> {
    let (all, answering) = (row.result.parameters, row.result.answering_parameters);
    let fewer = (answering != all).then(|| format!("{} answer", whole(answering as u64)));
    // A method without parameters has none to count.
    (all > 0).then(|| Cell {
        value: all as f64,
        text: whole(all as u64),
        note: fewer,
    })
}

pub(super) fn work(row: &Row) -> Option<Cell> {
    let published = row.result.macs_per_frame.map(|work| work as f64 / 1e6);
    let here = row.result.macs_per_frame_here.map(|work| work as f64 / 1e6);
    let value = published.or(here)?;
    let note = here.map(about).filter(|text| *text != about(value));
    Some(Cell {
        note: note.map(|text| format!("{text} here")),
        ..plain(value)
    })
}

/// Of the first run: a row gives all its runs the same.
pub(super) fn training(row: &Row) -> Option<Cell> {
    let training = row.result.runs.first()?.training.as_ref()?;
    let seeds = row.result.runs.len();
    let seeds = if seeds > 1 {
        format!(", {seeds} seeds")
    } else {
        String::new()
    };
    let note = format!("{} steps{seeds}", whole(training.steps));
    Some(Cell {
        note: Some(note),
        ..plain(training.minutes)
    })
}
