//! Cramér–Rao bound of the generated windows, and the metric that an efficient estimator would
//! reach: arrangement × noise × number of targets, over the test split.
//!
//! Prints a Markdown table per case. σ is the root mean square of the bound's standard deviation
//! per axis; distances are √2 of that. Nothing is timed: the records keep these figures beside those
//! that they judge. A common acceleration or a constant background to be estimated too moves
//! CSO-mAP over all windows of arrangement `rules` by less than 0.5.
//!
//! `-- --test` takes a few trajectories and noise levels.

use std::process::ExitCode;

use derefnet::Result;
use derefnet::dataset::Split;
use derefnet::eval::bound::BoundOptions;
use derefnet::eval::bound::row::{Row, rows, windows};
use derefnet::scene::{Arrangement, SceneConfig};
use derefnet_benches::SEED;

/// Standard deviations of the noise, counts.
const NOISE: [f64; 6] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];

/// One table.
struct Case {
    name: &'static str,
    arrangement: Arrangement,
    targets: [u32; 2],
    options: BoundOptions,
}

fn cases() -> Vec<Case> {
    let arranged = |name, arrangement, targets| Case {
        name,
        arrangement,
        targets,
        options: BoundOptions::of(arrangement),
    };
    vec![
        arranged("rules", Arrangement::Rules, [2, 4]),
        arranged("free", Arrangement::Free, [2, 4]),
        Case {
            options: BoundOptions::rules_known(),
            ..arranged("rules known", Arrangement::Rules, [2, 4])
        },
        arranged("rules, 2–8 targets", Arrangement::Rules, [2, 8]),
    ]
}

fn main() -> ExitCode {
    let quick = std::env::args().any(|arg| arg == "--test");
    let trajectories = if quick { 8 } else { Split::Test.trajectories() };
    let noise = if quick { &NOISE[..2] } else { &NOISE };
    println!("bound: test split, seed {SEED}, {trajectories} trajectories");
    let printed: Result<()> = cases()
        .iter()
        .try_for_each(|case| print(case, noise, trajectories));
    printed.map_or_else(
        |error| {
            eprintln!("bound: {error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn print(case: &Case, noise: &[f64], trajectories: u64) -> Result<()> {
    let scene = SceneConfig {
        arrangement: case.arrangement,
        targets: case.targets,
        ..SceneConfig::default()
    };
    let windows = windows(&scene, &case.options, SEED, Split::Test, trajectories)?;
    println!("\n{}\n", case.name);
    println!("| noise σ | targets | σ, px | CSO-mAP | AP05 | AP10 | AP15 | AP20 | AP25 |");
    println!("|{}", " --- |".repeat(9));
    for &noise in noise {
        for row in rows(&windows, noise, SEED)? {
            line(noise, &row);
        }
    }
    Ok(())
}

fn line(noise: f64, row: &Row) {
    let targets = row.targets.map_or("all".to_owned(), |k| k.to_string());
    print!(
        "| {noise} | {targets} | {:.4} | {:.1} |",
        row.sigma_px, row.report.cso_map
    );
    for ap in row.report.average_precisions() {
        print!(" {ap:.1} |");
    }
    println!();
}
