//! Golden files in memory.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::Comparison;
use crate::model::file::Tensors;
use crate::model::{DeRefNet, ModelConfig, Parameters};
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

    /// Names of results, not inputs.
    pub(super) fn results(&self) -> impl Iterator<Item = &str> {
        let kinds = [
            "act.",
            "out.",
            "loss.",
            "grad.",
            "grad_act.",
            "adam1.",
            "adam3.",
        ];
        let names = self.tensors.0.keys().map(String::as_str);
        names.filter(move |name| kinds.iter().any(|kind| name.starts_with(kind)))
    }

    /// Fails unless the essential results were there to be compared: answer, loss, and the gradient
    /// and first step of every parameter.
    pub(super) fn check_complete(&self, network: &DeRefNet, compared: &[Comparison]) -> Result<()> {
        let has = |name: &str| compared.iter().any(|c| c.name == name);
        let last = network.config.stages - 1;
        let mut needed = vec![
            "out.final".to_owned(),
            "loss.total".to_owned(),
            "act.aligned".to_owned(),
            format!("act.stage{last}.x"),
        ];
        for tensor in &network.parameters.tensors {
            let (gradient, step) = (
                format!("grad.{}", tensor.name),
                format!("adam1.{}", tensor.name),
            );
            let reduced = has(&format!("{gradient}.column"));
            if tensor.name != super::ROUNDING_ONLY && !reduced {
                needed.extend([gradient, step]);
            }
        }
        match needed.into_iter().find(|name| !has(name)) {
            Some(name) => Err(Error::format(
                self.path,
                format!("tensor '{name}' is missing"),
            )),
            None => Ok(()),
        }
    }
}
