//! What a benchmark writes: one `result.json` a row.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::definition::Scale;
use crate::eval::masks::MaskScores;
use crate::eval::metric::Report;
use crate::methods::Published;
use crate::scene::Arrangement;
use crate::{Error, Result, atomic};

/// Version of the format.
pub const FORMAT: u32 = 1;
/// Name of a row's file.
pub const RESULT: &str = "result.json";

/// Where a row belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// A method of others.
    Published,
    /// Ours.
    Ours,
    /// What the others are compared with.
    Baseline,
}

/// Results of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowResult {
    /// [`FORMAT`].
    pub format: u32,
    /// Name of the row, unique within its definition.
    pub row: String,
    /// What tables call it.
    pub label: String,
    /// Where it belongs.
    pub group: Group,
    /// Key in the registry of methods.
    pub method: Option<String>,
    /// Form of the method.
    pub variant: Option<String>,
    /// What differs from the published form.
    pub about: Option<String>,
    /// Parameters, with those of an adversary and, at full size, of pretrained networks of the loss.
    pub parameters: usize,
    /// Parameters of the network that answers.
    pub answering_parameters: usize,
    /// Multiply-adds per frame, counted as published.
    pub macs_per_frame: Option<u64>,
    /// The same as computed here.
    pub macs_per_frame_here: Option<u64>,
    /// Figures that others published.
    pub published: Option<PublishedFigures>,
    /// What it was evaluated on.
    pub data: DataUsed,
    /// One per seed.
    pub runs: Vec<RunResult>,
    /// Of the mean over the seeds; from three seeds on.
    pub interval: Option<Interval>,
    /// Frames answered per second of one thread: median of repeats, by processor time, without the
    /// readout of maps; not measured on other backends than the CPU.
    pub frames_per_second: Option<f64>,
    /// Most memory of the process since the row began, MiB.
    pub peak_mib: Option<f64>,
    /// Where it ran.
    pub machine: Machine,
    /// Version of the program.
    pub program: String,
    /// Day on which it was evaluated, `YYYY-MM-DD`, UTC.
    pub date: String,
    /// `[step, loss]`, at most 200 points.
    pub training_curve: Vec<(u64, f64)>,
    /// `[step, CSO-mAP, AP25]`, per cent.
    pub validation_curve: Vec<(u64, f64, f64)>,
    /// Of the first seed, by the grid readout; of rows without one by the other.
    pub precision_recall: Vec<PrecisionRecall>,
    /// The same three frames of the test trajectories in every row, by the first seed.
    pub gallery: Vec<GalleryFrame>,
}

/// Figures as published, per cent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedFigures {
    /// CSO-mAP.
    pub cso_map: f64,
    /// APs at 0.05 to 0.25 px.
    pub aps: [f64; 5],
    /// Frames per second.
    #[serde(default)]
    pub fps: Option<f64>,
}

impl From<Published> for PublishedFigures {
    fn from(row: Published) -> Self {
        Self {
            cso_map: row.cso_map,
            aps: row.average_precisions,
            fps: Some(row.fps),
        }
    }
}

/// What a row was evaluated on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataUsed {
    /// Seed of generated trajectories.
    pub seed: u64,
    /// Split.
    pub split: String,
    /// Standard deviation of the noise, counts.
    pub noise: f64,
    /// Arrangement of the targets.
    pub arrangement: Arrangement,
    /// Fewest and most targets.
    pub targets: [u32; 2],
    /// Trajectories.
    pub trajectories: usize,
    /// Evaluated frames.
    pub frames: usize,
    /// What lies behind the targets, or the folder that frames were read from, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<String>,
}

/// One seed of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunResult {
    /// Of initial values and training data.
    pub seed: u64,
    /// Nothing where nothing was trained here.
    pub training: Option<TrainingResult>,
    /// By cells of the map.
    pub grid: Option<Scores>,
    /// Between the cells.
    pub off_grid: Option<Scores>,
    /// How.
    pub off_grid_readout: Option<String>,
    /// Answers between the cells as masks of pixels, where the definition asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masks: Option<MaskScores>,
}

/// A training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingResult {
    /// Processor time of the optimisation steps, validations left out; wall-clock time on other
    /// backends than the CPU.
    pub minutes: f64,
    /// Optimisation steps.
    pub steps: u64,
    /// Trajectories seen.
    pub trajectories: u64,
    /// Trajectories per step.
    pub batch: usize,
    /// Largest learning rate.
    pub rate: f64,
    /// Worker threads.
    pub threads: usize,
    /// Which budget of the definition.
    pub preset: Scale,
    /// Step of the model that was evaluated: the best one on the validation split.
    pub best_step: Option<u64>,
}

/// Figures of one readout, per cent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// CSO-mAP.
    pub cso_map: f64,
    /// APs at 0.05 to 0.25 px.
    pub aps: [f64; 5],
    /// Jaccard index at 0.25 px.
    pub jaccard: f64,
    /// Frames with as many answers as targets.
    pub count_right: f64,
    /// Root mean square distance of matched pairs, pixels.
    pub rmse: Option<f64>,
}

impl From<&Report> for Scores {
    fn from(report: &Report) -> Self {
        Self {
            cso_map: report.cso_map,
            aps: report.average_precisions(),
            jaccard: report.jaccard,
            count_right: report.count_accuracy,
            rmse: report.rmse_px,
        }
    }
}

/// 95 % intervals of the mean CSO-mAP over the seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Of the grid readout.
    pub grid: Option<[f64; 2]>,
    /// Of the other.
    pub off_grid: Option<[f64; 2]>,
}

/// Where a row ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Name of the processor.
    pub cpu: String,
    /// Its cores, as the system shows them.
    pub cores: usize,
    /// Vector instructions in use; `cuda` where a GPU computed.
    pub isa: String,
}

/// Precision over recall at one distance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrecisionRecall {
    /// Distance, pixels.
    pub delta: f64,
    /// `[recall, precision]`, shares, at most 100 points.
    pub points: Vec<[f64; 2]>,
}

/// One test frame with its answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GalleryFrame {
    /// Number of the trajectory.
    pub trajectory: usize,
    /// Number of the frame in it.
    pub frame: usize,
    /// `[x, y, intensity]`, pixels and counts.
    pub truth: Vec<[f64; 3]>,
    /// Counts of the frame `(11, 11)`.
    pub frame_counts: Vec<i32>,
    /// Map `(33, 33)`, counts, to two decimals.
    pub map: Option<Vec<f64>>,
    /// Answers between the cells, `[x, y, score]`.
    pub targets: Option<Vec<[f64; 3]>>,
}

/// Two-sided 95 % points of Student's t for 2, 3, … degrees of freedom.
const STUDENT: [f64; 8] = [4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];
/// Most seeds of a row.
pub(super) const MOST_SEEDS: usize = STUDENT.len() + 2;

/// The interval of the mean of three values or more.
fn interval(values: &[f64]) -> Option<[f64; 2]> {
    let count = values.len() as f64;
    let t = STUDENT.get(values.len().checked_sub(3)?)?;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    let half = t * (squares / (count - 1.0) / count).sqrt();
    Some([mean - half, mean + half])
}

impl Interval {
    /// Over the seeds of a row, if there are enough.
    pub fn over(runs: &[RunResult]) -> Option<Self> {
        let all = |scores: &dyn Fn(&RunResult) -> Option<Scores>| {
            let values: Option<Vec<f64>> = runs.iter().map(|r| Some(scores(r)?.cso_map)).collect();
            interval(&values?)
        };
        let both = Self {
            grid: all(&|run| run.grid),
            off_grid: all(&|run| run.off_grid),
        };
        (both.grid.is_some() || both.off_grid.is_some()).then_some(both)
    }
}

/// Reads a JSON file.
///
/// # Errors
/// Names the file and the field.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
    serde_json::from_str(&text).map_err(|e| Error::format(path, e.to_string()))
}

/// Writes a JSON file, whole or not at all.
///
/// # Errors
/// If it cannot be written.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string(value).map_err(|e| Error::format(path, e.to_string()))?;
    atomic::write_bytes(path, format!("{text}\n").as_bytes())
}

impl RowResult {
    /// Reads the results of the row in `folder`.
    ///
    /// # Errors
    /// Names the file and the field.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(RESULT);
        let result: Self = read_json(&path)?;
        if result.format != FORMAT {
            let message = format!("format is {}, expected {FORMAT}", result.format);
            return Err(Error::format(path, message));
        }
        Ok(result)
    }

    /// Writes the results of the row in `folder`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        write_json(&folder.join(RESULT), self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values 1, 2, 3: mean 2, deviation 1, so 2 ± 4.303/√3; by hand from a table of Student's t.
    #[test]
    fn intervals_are_those_of_student() {
        let [low, high] = interval(&[1.0, 2.0, 3.0]).unwrap();
        assert!((low + 0.484_34).abs() < 1e-4 && (high - 4.484_34).abs() < 1e-4);
        assert!(interval(&[1.0, 2.0]).is_none());
        assert!(interval(&[1.0; MOST_SEEDS]).is_some());
        assert!(interval(&[1.0; MOST_SEEDS + 1]).is_none());
    }
}
