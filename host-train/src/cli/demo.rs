//! `derefnet demo`: the main job on the shipped model, with pictures.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use derefnet_core::physics::{MAP_LEN, MAP_SIDE, WINDOW};
use ndarray::{ArrayView2, Axis, s};
use serde::Serialize;

use super::eval::draw_curves;
use super::progress::Progress;
use super::{Common, interrupt, metric, output};
use crate::backend::cpu::Cpu;
use crate::dataset::Split;
use crate::eval::metric::{FrameResult, Report, evaluate};
use crate::eval::network::{Inference, batch, centres, grid_results, read_grid};
use crate::model::DeRefNet;
use crate::plot::overlay::Overlay;
use crate::plot::sequence::Row;
use crate::plot::{Mark, Series, frames, map, overlay, sequence};
use crate::scene::{SceneConfig, Target, Trajectory, generate};
use crate::{Error, Result};

/// Options of `demo`.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// Folder for the pictures.
    #[arg(long, value_name = "DIR", default_value = "out/demo")]
    pub out: PathBuf,
    /// Standard deviation of the noise of the unmixed sequence, counts.
    #[arg(long, default_value_t = 1.0)]
    pub noise: f64,
}

impl Default for DemoArgs {
    fn default() -> Self {
        Self {
            out: "out/demo".into(),
            noise: 1.0,
        }
    }
}

/// Held-out trajectories behind the figures of the demo.
const EVALUATED: u64 = 60;
/// Sequences in the gallery.
const GALLERY: usize = 4;
/// Window shown in detail.
const SHOWN: usize = 7;

#[derive(Serialize)]
struct Answer {
    found: Vec<[f64; 3]>,
    truth: Vec<Target>,
    noise: f64,
    evaluation: Report,
    pictures: PathBuf,
}

/// Unmixes a held-out noisy sequence, evaluates a held-out set, draws both.
///
/// # Errors
/// If the pictures cannot be written or the noise is out of range.
pub fn run(args: &DemoArgs, common: &Common) -> Result<()> {
    let (network, provenance) = DeRefNet::shipped()?;
    let backend = Cpu::new();
    let inference = Inference::new(&network, &backend);
    let noisy = SceneConfig {
        noise: [args.noise; 2],
        ..SceneConfig::default()
    };
    noisy.validate()?;
    std::fs::create_dir_all(&args.out).map_err(|e| Error::io(&args.out, e))?;
    let scene = generate(
        &noisy,
        common.seed(),
        Split::Test,
        pick(&noisy, common.seed()),
    );
    let maps = inference.maps(&batch([&scene]));
    let shown = Unmixed::new(&scene, &maps, SHOWN)?;
    shown.draw(&args.out, args.noise)?;
    gallery(&args.out, &inference, &noisy, common.seed())?;

    let (results, report) = held_out(&inference, common.seed())?;
    let title = format!("{EVALUATED} held-out trajectories, integer counts, grid cells");
    draw_curves(
        &args.out.join("precision_recall.png"),
        &results,
        &report,
        &title,
    )?;

    let mut text = shown.table(args.noise);
    let _ = write!(
        text,
        "\n{EVALUATED} held-out trajectories ({} frames), integer counts, grid readout\n{}\n\
         shipped model: {} steps of training on generated data {}, seed {}\npictures: {}",
        report.frames,
        metric::table(&report),
        provenance.steps,
        provenance.data_version,
        provenance.seed,
        args.out.display()
    );
    let answer = Answer {
        found: shown.found.iter().map(|m| [m.x, m.y, m.score]).collect(),
        truth: shown.truth.to_vec(),
        noise: args.noise,
        evaluation: report,
        pictures: args.out.clone(),
    };
    output::emit(common, &answer, &text)
}

/// The first held-out trajectory with four targets: the hardest case.
fn pick(scene: &SceneConfig, seed: u64) -> u64 {
    let four = |i: &u64| generate(scene, seed, Split::Test, *i).truth[0].len() == 4;
    (0..100).find(four).unwrap_or(0)
}

/// One window with its answer.
struct Unmixed<'a> {
    scene: &'a Trajectory,
    window: usize,
    map: ArrayView2<'a, f32>,
    truth: &'a [Target],
    found: Vec<Mark>,
}

impl<'a> Unmixed<'a> {
    fn new(scene: &'a Trajectory, maps: &'a [f32], window: usize) -> Result<Self> {
        let map = &maps[window * MAP_LEN..(window + 1) * MAP_LEN];
        let found = read_grid(map)?;
        Ok(Self {
            scene,
            window,
            map: ArrayView2::from_shape((MAP_SIDE, MAP_SIDE), map)
                .map_err(|e| Error::usage(e.to_string()))?,
            truth: &centres(scene)[window],
            found: found
                .iter()
                .map(|d| Mark {
                    x: d.x,
                    y: d.y,
                    score: d.score,
                    sigma: None,
                })
                .collect(),
        })
    }

    fn draw(&self, out: &Path, noise: f64) -> Result<()> {
        let counts = self.scene.frames.mapv(|c| c as f32);
        let window = counts.slice(s![self.window..self.window + WINDOW, .., ..]);
        frames::draw(&out.join("frames.png"), window)?;
        let title = format!("network's map, noise σ = {noise} counts");
        map::draw(&out.join("map.png"), self.map, &title)?;
        let truth: Vec<Mark> = self.truth.iter().map(Mark::from).collect();
        let answer = Overlay {
            title: &format!("targets found, noise σ = {noise} counts"),
            frame: window.index_axis_move(Axis(0), WINDOW / 2),
            truth: &truth,
            series: &[Series {
                name: "grid cells",
                marks: &self.found,
            }],
        };
        overlay::draw(&out.join("overlay.png"), &answer)
    }

    /// Targets found beside their truth; each truth takes its nearest answer.
    fn table(&self, noise: f64) -> String {
        let mut text = format!(
            "held-out sequence, noise σ = {noise} counts: {} targets, {} found\n\
             truth x, y (px)  counts     found x, y (px)  counts   distance (px)\n",
            self.truth.len(),
            self.found.len()
        );
        let distance = |t: &Target, m: &Mark| libm::hypot(t.x - m.x, t.y - m.y);
        for target in self.truth {
            let nearest = self
                .found
                .iter()
                .min_by(|a, b| distance(target, a).total_cmp(&distance(target, b)));
            let _ = write!(
                text,
                "{:6.3} {:6.3}  {:8.1}",
                target.x, target.y, target.intensity
            );
            let _ = match nearest {
                Some(m) => writeln!(
                    text,
                    "     {:6.3} {:6.3}  {:8.1}   {:.3}",
                    m.x,
                    m.y,
                    m.score,
                    distance(target, m)
                ),
                None => writeln!(text, "     missed"),
            };
        }
        text
    }
}

fn held_out(inference: &Inference<'_, Cpu>, seed: u64) -> Result<(Vec<FrameResult>, Report)> {
    let scene = SceneConfig::default();
    let test: Vec<Trajectory> = (0..EVALUATED)
        .map(|i| generate(&scene, seed, Split::Test, i))
        .collect();
    let progress = Progress::new("evaluating", "trajectories", EVALUATED);
    let results = grid_results(inference, &test, || {
        progress.advance(1);
        interrupt::check()
    })?;
    let report = evaluate(&results)?;
    Ok((results, report))
}

/// Draws several sequences of the held-out set.
fn gallery(
    out: &Path,
    inference: &Inference<'_, Cpu>,
    scene: &SceneConfig,
    seed: u64,
) -> Result<()> {
    let scenes: Vec<Trajectory> = (0..GALLERY as u64)
        .map(|i| generate(scene, seed, Split::Test, i))
        .collect();
    let maps: Vec<Vec<f32>> = scenes.iter().map(|t| inference.maps(&batch([t]))).collect();
    let unmixed: Result<Vec<Unmixed>> = scenes
        .iter()
        .zip(&maps)
        .map(|(t, m)| Unmixed::new(t, m, SHOWN))
        .collect();
    let unmixed = unmixed?;
    let names: Vec<String> = (0..GALLERY).map(|i| format!("sequence {i}")).collect();
    let counts: Vec<_> = scenes.iter().map(|t| t.frames.mapv(|c| c as f32)).collect();
    let truths: Vec<Vec<Mark>> = unmixed
        .iter()
        .map(|u| u.truth.iter().map(Mark::from).collect())
        .collect();
    let rows: Vec<Row> = unmixed
        .iter()
        .enumerate()
        .map(|(i, u)| Row {
            name: &names[i],
            frame: counts[i].index_axis(Axis(0), SHOWN + WINDOW / 2),
            map: u.map,
            truth: &truths[i],
            detections: &u.found,
        })
        .collect();
    let title = format!("held-out sequences, noise σ = {} counts", scene.noise[0]);
    sequence::draw(&out.join("gallery.png"), &rows, &title)
}
