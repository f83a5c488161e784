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
use crate::train::config::EPOCH;
use crate::train::journal::Journal;
use crate::train::{Best, Event, Ranks, Run, Source, Stop, TrainConfig};
use crate::{Error, Result};

mod method;

/// Options of `train`.
#[derive(Clone, Debug, clap::Args)]
pub struct TrainArgs {
    /// Sizes of the network.
    #[arg(long, value_enum, default_value = "edge")]
    pub preset: Preset,
    /// Run directory: created, or with --resume continued.
    #[arg(long, value_name = "RUN")]
    pub out: PathBuf,
    /// Train this method of the published comparison, by key (`derefnet methods`), as published.
    #[arg(long, value_name = "KEY", conflicts_with_all = ["preset", "start", "mpi"])]
    pub method: Option<String>,
    /// Form of the method; its first one by default.
    #[arg(long, requires = "method", conflicts_with_all = ["resume", "config"])]
    pub variant: Option<String>,
    /// TOML file whose fields override the defaults of the preset; docs/train.toml documents them. Of
    /// a method, one that names it.
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
        let answer = match &args.method {
            Some(key) => {
                let mut run = method::open(backend, args, common, key)?;
                let mut watcher = Watcher::new(true, run.config().steps, run.step());
                let stop = run.train(time, |event| watcher.see(&event));
                draw(run.journal(), args)?;
                let steps = run.config().steps;
                answer(args, stop?, (run.step(), steps), run.best())
            }
            None => {
                let mut run = open(ranks, backend, args, common)?;
                let leads = run.ranks().leads();
                let mut watcher = Watcher::new(leads, run.config().steps, run.step());
                let stop = run.train(time, |event| watcher.see(&event));
                if !leads {
                    return stop.map(drop);
                }
                draw(run.journal(), args)?;
                let steps = run.config().steps;
                answer(args, stop?, (run.step(), steps), run.best())
            }
        };
        output::emit(common, &answer, &describe(&answer))
    }
}

/// Shows how a run gets on, where this process is the one that tells.
struct Watcher {
    progress: Option<Progress>,
    validated: String,
}

impl Watcher {
    fn new(tells: bool, steps: u64, done: u64) -> Self {
        Self {
            progress: tells.then(|| Progress::resumed("training", "steps", steps, done)),
            validated: String::new(),
        }
    }

    fn see(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Step(_, losses) => {
                let validated = &self.validated;
                if let Some(progress) = &self.progress {
                    progress.note(format!("loss {:.4e}{validated}", losses.total));
                    progress.advance(1);
                }
            }
            Event::Validated(step, report) => {
                self.validated = format!(
                    ", step {step}: CSO-mAP {:.2} AP25 {:.2}",
                    report.cso_map, report.ap25
                );
            }
            Event::Dead(stages) => {
                let _ = write!(self.validated, ", dead stages {stages:?}");
            }
        }
        interrupt::check()
    }
}

fn answer(args: &TrainArgs, stop: Stop, (step, steps): (u64, u64), best: Option<Best>) -> Answer {
    Answer {
        run: args.out.clone(),
        finished: stop == Stop::Finished,
        step,
        steps,
        best,
    }
}

/// Steps in `epochs` epochs.
fn steps(epochs: f64, batch: usize) -> Result<u64> {
    if !(epochs.is_finite() && epochs > 0.0) {
        return Err(Error::usage(format!(
            "--epochs is {epochs}, expected a positive number"
        )));
    }
    Ok(((epochs * EPOCH as f64 / batch as f64).ceil() as u64).max(1))
}

/// The run in `--out`, new or continued.
fn open<B: Backend>(ranks: Ranks, backend: B, args: &TrainArgs, common: &Common) -> Result<Run<B>> {
    let run = if args.resume {
        Run::resume_among(ranks, backend, &args.out, |config| source(args, config))?
    } else {
        let (config, source) = ranks.agree(plan(args, common))?;
        let start = args.start.as_deref();
        Run::create_among(ranks, backend, &args.out, config, source, start)?
    };
    note_ranks(&run);
    Ok(run)
}

/// Configuration and data of a new run.
fn plan(args: &TrainArgs, common: &Common) -> Result<(TrainConfig, Source)> {
    let mut config = match &args.config {
        Some(path) => TrainConfig::read(args.preset, path)?,
        None => TrainConfig::preset(args.preset),
    };
    config.seed = common.seed.unwrap_or(config.seed);
    if let Some(epochs) = args.epochs {
        config.steps = steps(epochs, config.batch)?;
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

fn draw(journal: &Journal, args: &TrainArgs) -> Result<()> {
    let losses: Vec<(u64, f64)> = journal.rows().iter().map(|r| (r.step, r.loss)).collect();
    let validations: Vec<plot::training::Validation> = journal
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
        let overlap = best.iou.map(|iou| format!("IoU {iou:.2}, "));
        let overlap = overlap.unwrap_or_default();
        format!(
            "best validation: {overlap}CSO-mAP {:.2}, AP25 {:.2} after {} steps\n",
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
