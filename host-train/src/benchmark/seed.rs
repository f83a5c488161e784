//! One seed of a row: training, evaluation, and what is written down of both.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::answers::{Reader, Windows};
use super::budget::Planned;
use super::clock::Clock;
use super::definition::Definition;
use super::evaluate::{Evaluation, evaluate};
use super::learn::{Config, Learner};
use super::machine;
use super::measure::frames_per_second;
use super::result::{
    GalleryFrame, Machine, PrecisionRecall, RunResult, TrainingResult, read_json, write_json,
};
use super::row::{Row, Work};
use crate::backend::Backend;
use crate::cli::backend::{BackendKind, OnBackend};
use crate::cli::interrupt;
use crate::cli::progress::Progress;
use crate::eval::network::{Inference, Network};
use crate::methods::evaluate::{Maps, Solver};
use crate::methods::marks::Filter;
use crate::methods::{Answers, Trained};
use crate::model::DeRefNet;
use crate::scene::Trajectory;
use crate::train::journal::Journal;
use crate::train::run::BEST;
use crate::train::{Event, Source};
use crate::{Error, Result};

/// Figures of a seed in its run folder.
const EVALUATION: &str = "evaluation.json";
/// What its training has cost so far.
const SPENT: &str = "spent.json";
/// Points of a training curve.
const CURVE: usize = 200;

/// Everything that a seed gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) run: RunResult,
    pub(super) frames_per_second: Option<f64>,
    pub(super) peak_mib: Option<f64>,
    pub(super) machine: Machine,
    pub(super) date: String,
    pub(super) training_curve: Vec<(u64, f64)>,
    pub(super) validation_curve: Vec<(u64, f64, f64)>,
    pub(super) precision_recall: Vec<PrecisionRecall>,
    pub(super) gallery: Vec<GalleryFrame>,
}

/// Time and memory of a training so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spent {
    /// Seconds of the steps that were timed.
    seconds: f64,
    /// Their number: steps beside a validation are not timed.
    steps: u64,
    peak_mib: Option<f64>,
}

impl Spent {
    fn note_peak(&mut self) {
        let peaks = [self.peak_mib, machine::peak_mib()];
        self.peak_mib = peaks.into_iter().flatten().reduce(f64::max);
    }
}

/// What a finished training leaves beside its best model.
#[derive(Default)]
struct Learned {
    training: Option<TrainingResult>,
    training_curve: Vec<(u64, f64)>,
    validation_curve: Vec<(u64, f64, f64)>,
    peak_mib: Option<f64>,
}

/// A seed of a row at work.
pub(super) struct Seed<'a> {
    pub(super) definition: &'a Definition,
    pub(super) row: &'a Row,
    pub(super) backend: BackendKind,
    pub(super) seed: u64,
    /// Its run folder.
    pub(super) folder: &'a Path,
    /// Where the row stands among all, for progress.
    pub(super) label: &'a str,
    pub(super) test: &'a [Trajectory],
}

impl Seed<'_> {
    /// What is written down already, or else is now.
    ///
    /// # Errors
    /// If training or evaluation fails, a file is damaged or cannot be written, or the user
    /// interrupts; then the next call goes on.
    pub(super) fn record(&self) -> Result<Record> {
        let path = self.folder.join(EVALUATION);
        if path.exists() {
            return read_json(&path);
        }
        std::fs::create_dir_all(self.folder).map_err(|e| Error::io(self.folder, e))?;
        machine::forget_peak();
        let learned = match &self.row.work {
            Work::Method(config) => self.learn(&Config::Method(config.clone()))?,
            Work::DeRefNet(config) => self.learn(&Config::DeRefNet(config.clone()))?,
            _ => Learned::default(),
        };
        let (evaluation, speed) = self.backend.run(Evaluating(self))?;
        let peaks = [learned.peak_mib, machine::peak_mib()];
        let off_grid = evaluation.off_grid;
        let record = Record {
            run: RunResult {
                seed: self.seed,
                training: learned.training,
                grid: evaluation.grid,
                off_grid,
                off_grid_readout: off_grid.map(|_| self.row.off_grid.name().to_owned()),
                masks: evaluation.masks,
            },
            frames_per_second: speed,
            peak_mib: peaks.into_iter().flatten().reduce(f64::max),
            machine: machine::here(self.backend),
            date: machine::today(),
            training_curve: learned.training_curve,
            validation_curve: learned.validation_curve,
            precision_recall: evaluation.precision_recall,
            gallery: evaluation.gallery,
        };
        write_json(&path, &record)?;
        Ok(record)
    }

    fn learn(&self, config: &Config) -> Result<Learned> {
        let planned = Planned::of(self.definition, self.row, config, self.backend, self.folder)?;
        self.backend.run(Training {
            seed: self,
            config: config.planned(&planned, self.seed),
            source: config.planned(&planned, self.seed).source(&self.row.data)?,
            planned,
        })
    }

    fn spent(&self) -> Result<Spent> {
        let path = self.folder.join(SPENT);
        if path.exists() {
            return read_json(&path);
        }
        Ok(Spent::default())
    }
}

struct Training<'a> {
    seed: &'a Seed<'a>,
    config: Config,
    source: Source,
    planned: Planned,
}

impl OnBackend for Training<'_> {
    type Output = Learned;

    fn run<B: Backend>(self, backend: B) -> Result<Learned> {
        let Self {
            seed,
            config,
            source,
            planned,
        } = self;
        let (batch, rate) = (config.batch(), config.rate());
        let mut learner = Learner::open(backend, seed.folder, config, source)?;
        let spent = train(&mut learner, seed, &planned)?;
        let timed = (spent.steps > 0).then(|| spent.seconds / spent.steps as f64);
        let per_step = timed.or(planned.seconds_per_step).unwrap_or(0.0);
        let journal = learner.journal();
        Ok(Learned {
            training: Some(TrainingResult {
                minutes: per_step * planned.steps as f64 / 60.0,
                steps: planned.steps,
                trajectories: planned.steps * batch as u64,
                batch,
                // The shortest decimal number that is this one.
                rate: rate.to_string().parse().unwrap_or(f64::from(rate)),
                threads: rayon::current_num_threads(),
                preset: seed.definition.scale,
                best_step: learner.best_step(),
            }),
            training_curve: training_curve(journal),
            validation_curve: journal
                .validations()
                .iter()
                .map(|v| (v.step, v.cso_map, v.aps[4]))
                .collect(),
            peak_mib: spent.peak_mib,
        })
    }
}

/// Trains to the end; what it has cost is written down at every checkpoint.
fn train<B: Backend>(
    learner: &mut Learner<B>,
    seed: &Seed<'_>,
    planned: &Planned,
) -> Result<Spent> {
    let path = seed.folder.join(SPENT);
    let mut spent = seed.spent()?;
    let label = format!("{}: training", seed.label);
    let progress = Progress::resumed(label, "steps", planned.steps, learner.step());
    let clock = Clock::of(seed.backend)?;
    let (mut before, mut timed, mut validated) = (0.0, true, String::new());
    let ended = learner.train(|event| {
        let now = clock.seconds()?;
        let took = now - before;
        before = now;
        match event {
            Event::Step(step, losses) => {
                if std::mem::replace(&mut timed, true) {
                    spent.seconds += took;
                    spent.steps += 1;
                }
                progress.note(format!("loss {:.4e}{validated}", losses.total));
                progress.advance(1);
                if step.is_multiple_of(planned.checkpoint_every) {
                    spent.note_peak();
                    write_json(&path, &spent)?;
                }
            }
            // Whether the step comes before its validation or after it, the next one measured has
            // the validation in it.
            Event::Validated(_, report) => {
                timed = false;
                validated = format!(", CSO-mAP {:.2} AP25 {:.2}", report.cso_map, report.ap25);
            }
            Event::Dead(_) => {}
        }
        interrupt::check()
    });
    spent.note_peak();
    write_json(&path, &spent)?;
    ended?;
    Ok(spent)
}

/// Losses of the log, evenly thinned, with the last one.
fn training_curve(journal: &Journal) -> Vec<(u64, f64)> {
    let rows = journal.rows();
    let kept = rows.len().min(CURVE);
    let at = |k: usize| &rows[(k + 1) * rows.len() / kept - 1];
    (0..kept).map(|k| (at(k).step, at(k).loss)).collect()
}

struct Evaluating<'a>(&'a Seed<'a>);

impl OnBackend for Evaluating<'_> {
    type Output = (Evaluation, Option<f64>);

    fn run<B: Backend>(self, backend: B) -> Result<Self::Output> {
        let seed = self.0;
        let best = seed.folder.join(BEST);
        match &seed.row.work {
            Work::Method(_) => {
                let (trained, _) = Trained::load(&best)?;
                let ready = trained.on(&backend);
                match trained.answers() {
                    Answers::Maps => seed.judge(Some(&ready), None),
                    Answers::Masks => seed.judge_by(Reader::of_detector(&ready)),
                }
            }
            Work::DeRefNet(_) => {
                let (network, _) = DeRefNet::load(&best)?;
                seed.judge_network(&Inference::new(&network, &backend))
            }
            Work::Model(model) => seed.judge_network(&*model.loaded.network(&backend)?),
            Work::Solver => {
                let method = seed
                    .row
                    .method
                    .ok_or_else(|| Error::usage("method: expected a solver"))?;
                let solver = Solver::new(method, seed.row.variant)?;
                seed.judge(Some(&solver), None)
            }
            Work::Fit => seed.judge(None, None),
            Work::Detector(detect) => seed.judge_by(Reader::of_detector(&Filter(*detect))),
        }
    }
}

impl Seed<'_> {
    fn judge_network(&self, network: &dyn Network) -> Result<(Evaluation, Option<f64>)> {
        self.judge(Some(&Windows(network)), Some(network))
    }

    fn judge(
        &self,
        maps: Option<&dyn Maps>,
        network: Option<&dyn Network>,
    ) -> Result<(Evaluation, Option<f64>)> {
        let row = self.row;
        let reader = Reader::new((row.grid, row.off_grid), maps, network, &row.data)?;
        self.judge_by(reader)
    }

    fn judge_by(&self, reader: Reader<'_>) -> Result<(Evaluation, Option<f64>)> {
        let label = format!("{}: evaluating", self.label);
        let evaluation = evaluate(&reader, self.test, self.definition.masks, &label)?;
        let on_the_cpu = self.backend == BackendKind::Cpu;
        let speed = on_the_cpu.then(|| frames_per_second(&reader, self.test));
        Ok((evaluation, speed.transpose()?))
    }
}
