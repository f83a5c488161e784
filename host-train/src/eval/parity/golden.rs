//! Golden files in memory.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::model::file::Tensors;
use crate::model::{ModelConfig, Parameters};
use crate::{Error, Result};

/// Relative L2 rounding error of the reference, by tensor.
pub(super) type Rounding = BTreeMap<String, f64>;

#[derive(Deserialize)]
struct Entry {
    f32_f64_rel_l2: Option<f64>,
}

/// Reads the rounding errors recorded beside a golden file.
pub(super) fn read_rounding(path: &Path) -> Result<Rounding> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
    let entries: BTreeMap<String, Entry> =
        serde_json::from_str(&text).map_err(|e| Error::format(path, e.to_string()))?;
    let errors = entries.into_iter();
    Ok(errors
        .filter_map(|(name, entry)| Some((name, entry.f32_f64_rel_l2?)))
        .collect())
}

/// A golden file.
pub(super) struct Golden<'a> {
    path: &'a Path,
    tensors: Tensors,
}

impl<'a> Golden<'a> {
    pub(super) fn read(path: &'a Path) -> Result<Self> {
        let (tensors, _) = Tensors::read(path)?;
        Ok(Self { path, tensors })
    }

    pub(super) fn find(&self, name: &str) -> Option<&[f32]> {
        self.tensors
            .0
            .get(name)
            .map(|(_, values)| values.as_slice())
    }

    pub(super) fn shape_of(&self, name: &str) -> Option<&[usize]> {
        self.tensors.0.get(name).map(|(shape, _)| shape.as_slice())
    }

    /// A tensor that must be there with `len` values.
    pub(super) fn need(&self, name: &str, len: usize) -> Result<&[f32]> {
        let values = self
            .find(name)
            .ok_or_else(|| Error::format(self.path, format!("tensor '{name}' is missing")))?;
        if values.len() != len {
            let message = format!(
                "tensor '{name}' has {} values, expected {len}",
                values.len()
            );
            return Err(Error::format(self.path, message));
        }
        Ok(values)
    }

    /// Sizes of the network, read off the weights' shapes.
    pub(super) fn config(&self) -> Result<ModelConfig> {
        let count = |prefix: &str, suffix: &str| {
            let name = |k: &usize| self.find(&format!("{prefix}{k}{suffix}")).is_some();
            (0..).take_while(name).count()
        };
        let feature = "weight.TDDA.feat_extract.0.conv.bias";
        let channels = self.find(feature).map(<[f32]>::len);
        let config = ModelConfig {
            stages: count("weight.fcs.", ".soft_thr"),
            channels: channels.ok_or_else(|| {
                Error::format(self.path, format!("tensor '{feature}' is missing"))
            })?,
            residual_blocks: count("weight.TDDA.tail_conv.1.", ".conv1.weight"),
            ..ModelConfig::released()
        };
        config
            .validate()
            .map_err(|e| Error::format(self.path, e.to_string()))?;
        Ok(config)
    }

    pub(super) fn parameters(&self, config: &ModelConfig) -> Result<Parameters> {
        Parameters::from_tensors(self.path, config, "weight.", &mut self.tensors.clone())
    }
}
