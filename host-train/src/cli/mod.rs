//! The program `derefnet`: one file per command, parsed and dispatched here.
//!
//! A command `x` is a file `x.rs` with `XArgs` (derives `clap::Args`) and
//! `pub fn run(args: &XArgs, common: &Common) -> Result<()>`; it joins with one line in
//! `Command`, which holds its help and its example, and one in `Command::run`.
//!
//! Commands: `demo` (also without arguments), `unmix`, `simulate`, `train`, `eval`, `metric`,
//! `parity`, `export`, `quantize`, `methods`, `benchmark`, `report`, `info`.
//!
//! Answers go to standard output through [`output`], progress to standard error through
//! [`progress`]. Exit codes: 0 done, 1 a failed check or evaluation, 2 bad usage or bad input,
//! 130 interrupted.

use std::ffi::OsString;

use clap::Parser;

use crate::{Error, Result};

pub mod backend;
pub mod find;
pub mod input;
pub mod interrupt;
pub mod output;
pub mod progress;
pub mod ranks;

pub mod benchmark;
pub mod demo;
pub mod eval;
pub mod export;
pub mod info;
pub mod methods;
pub mod metric;
pub mod model;
pub mod parity;
pub mod quantize;
pub mod report;
pub mod simulate;
pub mod train;
pub mod unmix;

/// Options that every command shares.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// Print one JSON object on standard output instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// Seed of everything random in this command [default: 1]; most commands draw nothing.
    #[arg(long, global = true)]
    pub seed: Option<u64>,
    /// Worker threads; 0 means one per core. Results do not depend on it.
    #[arg(long, global = true, default_value_t = 0)]
    pub threads: usize,
}

impl Common {
    /// The seed, 1 unless given.
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or(1)
    }
}

/// Finds closely spaced infrared targets that melt into one blob on the sensor.
#[derive(Debug, clap::Parser)]
#[command(name = "derefnet", version, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Every command, in the order of the help.
///
/// Each variant reads `#[command(after_help = "Example:\n  derefnet x …")] X(x::XArgs)`; a test
/// holds every command to its example.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Unmix a held-out sequence with the shipped model, evaluate, draw (the default).
    #[command(after_help = "Example:\n  derefnet demo --out out/demo")]
    Demo(demo::DemoArgs),
    /// Find the targets in your own frames.
    #[command(after_help = "Example:\n  derefnet unmix frames/ --at auto --plot pictures")]
    Unmix(unmix::UnmixArgs),
    /// Make a data set by the SeqCSIST rules.
    #[command(
        after_help = "Example:\n  derefnet simulate --out data --trajectories 200 --layout seqcsist"
    )]
    Simulate(simulate::SimulateArgs),
    /// Train a network.
    #[command(after_help = "Example:\n  derefnet train --preset edge --out runs/edge --minutes 60")]
    Train(train::TrainArgs),
    /// Evaluate a model on held-out trajectories.
    #[command(
        after_help = "Example:\n  derefnet eval --model runs/edge/best.safetensors --noise 2 --plot pr.png"
    )]
    Eval(eval::EvalArgs),
    /// Compute CSO-mAP of detections against the truth.
    #[command(
        after_help = "Example:\n  derefnet metric --detections found.json --truth truth.json"
    )]
    Metric(metric::MetricArgs),
    /// Compare the network with golden tensors of the authors' code.
    #[command(
        after_help = "Example:\n  derefnet parity --golden tests/golden/derefnet_seed1_small.safetensors"
    )]
    Parity(parity::ParityArgs),
    /// Write a model in the form in which it ships.
    #[command(
        after_help = "Example:\n  derefnet export --model runs/edge/best.safetensors --out edge.onnx"
    )]
    Export(export::ExportArgs),
    /// Turn a trained model into the integers that run on devices.
    #[command(
        after_help = "Example:\n  derefnet quantize --model runs/edge/best.safetensors --out edge.dref --plot errors.png"
    )]
    Quantize(quantize::QuantizeArgs),
    /// List the methods of the published comparison, and ours.
    #[command(after_help = "Example:\n  derefnet methods --json")]
    Methods(methods::MethodsArgs),
    /// Train the methods of a definition for an equal budget and evaluate all on the same frames.
    #[command(
        after_help = "Example:\n  derefnet benchmark benches/definitions/table7.toml --out runs/table7 --preset hour --threads 1"
    )]
    Benchmark(benchmark::BenchmarkArgs),
    /// Make one HTML page of benchmark results.
    #[command(
        after_help = "Example:\n  derefnet report runs/table7 --device benches/record/qemu --out report.html"
    )]
    Report(report::ReportArgs),
    /// Show what is in a model file.
    #[command(after_help = "Example:\n  derefnet info runs/edge/best.safetensors")]
    Info(info::InfoArgs),
}

impl Command {
    /// Hands over to the command's file.
    fn run(&self, common: &Common) -> Result<()> {
        match self {
            Self::Demo(args) => demo::run(args, common),
            Self::Unmix(args) => unmix::run(args, common),
            Self::Eval(args) => eval::run(args, common),
            Self::Parity(args) => parity::run(args, common),
            Self::Export(args) => export::run(args, common),
            Self::Quantize(args) => quantize::run(args, common),
            Self::Info(args) => info::run(args, common),
            Self::Simulate(args) => simulate::run(args, common),
            Self::Train(args) => train::run(args, common),
            Self::Metric(args) => metric::run(args, common),
            Self::Methods(args) => methods::run(args, common),
            Self::Benchmark(args) => benchmark::run(args, common),
            Self::Report(args) => report::run(args, common),
        }
    }
}

/// Parses `args` (program name first), does the work and gives the exit code.
///
/// Errors are printed on standard error.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(stop) => {
            // Help and version come this way too; a reader that left early is no failure.
            let _ = stop.print();
            return u8::try_from(stop.exit_code()).unwrap_or(2);
        }
    };
    match execute(&cli) {
        Ok(()) => 0,
        Err(error) => {
            output::complain(&error);
            error.exit_code()
        }
    }
}

fn execute(cli: &Cli) -> Result<()> {
    start_pool(cli.common.threads)?;
    interrupt::install()?;
    match &cli.command {
        Some(command) => command.run(&cli.common),
        None => demo::run(&demo::DemoArgs::default(), &cli.common),
    }
}

/// More threads than this is a slip of the keyboard, and starting them would stall the machine.
const MAX_THREADS: usize = 1024;

/// Starts the worker pool, so that a machine out of threads is an error and not a panic later.
fn start_pool(threads: usize) -> Result<()> {
    if threads > MAX_THREADS {
        return Err(Error::usage(format!(
            "--threads: {threads}, expected 0 to {MAX_THREADS}"
        )));
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|source| Error::usage(format!("--threads: cannot start the workers: {source}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn code(args: &[&str]) -> u8 {
        run(args.iter().map(OsString::from))
    }

    #[test]
    fn clap_accepts_the_definition() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            let after = command.get_after_help().map(ToString::to_string);
            let wanted = format!("derefnet {name}");
            assert!(
                after.is_some_and(|text| text.contains(&wanted)),
                "{name} lacks an example"
            );
        }
    }

    #[test]
    fn exit_codes_of_parsing() {
        assert_eq!(code(&["derefnet", "--help"]), 0);
        assert_eq!(code(&["derefnet", "--version"]), 0);
        assert_eq!(code(&["derefnet", "no-such-command"]), 2);
        assert_eq!(code(&["derefnet", "--threads", "many"]), 2);
        assert_eq!(code(&["derefnet", "--threads", "1000000"]), 2);
    }
}
