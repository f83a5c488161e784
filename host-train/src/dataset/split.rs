//! The three parts of a data set.

use crate::{Error, Result};

/// Trajectories of the full data set, all splits together.
pub const TRAJECTORIES: u64 = 5_000;

/// Part of a data set. Splits are disjoint by construction: each has its own random streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// For fitting weights and `Q_init`.
    Train,
    /// For choosing a model.
    #[serde(rename = "val")]
    Validation,
    /// For reported figures only.
    Test,
}

impl Split {
    /// All splits, in the order of the tables.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// Trajectories of this split in the full data set (paper §3): 3,500, 750, 750.
    pub const fn trajectories(self) -> u64 {
        match self {
            Self::Train => 3_500,
            Self::Validation | Self::Test => 750,
        }
    }

    /// Folder name and command-line word: `train`, `val`, `test`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "val",
            Self::Test => "test",
        }
    }

    /// Random stream of trajectory `index` of this split.
    ///
    /// # Panics
    /// If `index` needs more than 56 bits.
    pub fn stream(self, index: u64) -> u64 {
        assert!(index < 1 << 56, "trajectory index {index} exceeds 56 bits");
        let code = match self {
            Self::Train => 1,
            Self::Validation => 2,
            Self::Test => 3,
        };
        (code << 56) | index
    }
}

impl std::str::FromStr for Split {
    type Err = Error;

    /// # Errors
    /// [`Error::Usage`] for any other word than the three names.
    fn from_str(word: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|split| split.name() == word)
            .ok_or_else(|| Error::usage(format!("split is '{word}', expected train, val or test")))
    }
}
