//! Errors in units of the Cramér–Rao bound.

use std::path::Path;

use derefnet::Result;
use derefnet::eval::efficiency::EfficiencyRow;
use derefnet::plot::reports::draw_efficiency;

use super::measure::{Row, SHOWN};

/// Prints RMSE over the bound by noise, method and number of targets.
pub fn print(all: &[Row]) {
    println!("\nEfficiency, free: RMSE over the Cramér–Rao bound\n");
    println!("| noise σ | method | 2 targets | 3 targets | 4 targets | matched, % |");
    println!("|{}", " --- |".repeat(6));
    for row in all {
        let rows = of(row);
        let [matched, present] = rows
            .iter()
            .fold([0, 0], |[a, b], row| [a + row.matched, b + row.present]);
        print!("| {} | {} |", row.noise, row.method.name());
        for targets in 2..=4 {
            print!(" {} |", ratio(rows, targets));
        }
        println!(" {:.1} |", 100.0 * matched as f64 / present.max(1) as f64);
    }
}

fn of(row: &Row) -> &[EfficiencyRow] {
    let report = row.verdict.efficiency.as_ref();
    report.map_or(&[], |report| &report.rows)
}

fn ratio(rows: &[EfficiencyRow], targets: usize) -> String {
    let row = rows.iter().find(|row| row.targets == targets);
    match row.map(|row| (row.ratio, row.standard_error)) {
        Some((Some(ratio), Some(error))) => format!("{ratio:.3} ± {error:.3}"),
        Some((Some(ratio), None)) => format!("{ratio:.3}"),
        _ => "-".to_owned(),
    }
}

/// Errors of the method that is shown, one line per number of targets.
///
/// # Errors
/// If the file cannot be written.
pub fn draw(all: &[Row], path: &Path) -> Result<()> {
    let shown = all.iter().filter(|row| row.method == SHOWN);
    let rows: Vec<_> = shown.flat_map(of).copied().collect();
    draw_efficiency(path, &rows, &format!("Errors, free, {}", SHOWN.name()))
}
