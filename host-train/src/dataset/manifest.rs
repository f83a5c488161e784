//! `manifest.json`: what a data set holds and how to make it again.

use crate::dataset::Split;
use crate::scene::{DATA_VERSION, SceneConfig};
use crate::{Error, Result};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// File name inside the data set's folder.
pub const FILE_NAME: &str = "manifest.json";
/// Name and version of this document's format.
pub const FORMAT: &str = "derefnet-dataset-1";
/// Most trajectories of one split; larger counts in a manifest are taken for damage.
pub const MOST: u64 = 10_000_000;

/// How the files of a data set are arranged.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// NumPy arrays: exact signed counts, fast to read.
    Native,
    /// PNG and XML files, as in the authors' own data set.
    Seqcsist,
}

/// Trajectories of each split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Training trajectories.
    pub train: u64,
    /// Validation trajectories.
    pub val: u64,
    /// Test trajectories.
    pub test: u64,
}

impl Counts {
    /// The paper's 3,500, 750 and 750.
    pub const FULL: Self = Self {
        train: Split::Train.trajectories(),
        val: Split::Validation.trajectories(),
        test: Split::Test.trajectories(),
    };

    /// Shares out `total` as the paper does: 15% each for validation and test, the rest for training.
    pub fn shared(total: u64) -> Self {
        let part = total * 3 / 20;
        Self {
            train: total - 2 * part,
            val: part,
            test: part,
        }
    }

    /// Only one split.
    pub fn only(split: Split, count: u64) -> Self {
        let of = |other| if other == split { count } else { 0 };
        Self {
            train: of(Split::Train),
            val: of(Split::Validation),
            test: of(Split::Test),
        }
    }

    /// Trajectories of `split`.
    pub fn of(&self, split: Split) -> u64 {
        match split {
            Split::Train => self.train,
            Split::Validation => self.val,
            Split::Test => self.test,
        }
    }

    /// Trajectories of all splits.
    pub fn total(&self) -> u64 {
        self.train + self.val + self.test
    }
}

/// The user's backgrounds, as a reminder; they are not part of the data set.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackgroundNote {
    /// Folder as given on the command line.
    pub folder: String,
    /// Frames it held.
    pub frames: u64,
    /// Factor from grey values to counts.
    pub gain: f64,
}

/// Content of `manifest.json`. Same manifest (and backgrounds), same bytes of the whole data set.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// Arrangement of the files.
    pub layout: Layout,
    /// [`DATA_VERSION`] of the generator that made it.
    pub data_version: String,
    /// Seed of the generator.
    pub seed: u64,
    /// Options of the generator.
    pub config: SceneConfig,
    /// The user's backgrounds, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<BackgroundNote>,
    /// Trajectories of each split.
    pub trajectories: Counts,
}

impl Manifest {
    /// Describes a data set of the present generator.
    pub fn new(layout: Layout, seed: u64, config: SceneConfig, trajectories: Counts) -> Self {
        Self {
            format: FORMAT.to_owned(),
            layout,
            data_version: DATA_VERSION.to_owned(),
            seed,
            config,
            background: None,
            trajectories,
        }
    }

    /// Writes `manifest.json` into `dir`.
    pub(crate) fn write(&self, dir: &Path) -> Result<()> {
        let path = dir.join(FILE_NAME);
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::format(&path, error.to_string()))?;
        text.push('\n');
        fs::write(&path, text).map_err(|source| Error::io(&path, source))
    }

    /// Reads `manifest.json` of `dir`, if there is one.
    ///
    /// # Errors
    /// [`Error::Format`] if it is not a valid manifest of this format.
    pub fn find(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(FILE_NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::io(&path, source)),
        };
        let manifest: Self =
            serde_json::from_str(&text).map_err(|error| Error::format(&path, error.to_string()))?;
        manifest
            .check()
            .map_err(|message| Error::format(&path, message))?;
        Ok(Some(manifest))
    }

    fn check(&self) -> core::result::Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("format is '{}', expected '{FORMAT}'", self.format));
        }
        for split in Split::ALL {
            let (name, count) = (split.name(), self.trajectories.of(split));
            if count > MOST {
                return Err(format!(
                    "trajectories.{name} is {count}, expected at most {MOST}"
                ));
            }
        }
        let checked = self.config.validate();
        checked.map_err(|error| format!("config: {error}"))
    }
}
