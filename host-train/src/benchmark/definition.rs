//! What a benchmark runs: a TOML file of rows.
//!
//! ```toml
//! title = "…"
//! about = "…"                     # what the table asks, and how
//! seeds = [1]                     # of initial values and training data
//! masks = false                   # whether answers are judged as masks of pixels too
//! [data]                          # test trajectories; training follows the same rules
//! noise = 0.0
//! [budget.hour]                   # one per scale: smoke, hour, full
//! minutes = 10                    # processor time of each training, or multiply_adds = 1e15
//! [training]
//! warmup = 0.03                   # share of the steps
//! validations = 8
//! [methods]                       # fields of MethodConfig, for all published networks
//! [deref_net]                     # fields of docs/train.toml, for all DeRefNets trained here
//! [[row]]
//! name = "srcnn"
//! method = "srcnn"                # a key of `derefnet methods`,
//! set.schedule.rate = 1e-3
//! [[row]]
//! name = "k-6"
//! preset = "paper"                # or a DeRefNet of these sizes, trained here,
//! set.model.stages = 6
//! [[row]]
//! name = "shipped"
//! model = "edge"                  # or a model: the shipped one, or a file beside this one
//! ```

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::result::MOST_SEEDS;
use super::row::{Row, resolve};
use super::text::{BudgetText, Text, TrainingText};
use crate::dataset::Split;
use crate::scene::{Arrangement, ClutterConfig, SceneConfig};
use crate::train::config::merge;
use crate::{Error, Result};

/// Which of a definition's budgets.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// To see that everything runs.
    Smoke,
    /// Minutes for each training.
    Hour,
    /// What the comparison deserves.
    Full,
}

impl Scale {
    /// Word on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Hour => "hour",
            Self::Full => "full",
        }
    }
}

/// What each training may cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// Minutes of processor time, all threads together, spent on optimisation steps.
    Minutes(f64),
    /// Multiply-adds: three times those of inference for every frame of every step.
    MultiplyAdds(f64),
}

/// A definition at one scale, found sound.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Heading of the table.
    pub title: String,
    /// What the table asks, and how.
    pub about: String,
    /// Which budget.
    pub scale: Scale,
    /// What each training may cost.
    pub budget: Budget,
    /// Seeds of every learned row.
    pub seeds: Vec<u64>,
    /// Validations of a training.
    pub validations: u64,
    /// Share of a training's steps in which the rate rises.
    pub warmup: f64,
    /// Whether answers between the cells are judged as masks of pixels too.
    pub masks: bool,
    /// The rows, in the order of the file.
    pub rows: Vec<Row>,
    /// The file itself.
    pub text: String,
}

/// Test trajectories, and the rules of training ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// Seed of generated test trajectories, default 1.
    pub seed: u64,
    /// Split that is evaluated, default `test`.
    pub split: Split,
    /// Trajectories, default 750.
    pub trajectories: u64,
    /// Standard deviation of the noise, counts, default 0.
    pub noise: f64,
    /// How targets lie, default `rules`.
    pub arrangement: Arrangement,
    /// Fewest and most targets, default `[2, 4]`.
    pub targets: [u32; 2],
    /// Generated clutter behind the targets; default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clutter: Option<ClutterConfig>,
    /// A data set folder, which replaces generated trajectories: of `derefnet simulate`, over the
    /// user's own backgrounds for example. Relative to the definition's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            seed: 1,
            split: Split::Test,
            trajectories: Split::Test.trajectories(),
            noise: 0.0,
            arrangement: Arrangement::Rules,
            targets: [2, 4],
            clutter: None,
            folder: None,
        }
    }
}

impl Data {
    /// Rules of generated trajectories.
    pub fn scene(&self) -> SceneConfig {
        SceneConfig {
            noise: [self.noise; 2],
            arrangement: self.arrangement,
            targets: self.targets,
            clutter: self.clutter.clone(),
            ..SceneConfig::default()
        }
    }

    fn read(base: &toml::Table, own: &toml::Table, folder: &Path) -> Result<Self> {
        let mut table = base.clone();
        merge(&mut table, own.clone());
        let wrong = |message: String| Error::usage(format!("data: {message}"));
        let mut data: Self = table.try_into().map_err(|e| wrong(one_line(&e)))?;
        data.scene().validate().map_err(|e| wrong(e.to_string()))?;
        if data.trajectories == 0 {
            return Err(wrong("trajectories is 0, expected at least 1".to_owned()));
        }
        data.folder = data.folder.map(|path| folder.join(path));
        Ok(data)
    }
}

/// What rows are resolved with.
pub(super) struct Setting<'a> {
    pub(super) text: &'a Text,
    pub(super) budget: &'a BudgetText,
    /// The definition's folder.
    pub(super) folder: &'a Path,
}

/// A message of the TOML reader, which spreads over lines, without its picture of the place.
pub(super) fn one_line(error: &toml::de::Error) -> String {
    error.message().replace('\n', " ")
}

impl Definition {
    /// Reads the file `path` at `scale`.
    ///
    /// # Errors
    /// Names the file, the row and the field.
    pub fn read(path: &Path, scale: Scale) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        Self::parse(text, folder, scale).map_err(|e| Error::format(path, e.to_string()))
    }

    fn parse(text: String, folder: &Path, scale: Scale) -> Result<Self> {
        let parsed: Text = toml::from_str(&text).map_err(|e| Error::usage(e.to_string()))?;
        let budget = parsed.budget.get(&scale).ok_or_else(|| {
            let message = format!("budget.{} is missing, expected minutes", scale.name());
            Error::usage(message)
        })?;
        let seeds = budget.seeds.as_ref().unwrap_or(&parsed.seeds);
        check_seeds(seeds)?;
        check_training(parsed.training)?;
        let setting = Setting {
            text: &parsed,
            budget,
            folder,
        };
        Ok(Self {
            scale,
            budget: cost(budget, scale)?,
            seeds: seeds.clone(),
            validations: parsed.training.validations,
            warmup: parsed.training.warmup,
            masks: parsed.masks,
            rows: rows(&setting)?,
            title: parsed.title.clone(),
            about: parsed.about.clone(),
            text,
        })
    }

    /// Keeps only the rows called `names`, where these are given.
    ///
    /// # Errors
    /// If there is no such row.
    pub fn keep(&mut self, names: &[String]) -> Result<()> {
        for name in names {
            if !self.rows.iter().any(|row| row.name == *name) {
                let known: Vec<&str> = self.rows.iter().map(|row| row.name.as_str()).collect();
                let known = known.join(", ");
                let message = format!("--only {name}: no such row, expected of {known}");
                return Err(Error::usage(message));
            }
        }
        self.rows
            .retain(|row| names.is_empty() || names.contains(&row.name));
        Ok(())
    }
}

fn rows(setting: &Setting<'_>) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for text in &setting.text.row {
        let wrong = |message: String| Error::usage(format!("row '{}': {message}", text.name));
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if text.name.is_empty() || !text.name.chars().all(plain) {
            return Err(wrong("name: expected letters, digits and '-'".to_owned()));
        }
        if rows.iter().any(|row| row.name == text.name) {
            return Err(wrong("name: there are two rows of it".to_owned()));
        }
        let mut data = setting.text.data.clone();
        if let Some(count) = setting.budget.trajectories {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            data.insert("trajectories".to_owned(), count.into());
        }
        let data = Data::read(&data, &text.data, setting.folder);
        let row = data.and_then(|data| resolve(text, data, setting));
        rows.push(row.map_err(|e| wrong(e.to_string()))?);
    }
    if rows.is_empty() {
        return Err(Error::usage("row: expected at least one"));
    }
    Ok(rows)
}

fn cost(text: &BudgetText, scale: Scale) -> Result<Budget> {
    let budget = match (text.minutes, text.multiply_adds) {
        (Some(minutes), None) => Budget::Minutes(minutes),
        (None, Some(work)) => Budget::MultiplyAdds(work),
        _ => {
            let name = scale.name();
            let message = format!("budget.{name}: expected either minutes or multiply_adds");
            return Err(Error::usage(message));
        }
    };
    let (Budget::Minutes(value) | Budget::MultiplyAdds(value)) = budget;
    if !(value.is_finite() && value > 0.0) {
        let name = scale.name();
        let message = format!("budget.{name} is {value}, expected a positive number");
        return Err(Error::usage(message));
    }
    Ok(budget)
}

fn check_seeds(seeds: &[u64]) -> Result<()> {
    let mut distinct = seeds.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() == seeds.len() && (1..=MOST_SEEDS).contains(&seeds.len()) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "seeds is {seeds:?}, expected 1 to {MOST_SEEDS} different ones"
    )))
}

fn check_training(training: TrainingText) -> Result<()> {
    let TrainingText {
        validations,
        warmup,
    } = training;
    if validations == 0 {
        let message = "training.validations is 0, expected at least 1";
        return Err(Error::usage(message));
    }
    if !(0.0..1.0).contains(&warmup) {
        let message = format!("training.warmup is {warmup}, expected 0 or more, below 1");
        return Err(Error::usage(message));
    }
    Ok(())
}

#[cfg(test)]
#[path = "definition_tests.rs"]
mod tests;
