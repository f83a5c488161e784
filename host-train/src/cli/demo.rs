//! `derefnet demo`: the main job on the shipped model, with pictures.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use derefnet_core::locate::LocateConfig;
use serde::Serialize;

use super::eval::draw_curves;
use super::find::{Finder, Found};
use super::model::{ModelArgs, Readout};
use super::progress::Progress;
use super::{Common, interrupt, metric, output};
use crate::backend::cpu::Cpu;
use crate::dataset::Split;
use crate::eval::metric::{FrameResult, Report, evaluate};
use crate::eval::network::Network;
use crate::scene::{SceneConfig, Target, Trajectory, generate};
use crate::{Error, Result};
use subject::{Subject, gallery};

mod subject;

/// Options of `demo`.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// Which model to use.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Folder for the pictures.
    #[arg(long, value_name = "DIR", default_value = "out/demo")]
    pub out: PathBuf,
    /// Standard deviation of the noise of the unmixed sequences, counts.
    #[arg(long, default_value_t = 1.0)]
    pub noise: f64,
}

impl Default for DemoArgs {
    fn default() -> Self {
        Self {
            model: ModelArgs { model: None },
            out: "out/demo".into(),
            noise: 1.0,
        }
    }
}

/// Held-out trajectories behind the figures of the demo.
const EVALUATED: u64 = 60;
/// Numbers of targets in the gallery; the last sequence is also shown in detail.
const GALLERY: [usize; 3] = [2, 3, 4];

#[derive(Serialize)]
struct Answer<'a> {
    readout: &'static str,
    found: &'a [Found],
    truth: &'a [Target],
    noise: f64,
    evaluation: Evaluation,
    pictures: &'a Path,
}

#[derive(Serialize)]
struct Evaluation {
    grid: Report,
    offgrid: Report,
}

/// The grid readout of a network, and the off-grid one.
struct Readouts<'a> {
    network: &'a dyn Network,
    grid: Finder<'a>,
    offgrid: Finder<'a>,
}

impl<'a> Readouts<'a> {
    fn new(network: &'a dyn Network) -> Result<Self> {
        let finder = |readout| Finder::new(Some(network), readout, LocateConfig::SEQ_CSIST);
        Ok(Self {
            network,
            grid: finder(Readout::Grid)?,
            offgrid: finder(Readout::Offgrid)?,
        })
    }
}

/// Unmixes held-out noisy sequences, evaluates a held-out set, draws both.
///
/// # Errors
/// If the pictures cannot be written, the noise is out of range, or the model is unusable.
pub fn run(args: &DemoArgs, common: &Common) -> Result<()> {
    let loaded = args.model.load_any()?;
    let model = args.model.name();
    let backend = Cpu::new();
    let network = loaded.network(&backend)?;
    let readouts = Readouts::new(&*network)?;
    let noisy = SceneConfig {
        noise: [args.noise; 2],
        ..SceneConfig::default()
    };
    noisy.validate()?;
    std::fs::create_dir_all(&args.out).map_err(|e| Error::io(&args.out, e))?;
    let subject = |targets| Subject::new(&readouts, &noisy, common.seed(), targets);
    let subjects = GALLERY.map(subject).into_iter();
    let subjects: Vec<Subject> = subjects.collect::<Result<_>>()?;
    gallery(&args.out.join("gallery.png"), &subjects, args.noise)?;
    let [.., shown] = &subjects[..] else {
        return Ok(());
    };
    shown.draw(&args.out, args.noise, Readout::Offgrid.name())?;
    let evaluation = held_out(&readouts, &args.out, common.seed())?;

    let mut text = shown.table(args.noise);
    let columns = [
        ("grid", &evaluation.grid),
        (Readout::Offgrid.name(), &evaluation.offgrid),
    ];
    let _ = write!(
        text,
        "\n{EVALUATED} held-out trajectories, integer counts, by readout\n{}\n\
         {model}: {}\npictures: {}",
        metric::named_columns(&columns),
        loaded.training()?,
        args.out.display()
    );
    let answer = Answer {
        readout: Readout::Offgrid.name(),
        found: &shown.found,
        truth: &shown.truth,
        noise: args.noise,
        evaluation,
        pictures: &args.out,
    };
    output::emit(common, &answer, &text)
}

/// Evaluates both readouts on the same trajectories and draws their curves.
fn held_out(readouts: &Readouts, out: &Path, seed: u64) -> Result<Evaluation> {
    let scene = SceneConfig::default();
    let test: Vec<Trajectory> = (0..EVALUATED)
        .map(|i| generate(&scene, seed, Split::Test, i))
        .collect();
    let progress = Progress::new("evaluating", "trajectories", 2 * EVALUATED);
    let evaluated = |finder: &Finder, file: &str, name: &str| -> Result<Report> {
        let results: Vec<FrameResult> = finder.results(&test, || {
            progress.advance(1);
            interrupt::check()
        })?;
        let report = evaluate(&results)?;
        let title = format!("{EVALUATED} held-out trajectories, readout {name}");
        draw_curves(&out.join(file), &results, &report, &title)?;
        Ok(report)
    };
    Ok(Evaluation {
        grid: evaluated(&readouts.grid, "precision_recall_grid.png", "grid")?,
        offgrid: evaluated(
            &readouts.offgrid,
            "precision_recall_offgrid.png",
            Readout::Offgrid.name(),
        )?,
    })
}
