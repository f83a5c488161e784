//! `derefnet eval`: the metric of a readout over a test split.

mod verdict;

use std::path::PathBuf;

use derefnet_core::locate::{LocateConfig, MAX_SOURCES};
use serde::Serialize;

use super::backend::{BackendKind, OnBackend};
use super::model::{Loaded, ModelArgs, Readout};
use super::progress::Progress;
use super::{Common, interrupt, metric, output};
use crate::backend::Backend;
use crate::dataset::{Split, load_split};
use crate::eval::bound::BoundOptions;
use crate::eval::judge::{Verdict, judge, window_bounds};
use crate::eval::metric::{FrameResult, Report, evaluate, precision_recall};
use crate::eval::network::{Network, grid_results};
use crate::eval::offgrid::{self, Localiser, frame_results};
use crate::plot::precision_recall::{Curve, draw};
use crate::scene::{Arrangement, SceneConfig, Trajectory, generate};
use crate::{Error, Result};
use verdict::Extra;

/// Options of `eval`.
#[derive(Clone, Debug, clap::Args)]
pub struct EvalArgs {
    /// Which model to evaluate.
    #[command(flatten)]
    pub model: ModelArgs,
    /// How targets are found.
    #[arg(long, value_enum, default_value = "grid")]
    pub readout: Readout,
    /// Where a model in floats computes.
    #[arg(long, value_enum, default_value = "cpu")]
    pub backend: BackendKind,
    /// Data set folder; without it, trajectories are generated from --seed.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["noise", "arrangement", "targets"])]
    pub data: Option<PathBuf>,
    /// Split: tune on val, report on test.
    #[arg(long, default_value = "test")]
    pub split: Split,
    /// Standard deviation of the noise in generated frames, counts.
    #[arg(long, default_value_t = 0.0)]
    pub noise: f64,
    /// Arrangement of generated targets.
    #[arg(long, value_enum, default_value = "rules")]
    pub arrangement: Arrangement,
    /// Fewest and most targets of generated trajectories.
    #[arg(long, default_value = "2-4", value_parser = super::simulate::number_range)]
    pub targets: [u32; 2],
    /// Evaluate at most this many trajectories.
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Write the precision-recall figure here.
    #[arg(long, value_name = "F.png")]
    pub plot: Option<PathBuf>,
    /// Write the figure of truths inside the predicted ellipses here; not for the grid readout.
    #[arg(long, value_name = "F.png")]
    pub calibration_plot: Option<PathBuf>,
    /// Write the figure of errors against the Cramér–Rao bound here; for generated frames of
    /// --arrangement free, not for the grid readout.
    #[arg(long, value_name = "F.png")]
    pub efficiency_plot: Option<PathBuf>,
}

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    report: Report,
    /// Null where none was read.
    model: Option<String>,
    readout: &'static str,
    split: &'static str,
    /// Seed and noise of generated frames; null for a folder's.
    seed: Option<u64>,
    noise: Option<f64>,
    trajectories: usize,
    /// Nothing for the grid readout.
    #[serde(flatten)]
    extra: Option<Extra>,
}

/// Evaluates and prints.
///
/// # Errors
/// Unusable model, data or options; a network output that is not finite.
pub fn run(args: &EvalArgs, common: &Common) -> Result<()> {
    verdict::check(args)?;
    let loaded = args.model.load_for(args.readout)?;
    if args.backend != BackendKind::Cpu && !matches!(loaded, Some(Loaded::Float(..))) {
        return Err(Error::usage(
            "--backend: only a model in floats computes elsewhere than on the CPU",
        ));
    }
    let trajectories = trajectories(args, common.seed())?;
    let found = args.backend.run(Evaluation {
        args,
        loaded: loaded.as_ref(),
        trajectories: &trajectories,
    })?;
    let name = loaded.is_some().then(|| args.model.name());
    let title = name.as_deref().unwrap_or("no model");
    if let Some(path) = &args.plot {
        draw_curves(path, &found.results, &found.report, title)?;
    }
    if let Some(verdict) = &found.verdict {
        verdict::draw(args, verdict, &format!("{title}, {}", args.readout.name()))?;
    }
    let text = describe(args, common, title, &found);
    let answer = Answer {
        model: name,
        readout: args.readout.name(),
        split: args.split.name(),
        seed: args.data.is_none().then(|| common.seed()),
        noise: args.data.is_none().then_some(args.noise),
        trajectories: trajectories.len(),
        extra: found.verdict.as_ref().map(Extra::from),
        report: found.report,
    };
    output::emit(common, &answer, &text)
}

/// Finds the targets of all trajectories.
struct Evaluation<'a> {
    args: &'a EvalArgs,
    loaded: Option<&'a Loaded>,
    trajectories: &'a [Trajectory],
}

impl OnBackend for Evaluation<'_> {
    type Output = Found;

    fn run<B: Backend>(self, backend: B) -> Result<Found> {
        let network = self.loaded.map(|loaded| loaded.network(&backend));
        find(
            self.args,
            network.transpose()?.as_deref(),
            self.trajectories,
        )
    }
}

fn describe(args: &EvalArgs, common: &Common, title: &str, found: &Found) -> String {
    let data = match &args.data {
        Some(folder) => folder.display().to_string(),
        None => format!(
            "generated, seed {}, noise σ = {}",
            common.seed(),
            args.noise
        ),
    };
    let (readout, split) = (args.readout.name(), args.split.name());
    let table = metric::table(&found.report);
    let rest = found.verdict.as_ref().map(verdict::text);
    let rest = rest.unwrap_or_default();
    format!("{title}, {readout} readout, {split} split, {data}\n{table}\n{rest}")
}

/// Answers of every evaluated frame, and what they are worth.
struct Found {
    results: Vec<FrameResult>,
    report: Report,
    /// Of the readouts between the cells.
    verdict: Option<Verdict>,
}

fn find(
    args: &EvalArgs,
    network: Option<&dyn Network>,
    trajectories: &[Trajectory],
) -> Result<Found> {
    let progress = Progress::new("evaluating", "trajectories", trajectories.len() as u64);
    let tick = || {
        progress.advance(1);
        interrupt::check()
    };
    if let Some(method) = args.readout.method() {
        let config = LocateConfig {
            counts: [1, 4.max(most(trajectories))],
            ..LocateConfig::SEQ_CSIST
        };
        let localiser = Localiser::new(network, method, config)?;
        let answers = localiser.trajectories(trajectories, tick)?;
        return off_grid(args, trajectories, &answers);
    }
    let network = network.ok_or_else(|| Error::usage("grid readout: expected a model"))?;
    let results = grid_results(network, trajectories, tick)?;
    Ok(Found {
        report: evaluate(&results)?,
        results,
        verdict: None,
    })
}

fn off_grid(
    args: &EvalArgs,
    trajectories: &[Trajectory],
    answers: &[Vec<offgrid::Answer>],
) -> Result<Found> {
    let options = BoundOptions::of(args.arrangement);
    let bounds = verdict::has_bound(args)
        .then(|| window_bounds(trajectories, args.noise, &options))
        .transpose()?;
    // A folder's noise is not known; nothing is grouped by it here.
    let verdict = judge(args.noise, trajectories, answers, bounds.as_ref())?;
    Ok(Found {
        results: frame_results(trajectories, answers),
        report: verdict.report.clone(),
        verdict: Some(verdict),
    })
}

fn trajectories(args: &EvalArgs, seed: u64) -> Result<Vec<Trajectory>> {
    let limit = args.limit.unwrap_or_else(|| args.split.trajectories());
    if limit == 0 {
        return Err(Error::usage("--limit is 0, expected at least 1"));
    }
    if let Some(folder) = &args.data {
        let mut all = load_split(folder, args.split)?;
        all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        if let Some(short) = all.iter().find(|t| t.truth.len() < 5) {
            let message = format!(
                "a trajectory has {} frames, expected 5 or more",
                short.truth.len()
            );
            return Err(Error::format(folder, message));
        }
        return Ok(all);
    }
    let scene = SceneConfig {
        noise: [args.noise; 2],
        arrangement: args.arrangement,
        targets: args.targets,
        ..SceneConfig::default()
    };
    scene.validate()?;
    Ok((0..limit)
        .map(|i| generate(&scene, seed, args.split, i))
        .collect())
}

/// Draws precision over recall with the APs of `report`.
///
/// # Errors
/// If the file cannot be written.
pub fn draw_curves(
    path: &std::path::Path,
    results: &[FrameResult],
    report: &Report,
    title: &str,
) -> Result<()> {
    let curves = precision_recall(results)?;
    let aps = report.average_precisions();
    let points: Vec<(Vec<f64>, Vec<f64>)> = curves
        .iter()
        .map(|c| c.points.iter().map(|p| (p.recall, p.precision)).unzip())
        .collect();
    let curves: Vec<Curve> = curves
        .iter()
        .zip(aps)
        .zip(&points)
        .map(|((c, ap), (recall, precision))| Curve {
            delta: c.delta,
            ap: ap / 100.0,
            recall,
            precision,
        })
        .collect();
    draw(path, &curves, &format!("Precision over recall, {title}"))
}

/// Most targets of any frame.
fn most(trajectories: &[Trajectory]) -> usize {
    let frames = trajectories.iter().flat_map(|trajectory| &trajectory.truth);
    frames.map(Vec::len).max().unwrap_or(0).min(MAX_SOURCES)
}
