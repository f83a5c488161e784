//! Two processes that train together, of one thread each, against one: trajectories per second.
//!
//! Needs Open MPI and a core for each process. One and two processes alternate, both bound to cores;
//! a figure is the median over rounds of each launch's median step. A trajectory is 20 frames, 16
//! windows; a step is forward, backward, exchange of gradients and Adam.
//!
//! `-- --test` takes one step of each.

use std::process::Command;
use std::time::Instant;

use derefnet::backend::cpu::Cpu;
use derefnet::model::Preset;
use derefnet::train::ranks::mpi::Session;
use derefnet::train::{Event, Run, Source, TrainConfig};
use derefnet::{Error, Result};
use derefnet_benches::median;

/// What is trained, with the trajectories of a batch.
const CASES: [(&str, Preset, usize); 3] = [
    ("paper", Preset::Paper, 2),
    ("paper", Preset::Paper, 4),
    ("edge", Preset::Edge, 8),
];
/// Launches of each number of processes.
const ROUNDS: usize = 3;
/// Measured steps of a launch.
const STEPS: u64 = 5;
/// Tells a launched process which case to train.
const CASE: &str = "DEREFNET_BENCH_CASE";
/// The same with the number of steps.
const COUNT: &str = "DEREFNET_BENCH_STEPS";

fn main() -> Result<()> {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    if let (Some(case), Some(steps)) = (number(CASE), number(COUNT)) {
        return rank(case as usize, steps);
    }
    let quick = std::env::args().any(|arg| arg == "--test");
    let (rounds, steps) = if quick { (1, 1) } else { (ROUNDS, STEPS) };
    println!("mpi: one thread a process, {:?}", Cpu::new().isa());
    for (case, (name, _, batch)) in CASES.iter().enumerate() {
        let mut rates = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            for (rates, processes) in rates.iter_mut().zip([1, 2]) {
                rates.push(*batch as f64 / launch(processes, case, steps)?);
            }
        }
        let ratios: Vec<f64> = rates[1].iter().zip(&rates[0]).map(|(b, a)| b / a).collect();
        println!(
            "{name}, batch {batch}: 1 process {:.3}, 2 processes {:.3} trajectories a second; {:.3} \
             times, median of {rounds} rounds from {:.3} to {:.3}",
            median(&rates[0]),
            median(&rates[1]),
            median(&ratios),
            ratios.iter().copied().fold(f64::INFINITY, f64::min),
            ratios.iter().copied().fold(0.0, f64::max),
        );
    }
    Ok(())
}

/// Seconds per step of `case` in so many processes.
fn launch(processes: usize, case: usize, steps: u64) -> Result<f64> {
    let failed = |what: String| Error::CheckFailed(format!("mpirun: {what}"));
    let program = std::env::current_exe().map_err(|e| failed(e.to_string()))?;
    let mut mpirun = Command::new("mpirun");
    mpirun.args(["--oversubscribe", "--map-by", "core", "--bind-to", "core"]);
    for variable in ["OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] {
        mpirun.env(variable, "1");
    }
    mpirun.args(["-n", &processes.to_string()]).arg(program);
    mpirun
        .env(CASE, case.to_string())
        .env(COUNT, steps.to_string());
    let output = mpirun.output().map_err(|e| failed(e.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let seconds = text.trim().parse().ok();
    seconds.filter(|_| output.status.success()).ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        failed(format!("{}: {text}{said}", output.status))
    })
}

/// Trains as one of the launched processes; the lead prints the median seconds of a step.
fn rank(case: usize, steps: u64) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build_global();
    pool.map_err(|error| Error::usage(error.to_string()))?;
    let session = Session::start()?;
    let ranks = session.ranks();
    let lead = ranks.leads();
    let (_, preset, batch) = CASES[case];
    let config = TrainConfig {
        batch,
        qinit_trajectories: 100,
        // The first fills caches and pools, the last ends with a validation.
        steps: steps + 2,
        validate_trajectories: 1,
        ..TrainConfig::preset(preset)
    };
    let folder = tempfile::tempdir().map_err(|e| Error::io("temporary folder", e))?;
    let run = folder.path().join("run");
    let source = Source::generated(&config);
    let work =
        Run::create_among(ranks, Cpu::new(), &run, config, source, None).and_then(|mut run| {
            let mut seconds = Vec::new();
            let mut started = Instant::now();
            run.train(None, |event| {
                if matches!(event, Event::Step(..)) {
                    seconds.push(started.elapsed().as_secs_f64());
                    started = Instant::now();
                }
                Ok(())
            })?;
            Ok(seconds)
        });
    let seconds = session.end(work, |error| eprintln!("error: {error}"))?;
    if lead {
        println!("{}", median(&seconds[1..=steps as usize]));
    }
    Ok(())
}
