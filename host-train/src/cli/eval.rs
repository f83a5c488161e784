//! `derefnet eval`: the metric of a model over a test split.

use std::path::PathBuf;

use derefnet_core::locate::LocateConfig;
use serde::Serialize;

use super::model::{ModelArgs, Readout};
use super::progress::Progress;
use super::{Common, interrupt, metric, output};
use crate::backend::cpu::Cpu;
use crate::dataset::{Split, load_split};
use crate::eval::metric::{FrameResult, Report, evaluate, precision_recall};
use crate::eval::network::{Inference, grid_results};
use crate::eval::offgrid::{Localiser, frame_results};
use crate::model::DeRefNet;
use crate::plot::precision_recall::{Curve, draw};
use crate::scene::{Arrangement, SceneConfig, Trajectory, generate};
use crate::{Error, Result};

/// Options of `eval`.
#[derive(Clone, Debug, clap::Args)]
pub struct EvalArgs {
    /// Which model to evaluate.
    #[command(flatten)]
    pub model: ModelArgs,
    /// How targets are found.
    #[arg(long, value_enum, default_value = "grid")]
    pub readout: Readout,
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
}

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    report: Report,
    /// Null where the readout uses none.
    model: Option<String>,
    readout: &'static str,
    split: &'static str,
    /// Seed and noise of generated frames; null for a folder's.
    seed: Option<u64>,
    noise: Option<f64>,
    trajectories: usize,
}

/// Evaluates and prints.
///
/// # Errors
/// Unusable model, data or options; a network output that is not finite.
pub fn run(args: &EvalArgs, common: &Common) -> Result<()> {
    let model = args.readout.needs_model();
    let network = model.then(|| args.model.load()).transpose()?;
    let trajectories = trajectories(args, common.seed())?;
    let results = find(args, network.as_ref().map(|(n, _)| n), &trajectories)?;
    let report = evaluate(&results)?;
    let name = model.then(|| args.model.name());
    let title = name.as_deref().unwrap_or("no model");
    if let Some(path) = &args.plot {
        draw_curves(path, &results, &report, title)?;
    }
    let answer = Answer {
        model: name.clone(),
        readout: args.readout.name(),
        split: args.split.name(),
        seed: args.data.is_none().then(|| common.seed()),
        noise: args.data.is_none().then_some(args.noise),
        trajectories: trajectories.len(),
        report,
    };
    let table = metric::table(&answer.report);
    let data = match &args.data {
        Some(folder) => folder.display().to_string(),
        None => format!(
            "generated, seed {}, noise σ = {}",
            common.seed(),
            args.noise
        ),
    };
    let (readout, split) = (answer.readout, answer.split);
    let head = format!("{title}, {readout} readout, {split} split, {data}");
    output::emit(common, &answer, &format!("{head}\n{table}"))
}

/// Answers of every evaluated frame.
fn find(
    args: &EvalArgs,
    network: Option<&DeRefNet>,
    trajectories: &[Trajectory],
) -> Result<Vec<FrameResult>> {
    let progress = Progress::new("evaluating", "trajectories", trajectories.len() as u64);
    let tick = || {
        progress.advance(1);
        interrupt::check()
    };
    let backend = Cpu::new();
    let inference = network.map(|network| Inference::new(network, &backend));
    let Some(method) = args.readout.method() else {
        let found = inference.map(|inference| grid_results(&inference, trajectories, tick));
        return found.unwrap_or_else(|| Err(Error::usage("grid readout: expected a model")));
    };
    let config = LocateConfig {
        counts: [1, 4.max(args.targets[1] as usize)],
        ..LocateConfig::SEQ_CSIST
    };
    let localiser = Localiser::new(inference.as_ref(), method, config)?;
    let answers = localiser.trajectories(trajectories, tick)?;
    Ok(frame_results(trajectories, &answers))
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
