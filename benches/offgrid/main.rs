//! Localisation between the cells: how good, how near the bound, how robust. Markdown tables over
//! the test split.
//!
//! Methods: the offset head alone, the fit of point sources alone, which is what ships, the fit with
//! the head's claims as prior, and the fit started from the head's claims.
//!
//! - `accuracy`: CSO-mAP, APs, count accuracy, RMSE and truths inside the 95 % ellipse, by
//!   arrangement and noise, beside what an efficient estimator would reach that knows nothing about
//!   the arrangement (`bound`).
//! - `efficiency`: errors over the Cramér–Rao bound by noise and number of targets, targets arranged
//!   freely.
//! - `robustness`: what wrong optics, backgrounds, intensities, arrangements and dead pixels do to
//!   methods that are told nothing of it.
//!
//! Everything has one seed and depends on nothing else. A number among the answers that is not
//! finite fails the run.

mod accuracy;
mod efficiency;
mod measure;
mod perturb;
mod robustness;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use derefnet::backend::cpu::Cpu;
use derefnet::dataset::Split;
use derefnet::eval::network::Inference;
use derefnet::model::DeRefNet;
use derefnet::{Error, Result};
use derefnet_benches::SEED;

use accuracy::Setting;
use measure::{Bench, Row};

/// The model with an offset head that the project holds.
const MODEL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../host-train/models/edge.safetensors"
);

/// Trajectories of the robustness tables: a fifth of the split, for they are many.
const FEW: u64 = 150;

/// Localisation between the cells: how good, how near the bound, how robust.
#[derive(Debug, clap::Parser)]
#[command(name = "cargo bench --bench offgrid --")]
struct Args {
    /// Model with an offset head.
    #[arg(long, value_name = "F", default_value = MODEL)]
    model: PathBuf,
    /// Only this table; may be given several times.
    #[arg(long, value_enum)]
    table: Vec<Table>,
    /// Trajectories of every table [default: 750; 150 for robustness].
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Write calibration.png and efficiency.png into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Run everything once on two trajectories.
    #[arg(long)]
    test: bool,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Table {
    Accuracy,
    Efficiency,
    Robustness,
}

impl Args {
    fn wants(&self, table: Table) -> bool {
        self.table.is_empty() || self.table.contains(&table)
    }

    /// At least 1; `usual` without any wish.
    fn trajectories(&self, usual: u64) -> u64 {
        let usual = if self.test { 2 } else { usual };
        self.limit.unwrap_or(usual).max(1)
    }
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(bad) => {
            eprintln!("offgrid: {bad} numbers are not finite, expected none");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("offgrid: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the tables; how many numbers were not finite.
fn run(args: &Args) -> Result<usize> {
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    }
    let network = DeRefNet::load(&args.model)?.0;
    let name = args.model.file_name().unwrap_or_default().display();
    let split = args.trajectories(Split::Test.trajectories());
    println!("offgrid: {name}, test split, seed {SEED}, {split} trajectories");
    if network.config.head.is_none() {
        println!("\nThis model has no offset head: the fit alone.");
    }
    let backend = Cpu::new();
    let inference = Inference::new(&network, &backend);
    let bench = Bench::new(&network, &inference, args.test);
    let mut bad = tables(args, &bench, split)?;
    if args.wants(Table::Robustness) {
        bad += robustness::print(&bench, args.trajectories(FEW))?;
    }
    Ok(bad)
}

/// Accuracy and efficiency, which share their answers where targets are arranged freely.
fn tables(args: &Args, bench: &Bench, trajectories: u64) -> Result<usize> {
    let mut all: Vec<Row> = Vec::new();
    for setting in Setting::ALL {
        let shared = setting == Setting::Free && args.wants(Table::Efficiency);
        if !args.wants(Table::Accuracy) && !shared {
            continue;
        }
        let rows = accuracy::measure(bench, setting, trajectories)?;
        if args.wants(Table::Accuracy) {
            accuracy::print(bench, setting, &rows, trajectories)?;
        }
        if shared {
            efficiency::print(&rows);
        }
        draw(args, setting, &rows)?;
        all.extend(rows);
    }
    Ok(all.iter().map(|row| row.verdict.not_finite).sum())
}

fn draw(args: &Args, setting: Setting, rows: &[Row]) -> Result<()> {
    let Some(folder) = &args.out else {
        return Ok(());
    };
    match setting {
        Setting::Rules => accuracy::draw(rows, &folder.join("calibration.png")),
        Setting::Free => efficiency::draw(rows, &folder.join("efficiency.png")),
        Setting::Many | Setting::Unknown => Ok(()),
    }
}
