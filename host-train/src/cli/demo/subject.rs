//! One window of a held-out sequence with the answers of both readouts.

use std::fmt::Write as _;
use std::path::Path;

use derefnet_core::metric::Detection;
use derefnet_core::physics::{FRAME_LEN, MAP_LEN, MAP_SIDE, WINDOW};
use ndarray::{Array2, Array3, Axis, s};

use super::Readouts;
use crate::cli::find::Found;
use crate::dataset::Split;
use crate::eval::covariance::Covariance2;
use crate::eval::matching::{Estimate, Pair, pairs};
use crate::eval::network::centres;
use crate::plot::overlay::Overlay;
use crate::plot::sequence::{self, Row};
use crate::plot::{Mark, Series, frames, map, overlay};
use crate::scene::{SceneConfig, Target, Trajectory, generate};
use crate::{Error, Result};

/// Window that is shown of every sequence.
const SHOWN: usize = 7;
/// Trajectories among which one with the wanted number of targets is sought.
const SOUGHT: u64 = 200;

/// One window with its answers.
pub struct Subject {
    /// Counts of the window, `(5, 11, 11)`.
    window: Array3<f32>,
    map: Array2<f32>,
    /// Targets of the middle frame.
    pub truth: Vec<Target>,
    /// Answers on the grid.
    cells: Vec<Found>,
    /// Answers off the grid.
    pub found: Vec<Found>,
}

impl Subject {
    /// The first held-out trajectory with `targets` targets.
    pub fn new(
        readouts: &Readouts,
        scene: &SceneConfig,
        seed: u64,
        targets: usize,
    ) -> Result<Self> {
        let draw = |index| generate(scene, seed, Split::Test, index);
        let right = |t: &Trajectory| t.truth[0].len() == targets;
        let trajectory = (0..SOUGHT).map(draw).find(right);
        let trajectory = trajectory.unwrap_or_else(|| draw(0));
        let all = trajectory.frames.mapv(|count| count as f32);
        let window = all.slice(s![SHOWN..SHOWN + WINDOW, .., ..]).to_owned();
        let counts: Vec<f32> = all.iter().copied().collect();
        debug_assert!(counts.len() >= (SHOWN + WINDOW) * FRAME_LEN);
        let maps = readouts.network.sequence_maps(&counts)?;
        let map = maps[SHOWN * MAP_LEN..(SHOWN + 1) * MAP_LEN].to_vec();
        let mut cells = readouts.grid.windows(&counts, None)?;
        let mut found = readouts.offgrid.windows(&counts, None)?;
        Ok(Self {
            window,
            map: Array2::from_shape_vec((MAP_SIDE, MAP_SIDE), map)
                .map_err(|e| Error::usage(e.to_string()))?,
            truth: centres(&trajectory)[SHOWN].clone(),
            cells: cells.swap_remove(SHOWN).found,
            found: found.swap_remove(SHOWN).found,
        })
    }

    /// Draws the frames, the map, and the answers of both readouts over the truth.
    pub fn draw(&self, out: &Path, noise: f64, readout: &str) -> Result<()> {
        frames::draw(&out.join("frames.png"), self.window.view())?;
        let title = format!("network's map, {}", said(noise));
        map::draw(&out.join("map.png"), self.map.view(), &title)?;
        let found: Vec<Mark> = self.found.iter().map(Mark::from).collect();
        let cells: Vec<Mark> = self.cells.iter().map(cell).collect();
        let name = format!("found, readout {readout}");
        let series = [(name.as_str(), &found), ("grid cells", &cells)];
        let answer = Overlay {
            title: &format!("targets found, {}", said(noise)),
            frame: self.window.index_axis(Axis(0), WINDOW / 2),
            truth: &self.marks(),
            series: &series.map(|(name, marks)| Series { name, marks }),
        };
        overlay::draw(&out.join("overlay.png"), &answer)
    }

    fn marks(&self) -> Vec<Mark> {
        self.truth.iter().map(Mark::from).collect()
    }

    /// The answer to each target, by the metric's rule.
    fn pairs(&self) -> Vec<Pair> {
        let estimates: Vec<Estimate> = self.found.iter().map(estimate).collect();
        pairs(&estimates, &self.truth)
    }

    /// Targets found beside their truth, with their distance and its prediction.
    pub fn table(&self, noise: f64) -> String {
        let mut text = format!(
            "held-out sequence, {}: {} targets, {} found\n\
             truth x, y (px)  counts     found x, y (px)  counts   distance (px)   predicted σ x, y (px)\n",
            said(noise),
            self.truth.len(),
            self.found.len()
        );
        let pairs = self.pairs();
        for (index, target) in self.truth.iter().enumerate() {
            let Target { x, y, intensity } = target;
            let _ = write!(text, "{x:6.3} {y:6.3}  {intensity:8.1}     ");
            let Some(pair) = pairs.iter().find(|pair| pair.target == index) else {
                text += "missed\n";
                continue;
            };
            let found = &self.found[pair.estimate];
            let _ = writeln!(
                text,
                "{:6.3} {:6.3}  {:8.1}   {:13.4}   {:12.4} {:.4}",
                found.x,
                found.y,
                found.intensity,
                pair.square().sqrt(),
                found.sigma_x,
                found.sigma_y
            );
        }
        text
    }
}

/// The noise with its unit.
fn said(noise: f64) -> String {
    let unit = if noise == 1.0 { "count" } else { "counts" };
    format!("noise σ = {noise} {unit}")
}

/// A cell's centre, without the spread of the cell.
fn cell(found: &Found) -> Mark {
    Mark {
        sigma: None,
        ..Mark::from(found)
    }
}

fn estimate(found: &Found) -> Estimate {
    Estimate {
        detection: Detection {
            x: found.x,
            y: found.y,
            score: found.score,
        },
        covariance: Covariance2::from_sigmas([found.sigma_x, found.sigma_y, found.correlation]),
    }
}

/// Draws a row per subject.
pub fn gallery(path: &Path, subjects: &[Subject], noise: f64) -> Result<()> {
    let marks = |found: &[Found]| found.iter().map(Mark::from).collect::<Vec<_>>();
    let parts: Vec<(Vec<Mark>, Vec<Mark>)> = subjects
        .iter()
        .map(|subject| (subject.marks(), marks(&subject.found)))
        .collect();
    let rows: Vec<Row> = subjects
        .iter()
        .zip(&parts)
        .map(|(subject, (truth, found))| Row {
            name: "frame",
            frame: subject.window.index_axis(Axis(0), WINDOW / 2),
            origin: [0, 0],
            map: Some(subject.map.view()),
            truth,
            detections: found,
        })
        .collect();
    let title = format!("Held-out sequences, {}", said(noise));
    sequence::draw(path, &rows, &title)
}
