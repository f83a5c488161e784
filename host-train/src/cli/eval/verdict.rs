//! What `eval` says beyond the metric, for readouts between the cells.

use std::fmt::Write as _;

use serde::Serialize;

use super::EvalArgs;
use crate::eval::calibration::{CalibrationRow, Share, figure};
use crate::eval::efficiency::EfficiencyRow;
use crate::eval::judge::Verdict;
use crate::plot::reports::{draw_calibration, draw_efficiency};
use crate::scene::Arrangement;
use crate::{Error, Result};

/// Calibration and errors against the bound as JSON keys.
#[derive(Debug, Serialize)]
pub struct Extra {
    /// Shares of truths inside the predicted ellipses: all frames, then by number of targets.
    calibration: Vec<Calibrated>,
    /// Windows left out of the calibration, because an answer has no covariance.
    unjudged: usize,
    /// Errors against the Cramér–Rao bound by number of targets; null unless the arrangement is
    /// free.
    efficiency: Option<Vec<EfficiencyRow>>,
}

#[derive(Debug, Serialize)]
struct Calibrated {
    targets: Option<usize>,
    pairs: usize,
    shares: Vec<Share>,
    normalised_square: Option<f64>,
    standard_error: Option<f64>,
}

impl From<&CalibrationRow> for Calibrated {
    fn from(row: &CalibrationRow) -> Self {
        Self {
            targets: row.targets,
            pairs: row.pairs,
            shares: row.shares.clone(),
            normalised_square: row.normalised_square,
            standard_error: row.standard_error,
        }
    }
}

impl From<&Verdict> for Extra {
    fn from(verdict: &Verdict) -> Self {
        let rows = &verdict.calibration.rows;
        let efficiency = verdict.efficiency.as_ref();
        Self {
            calibration: rows.iter().map(Calibrated::from).collect(),
            unjudged: verdict.unjudged,
            efficiency: efficiency.map(|report| report.rows.clone()),
        }
    }
}

/// Whether the frames are generated, and nothing beyond the bound's model is known of their targets.
pub fn has_bound(args: &EvalArgs) -> bool {
    args.data.is_none() && args.arrangement == Arrangement::Free
}

/// Refuses figures that the readout or the data have no numbers for.
///
/// # Errors
/// [`Error::Usage`] naming the option.
pub fn check(args: &EvalArgs) -> Result<()> {
    let needed = "expected --readout offgrid, head, head-fit or head-prior";
    let grid = args.readout.method().is_none();
    if args.calibration_plot.is_some() && grid {
        return Err(Error::usage(format!(
            "--calibration-plot: grid cells predict no ellipses, {needed}"
        )));
    }
    if args.efficiency_plot.is_some() && (grid || !has_bound(args)) {
        return Err(Error::usage(format!(
            "--efficiency-plot: {needed}, and generated frames of --arrangement free"
        )));
    }
    Ok(())
}

/// Draws the figures that were asked for.
///
/// # Errors
/// If a file cannot be written.
pub fn draw(args: &EvalArgs, verdict: &Verdict, title: &str) -> Result<()> {
    if let Some(path) = &args.calibration_plot {
        let rows = verdict.calibration.rows.iter().map(|row| (name(row), row));
        draw_calibration(path, &rows.collect::<Vec<_>>(), title)?;
    }
    if let (Some(path), Some(report)) = (&args.efficiency_plot, &verdict.efficiency) {
        draw_efficiency(path, &report.rows, title)?;
    }
    Ok(())
}

fn name(row: &CalibrationRow) -> String {
    row.targets
        .map_or_else(|| "all".to_owned(), |k| format!("{k} targets"))
}

/// The same for people, below the table of the metric.
pub fn text(verdict: &Verdict) -> String {
    let mut text = String::new();
    let all = verdict
        .calibration
        .rows
        .iter()
        .find(|r| r.targets.is_none());
    for share in all.iter().flat_map(|row| &row.shares) {
        let observed = figure(share.observed, share.standard_error, 2);
        let label = format!("{:.0} % ellipse", share.nominal);
        let _ = writeln!(text, "{label:<16}{observed:>14} % of truths");
    }
    if verdict.unjudged > 0 {
        let _ = writeln!(text, "{:<16}{:>8}", "no covariance", verdict.unjudged);
    }
    for row in verdict.efficiency.iter().flat_map(|report| &report.rows) {
        let ratio = figure(row.ratio, row.standard_error, 3);
        let label = format!("{} targets", row.targets);
        let _ = writeln!(text, "{label:<16}{ratio:>14} RMSE / bound");
    }
    text
}
