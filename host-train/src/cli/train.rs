//! `derefnet train`: trains a network, resuming exactly; alone, or in many processes at once.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::backend::{BackendKind, OnBackend};
use super::progress::Progress;
use super::{Common, interrupt, output, ranks};
use crate::backend::Backend;
use crate::model::Preset;
use crate::plot;
use crate::train::{Best, Event, Ranks, Run, Source, Stop, TrainConfig};
use crate::{Error, Result};

/// Options of `train`.
#[derive(Clone, Debug, clap::Args)]
pub struct TrainArgs {
    /// Sizes of the network.
    #[arg(long, value_enum, default_value = "edge")]
    pub preset: Preset,
    /// Run directory: created, or with --resume continued.
    #[arg(long, value_name = "RUN")]
    pub out: PathBuf,
    /// TOML file whose fields override the defaults of the preset; docs/train.toml documents them.
    #[arg(long, value_name = "F.toml")]
    pub config: Option<PathBuf>,
    /// Data set folder; without it, trajectories are generated as training goes.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Start from the weights of this model instead of drawn ones.
    #[arg(long, value_name = "F", conflicts_with = "resume")]
    pub start: Option<PathBuf>,
    /// Length of the whole run in epochs of 3,500 trajectories.
    #[arg(long, conflicts_with = "resume")]
    pub epochs: Option<f64>,
    /// Stop after this many minutes; --resume goes on from there.
    #[arg(long)]
    pub minutes: Option<f64>,
    /// Where to compute.
    #[arg(long, value_enum, default_value = "cpu")]
    pub backend: BackendKind,
    /// Train together with the other processes that mpirun started, each on its share of every batch
    /// and, with --backend cuda, on a GPU of its own.
    #[arg(long)]
    pub mpi: bool,
    /// Continue the run in --out from its checkpoint.
    #[arg(long, conflicts_with_all = ["config", "preset"])]
    pub resume: bool,
}

/// Trajectories of an epoch: the published training split.
const EPOCH: f64 = 3_500.0;

#[derive(Serialize)]
struct Answer {
    run: PathBuf,
    finished: bool,
    step: u64,
    steps: u64,
    best: Option<Best>,
}

/// Trains; see [`Run`].
///
/// # Errors
/// Bad configuration or data, a run directory that cannot be used, a loss that is not finite.
pub fn run(args: &TrainArgs, common: &Common) -> Result<()> {
    let time = match args.minutes {
        Some(m) if !(m.is_finite() && m > 0.0) => {
            return Err(Error::usage(format!(
                "--minutes is {m}, expected a positive number"
            )));
        }
        minutes => minutes.map(|m| Duration::from_secs_f64(60.0 * m)),
    };
    if args.resume && common.seed.is_some() {
        return Err(Error::usage(
            "--seed: a resumed run keeps the seed it began with",
        ));
    }
    ranks::among(args.mpi, |ranks, device| {
        let training = Training {
            args,
            common,
            time,
            ranks,
        };
        args.backend.run_on(device, training)
    })
}

/// The run that the arguments ask for.
struct Training<'a> {
    args: &'a TrainArgs,
    common: &'a Common,
    time: Option<Duration>,
    ranks: Ranks,
}

impl OnBackend for Training<'_> {
    type Output = ();

    fn run<B: Backend>(self, backend: B) -> Result<()> {
        let Self {
            args,
            common,
            time,
            ranks,
        } = self;
        let run = if args.resume {
            Run::resume_among(ranks, backend, &args.out, |config| source(args, config))?
        } else {
            let planned = ranks.agree(plan(args, common))?;
            let (config, source) = planned;
            let start = args.start.as_deref();
            Run::create_among(ranks, backend, &args.out, config, source, start)?
        };
        note_ranks(&run);
        train(run, args, common, time)
    }
}

fn train<B: Backend>(
    mut run: Run<B>,
    args: &TrainArgs,
    common: &Common,
    time: Option<Duration>,
) -> Result<()> {
    let steps = run.config().steps;
    let lead = run.ranks().leads();
    let progress = lead.then(|| Progress::resumed("training", "steps", steps, run.step()));
    let mut validated = String::new();
    let stop = run.train(time, |event| {
        match event {
            Event::Step(_, losses) => {
                if let Some(progress) = &progress {
                    progress.note(format!("loss {:.4e}{validated}", losses.total));
                    progress.advance(1);
                }
            }
            Event::Validated(step, report) => {
                validated = format!(
                    ", step {step}: CSO-mAP {:.2} AP25 {:.2}",
                    report.cso_map, report.ap25
                );
            }
            Event::Dead(stages) => {
                let _ = write!(validated, ", dead stages {stages:?}");
            }
        }
        interrupt::check()
    });
    if !lead {
        return stop.map(drop);
    }
    draw(&run, args)?;
    let finished = stop? == Stop::Finished;
    let answer = Answer {
        run: args.out.clone(),
        finished,
        step: run.step(),
        steps,
        best: run.best(),
    };
    output::emit(common, &answer, &describe(&answer))
}

/// Configuration and data of a new run.
fn plan(args: &TrainArgs, common: &Common) -> Result<(TrainConfig, Source)> {
    let mut config = match &args.config {
        Some(path) => TrainConfig::read(args.preset, path)?,
        None => TrainConfig::preset(args.preset),
    };
    config.seed = common.seed.unwrap_or(config.seed);
    if let Some(epochs) = args.epochs {
        if !(epochs.is_finite() && epochs > 0.0) {
            return Err(Error::usage(format!(
                "--epochs is {epochs}, expected a positive number"
            )));
        }
        config.steps = ((epochs * EPOCH / config.batch as f64).ceil() as u64).max(1);
    }
    let source = source(args, &config)?;
    Ok((config, source))
}

/// Says where a resumed run's bits will not be those of a run without a pause.
fn note_ranks<B: Backend>(run: &Run<B>) {
    let (before, now) = (run.ranks_before(), run.ranks().count());
    if run.ranks().leads() && before != now {
        output::note(&format!(
            "ranks: {now}, where {before} wrote the checkpoint; sums run in another order, and the \
             bits will differ"
        ));
    }
}

fn source(args: &TrainArgs, config: &TrainConfig) -> Result<Source> {
    match &args.data {
        Some(folder) => Source::load(folder),
        None => Ok(Source::generated(config)),
    }
}

fn draw<B: Backend>(run: &Run<B>, args: &TrainArgs) -> Result<()> {
    let losses: Vec<(u64, f64)> = run
        .journal()
        .rows()
        .iter()
        .map(|r| (r.step, r.loss))
        .collect();
    let validations: Vec<plot::training::Validation> = run
        .journal()
        .validations()
        .iter()
        .map(|v| plot::training::Validation {
            step: v.step,
            cso_map: v.cso_map,
            ap25: v.aps[4],
        })
        .collect();
    plot::training::draw(&args.out.join("training.png"), &losses, &validations)
}

fn describe(answer: &Answer) -> String {
    let state = if answer.finished {
        "finished"
    } else {
        "stopped; go on with --resume"
    };
    let best = answer.best.map_or_else(String::new, |best| {
        format!(
            "best validation: CSO-mAP {:.2}, AP25 {:.2} after {} steps\n",
            best.cso_map, best.ap25, best.step
        )
    });
    format!(
        "{} of {} steps, {state}\n{best}run directory: {}",
        answer.step,
        answer.steps,
        answer.run.display()
    )
}
