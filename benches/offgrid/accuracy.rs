//! How good the answers are, beside what an efficient estimator would reach.

use std::path::Path;

use derefnet::Result;
use derefnet::dataset::Split;
use derefnet::eval::bound::BoundOptions;
use derefnet::eval::bound::row::{Row as BoundRow, rows, windows};
use derefnet::eval::judge::window_bounds;
use derefnet::eval::metric::Report;
use derefnet::plot::reports::draw_calibration;
use derefnet::scene::{Arrangement, SceneConfig, generate};
use derefnet_benches::SEED;
use derefnet_core::locate::{Arrangement as Known, LocateConfig};

use super::measure::{Bench, Case, Row, SHOWN, percent};

/// Standard deviations of the noise, counts.
const NOISE: [f64; 6] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];

/// Arrangement and number of targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The published rules.
    Rules,
    /// Anywhere.
    Free,
    /// The published rules with up to 8 targets.
    Many,
    /// The published rules, of whose arrangement the fit knows nothing.
    Unknown,
}

impl Setting {
    /// In the order of the tables.
    pub const ALL: [Self; 4] = [Self::Rules, Self::Free, Self::Many, Self::Unknown];

    fn name(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Free => "free",
            Self::Many => "rules, 2–8 targets",
            Self::Unknown => "rules, the arrangement unknown to the fit",
        }
    }

    fn arrangement(self) -> Arrangement {
        match self {
            Self::Free => Arrangement::Free,
            Self::Rules | Self::Many | Self::Unknown => Arrangement::Rules,
        }
    }

    fn scene(self, noise: f64) -> SceneConfig {
        SceneConfig {
            arrangement: self.arrangement(),
            targets: if self == Self::Many { [2, 8] } else { [2, 4] },
            noise: [noise; 2],
            ..SceneConfig::default()
        }
    }

    fn config(self) -> LocateConfig {
        let mut config = LocateConfig::SEQ_CSIST;
        match self {
            Self::Many => config.counts = [1, 8],
            Self::Unknown => config.prior.arrangement = Known::UNKNOWN,
            Self::Rules | Self::Free => {}
        }
        config
    }
}

fn levels(bench: &Bench) -> &'static [f64] {
    if bench.quick { &NOISE[..1] } else { &NOISE }
}

/// Every method at every noise level; with bounds where targets are arranged freely.
pub fn measure(bench: &Bench, setting: Setting, trajectories: u64) -> Result<Vec<Row>> {
    let mut all = Vec::new();
    for &noise in levels(bench) {
        let scene = setting.scene(noise);
        let make = |index| generate(&scene, SEED, Split::Test, index);
        let trajectories: Vec<_> = (0..trajectories).map(make).collect();
        let options = BoundOptions::of(setting.arrangement());
        let bounds = (setting == Setting::Free)
            .then(|| window_bounds(&trajectories, noise, &options))
            .transpose()?;
        all.extend(bench.measure(&Case {
            name: setting.name().to_owned(),
            noise,
            trajectories,
            excluded: Vec::new(),
            config: setting.config(),
            bounds,
        })?);
    }
    Ok(all)
}

/// Prints `all`, and after each noise level the row of the bound.
pub fn print(bench: &Bench, setting: Setting, all: &[Row], trajectories: u64) -> Result<()> {
    let options = BoundOptions::of(setting.arrangement());
    let scene = setting.scene(0.0);
    let windows = windows(&scene, &options, SEED, Split::Test, trajectories)?;
    println!("\nAccuracy, {}\n", setting.name());
    println!(
        "| noise σ | method | CSO-mAP | AP05 | AP10 | AP15 | AP20 | AP25 | count, % | RMSE, px | in 95 % ellipse |"
    );
    println!("|{}", " --- |".repeat(11));
    for &noise in levels(bench) {
        for row in all.iter().filter(|row| row.noise == noise) {
            let inside = percent(row.verdict.inside_95());
            line(noise, row.method.name(), &row.verdict.report, &inside);
        }
        let bound = rows(&windows, noise, SEED)?;
        bound
            .first()
            .into_iter()
            .for_each(|BoundRow { report, .. }| {
                line(noise, "bound", report, "-");
            });
    }
    Ok(())
}

fn line(noise: f64, name: &str, report: &Report, inside: &str) {
    print!("| {noise} | {name} | {:.1} |", report.cso_map);
    for ap in report.average_precisions() {
        print!(" {ap:.1} |");
    }
    let rmse = report.rmse_px.map_or("-".to_owned(), |r| format!("{r:.4}"));
    println!(" {:.1} | {rmse} | {inside} |", report.count_accuracy);
}

/// Truths inside the predicted ellipses, one line per noise level.
///
/// # Errors
/// If the file cannot be written.
pub fn draw(all: &[Row], path: &Path) -> Result<()> {
    let shown = all.iter().filter(|row| row.method == SHOWN);
    let lines: Vec<_> = shown
        .filter_map(|row| {
            let rows = &row.verdict.calibration.rows;
            let whole = rows.iter().find(|r| r.targets.is_none())?;
            Some((format!("noise σ = {}", row.noise), whole))
        })
        .collect();
    draw_calibration(
        path,
        &lines,
        &format!("Truths inside, rules, {}", SHOWN.name()),
    )
}
