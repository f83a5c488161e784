//! Time and memory of one training step of the published network, by batch and threads.
//!
//! Every configuration runs in a process of its own, so that each has its own peak of memory: the
//! program's peak resident set (`VmHWM` of Linux; `-` elsewhere) and, as what training takes, its
//! rise from before the network was made. Prints a Markdown table.
//!
//! `-- --test` runs only the smallest, one step.

use std::process::{Command, ExitCode};

use derefnet::backend::cpu::Cpu;
use derefnet::{Error, Result};
use derefnet_benches::{Training, median, pool, thread_counts};

/// Trajectories a step.
const BATCHES: [usize; 4] = [1, 2, 4, 8];
/// Measured steps per configuration, after one that is not counted.
const STEPS: usize = 5;
/// First argument of a process that measures one configuration; then batch, threads and steps.
const CHILD: &str = "--configuration";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let result = match (args.first(), &numbers[..]) {
        (Some(first), &[batch, threads, steps]) if first == CHILD => row(batch, threads, steps),
        _ => table(args.iter().any(|arg| arg == "--test")),
    };
    result.map_or_else(
        |error| {
            eprintln!("scaling: {error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// Measures all configurations, one process each.
fn table(quick: bool) -> Result<()> {
    println!("scaling: training step of the published network, 20 frames a trajectory\n");
    println!(
        "| trajectories | threads | step ms | ms a trajectory | peak MiB | training MiB | buffers |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    if quick {
        return child(BATCHES[0], 1, 1);
    }
    for threads in thread_counts() {
        for batch in BATCHES {
            child(batch, threads, STEPS)?;
        }
    }
    Ok(())
}

/// Runs one configuration in a process of its own, which prints its row.
fn child(batch: usize, threads: usize, steps: usize) -> Result<()> {
    let fail = |error: std::io::Error| Error::usage(error.to_string());
    let program = std::env::current_exe().map_err(fail)?;
    let numbers = [batch, threads, steps].map(|number| number.to_string());
    let status = Command::new(program).arg(CHILD).args(numbers).status();
    let status = status.map_err(fail)?;
    if status.success() {
        return Ok(());
    }
    Err(Error::CheckFailed(format!(
        "{batch} trajectories on {threads} threads: {status}"
    )))
}

/// Measures one configuration and prints its row.
fn row(batch: usize, threads: usize, steps: usize) -> Result<()> {
    let before = peak_memory();
    let cpu = Cpu::new();
    let workers = pool(threads)?;
    let mut training = Training::published(batch as u64)?;
    let mut step = || workers.install(|| training.step(&cpu)).seconds;
    step();
    let seconds: Vec<f64> = (0..steps).map(|_| step()).collect();
    let milliseconds = 1e3 * median(&seconds);
    let after = peak_memory();
    let rise = after.zip(before).map(|(after, before)| after - before);
    println!(
        "| {batch} | {threads} | {milliseconds:.1} | {:.1} | {} | {} | {} |",
        milliseconds / batch as f64,
        shown(after),
        shown(rise),
        cpu.allocated()
    );
    Ok(())
}

/// Largest resident set of this process so far, MiB.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes / 1024.0)
}

fn shown(mebibytes: Option<f64>) -> String {
    mebibytes.map_or_else(|| "-".to_owned(), |m| format!("{m:.0}"))
}
