//! Figures straight from the reports of an evaluation.

use std::path::Path;

use super::{calibration, efficiency};
use crate::Result;
use crate::eval::calibration::CalibrationRow;
use crate::eval::efficiency::EfficiencyRow;

/// Draws the shares of `rows`, one line each under its name.
///
/// # Errors
/// [`crate::Error::Io`] if `path` cannot be written.
pub fn draw_calibration(
    path: &Path,
    rows: &[(String, &CalibrationRow)],
    title: &str,
) -> Result<()> {
    let shares = |row: &CalibrationRow| -> Vec<calibration::Share> {
        let known = row.shares.iter().filter_map(|share| {
            Some(calibration::Share {
                nominal: share.nominal,
                observed: share.observed?,
                standard_error: share.standard_error,
            })
        });
        known.collect()
    };
    let all: Vec<_> = rows.iter().map(|(_, row)| shares(row)).collect();
    let lines: Vec<calibration::Line> = rows
        .iter()
        .zip(&all)
        .map(|((name, _), shares)| calibration::Line { name, shares })
        .collect();
    calibration::draw(path, &lines, title)
}

/// Draws the errors of `rows` against the bound, one line for each number of targets.
///
/// # Errors
/// [`crate::Error::Io`] if `path` cannot be written.
pub fn draw_efficiency(path: &Path, rows: &[EfficiencyRow], title: &str) -> Result<()> {
    let mut counts: Vec<usize> = rows.iter().map(|row| row.targets).collect();
    counts.sort_unstable();
    counts.dedup();
    let levels = |&targets: &usize| -> Vec<efficiency::Level> {
        let of_count = rows.iter().filter(|row| row.targets == targets);
        of_count.filter_map(level).collect()
    };
    let all: Vec<_> = counts.iter().map(levels).collect();
    let names: Vec<String> = counts.iter().map(|k| format!("{k} targets")).collect();
    let lines: Vec<efficiency::Line> = names
        .iter()
        .zip(&all)
        .map(|(name, levels)| efficiency::Line { name, levels })
        .collect();
    efficiency::draw(path, &lines, title)
}

fn level(row: &EfficiencyRow) -> Option<efficiency::Level> {
    Some(efficiency::Level {
        noise: row.noise,
        bound: row.bound_px?,
        rmse: row.rmse_px?,
        standard_error: row.standard_error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::calibration::Share;
    use crate::plot::testing::check_picture;

    #[test]
    fn reports_become_pictures() {
        let share = |observed| Share {
            nominal: 95.0,
            observed,
            standard_error: None,
        };
        let row = CalibrationRow {
            noise: 1.0,
            targets: None,
            pairs: 9,
            shares: vec![share(None), share(Some(94.0))],
            normalised_square: None,
            standard_error: None,
        };
        check_picture("reports-calibration", |path| {
            draw_calibration(path, &[("all".to_owned(), &row)], "Ellipses")
        });
        let row = |targets, rmse_px| EfficiencyRow {
            noise: 1.0,
            targets,
            present: 9,
            matched: 9,
            rmse_px,
            bound_px: Some(0.01),
            ratio: None,
            standard_error: None,
        };
        let rows = [row(3, Some(0.02)), row(2, None)];
        check_picture("reports-efficiency", |path| {
            draw_efficiency(path, &rows, "Errors")
        });
        assert_eq!(level(&rows[1]), None);
        assert_eq!(level(&rows[0]).map(|l| l.rmse), Some(0.02));
    }
}
