//! A definition file as written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::definition::Scale;
use super::result::{Group, PublishedFigures};
use crate::model::Preset;

/// A definition file as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Heading of the table.
    pub title: String,
    /// What the table asks, and how.
    pub about: String,
    /// Seeds of learned rows; default `[1]`.
    #[serde(default = "one_seed")]
    pub seeds: Vec<u64>,
    /// Fields of [`Data`](super::definition::Data).
    #[serde(default)]
    pub data: toml::Table,
    /// Budgets.
    pub budget: BTreeMap<Scale, BudgetText>,
    /// Whether answers between the cells are judged as masks of pixels too.
    #[serde(default)]
    pub masks: bool,
    /// How trainings go.
    #[serde(default)]
    pub training: TrainingText,
    /// Fields of [`MethodConfig`](crate::methods::MethodConfig), for all rows with a method.
    #[serde(default)]
    pub methods: toml::Table,
    /// Fields of `docs/train.toml`, for all DeRefNets that are trained.
    #[serde(default)]
    pub deref_net: toml::Table,
    /// The rows.
    pub row: Vec<RowText>,
}

/// A budget as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetText {
    /// [`Budget::Minutes`](super::definition::Budget::Minutes).
    pub minutes: Option<f64>,
    /// [`Budget::MultiplyAdds`](super::definition::Budget::MultiplyAdds).
    pub multiply_adds: Option<f64>,
    /// Test trajectories, in place of the data's.
    pub trajectories: Option<u64>,
    /// Seeds, in place of the definition's.
    pub seeds: Option<Vec<u64>>,
    /// Fields of every training at this scale.
    #[serde(default)]
    pub set: toml::Table,
}

/// How trainings go.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingText {
    /// Validations, evenly spaced, the last one after the last step; default 8.
    pub validations: u64,
    /// Share of the steps in which the rate rises from zero; default 0.
    pub warmup: f64,
}

impl Default for TrainingText {
    fn default() -> Self {
        Self {
            validations: 8,
            warmup: 0.0,
        }
    }
}

fn one_seed() -> Vec<u64> {
    vec![1]
}

/// How places between the cells are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OffGrid {
    /// They are not.
    None,
    /// The peaks of the map say how many targets there are and where the fit of point sources
    /// starts; frames without a peak get no answer.
    FitFromMap,
    /// The fit, without a network.
    Fit,
    /// The offset head of the model.
    Head,
    /// The fit, started from the head's claims.
    HeadFit,
    /// Each component of a detector's mask is one target, at its centroid.
    Components,
}

impl OffGrid {
    /// Word in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::FitFromMap => "fit-from-map",
            Self::Fit => "fit",
            Self::Head => "head",
            Self::HeadFit => "head-fit",
            Self::Components => "components",
        }
    }
}

/// A row as written. It has a `method`, a `preset` or a `model`; only a method of ours has a model too.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowText {
    /// Name of its folder: letters, digits and `-`.
    pub name: String,
    /// What tables call it; default the method's name.
    pub label: Option<String>,
    /// Where it belongs; default as the registry has it, `ours` without a method.
    pub group: Option<Group>,
    /// Key of a method.
    pub method: Option<String>,
    /// Form of the method; its first one by default.
    pub variant: Option<String>,
    /// Sizes of a DeRefNet to train.
    pub preset: Option<Preset>,
    /// `edge`, the shipped model, or a file, relative to the definition's folder.
    pub model: Option<String>,
    /// What differs from the published form.
    pub about: Option<String>,
    /// Figures of others; default those of the method's row of Table 7.
    pub published: Option<PublishedFigures>,
    /// Whether cells of the map are read; default true where there is a map.
    pub grid: Option<bool>,
    /// How places between the cells are found; default `fit-from-map`, or `head-fit` with a head.
    pub off_grid: Option<OffGrid>,
    /// Fields of [`Data`](super::definition::Data) in which this row departs.
    #[serde(default)]
    pub data: toml::Table,
    /// Fields of its training.
    #[serde(default)]
    pub set: toml::Table,
}
