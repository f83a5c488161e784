//! Model files of the host: safetensors under the authors' tensor names.
//!
//! Beside the parameters a file holds `qinit (1089, 121)` and, as metadata under the key
//! `derefnet`, a JSON object with sizes and provenance. `TDDA.mlp.weight` may be replaced by
//! `TDDA.mlp.weight.rowsum (1089)`: its input is constant, so the network needs no more.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use derefnet_core::physics::{FRAME_LEN, MAP_LEN};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use super::{DeRefNet, ModelConfig, Operators, Parameters};
use crate::{Error, Result, atomic};

/// Metadata key.
const KEY: &str = "derefnet";
/// The one large tensor whose row sums suffice.
const TIME_WEIGHT: &str = "TDDA.mlp.weight";

/// Where a model comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of the program that wrote the file.
    pub program: String,
    /// Version of the generated data, or the folder's own.
    pub data_version: String,
    /// Seed of initial values and data.
    pub seed: u64,
    /// Optimisation steps taken.
    pub steps: u64,
    /// Trajectories seen in training.
    pub trajectories: u64,
    /// Range of the noise's standard deviation in training, counts.
    pub noise: [f64; 2],
    /// Validation figures at these weights: CSO-mAP and AP25, grid readout, per cent.
    pub validation: Option<[f64; 2]>,
}

/// Metadata of a model file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Header {
    config: ModelConfig,
    provenance: Provenance,
}

/// Named f32 tensors, as they go to and come from a safetensors file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tensors(pub BTreeMap<String, (Vec<usize>, Vec<f32>)>);

impl Tensors {
    pub(crate) fn insert(&mut self, name: impl Into<String>, shape: &[usize], values: &[f32]) {
        self.0
            .insert(name.into(), (shape.to_vec(), values.to_vec()));
    }

    /// The values of `name`, which must have `len` of them.
    pub(crate) fn take(&mut self, path: &Path, name: &str, len: usize) -> Result<Vec<f32>> {
        let Some((shape, values)) = self.0.remove(name) else {
            return Err(Error::format(path, format!("tensor '{name}' is missing")));
        };
        if values.len() != len {
            let message = format!("tensor '{name}' has shape {shape:?}, expected {len} values");
            return Err(Error::format(path, message));
        }
        Ok(values)
    }

    /// Writes all tensors and one metadata string, whole or not at all.
    pub(crate) fn write(&self, path: &Path, header: String) -> Result<()> {
        let bytes: Vec<(&str, &[usize], Vec<u8>)> = self
            .0
            .iter()
            .map(|(name, (shape, values))| {
                let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                (name.as_str(), shape.as_slice(), bytes)
            })
            .collect();
        let views = bytes
            .iter()
            .map(|(name, shape, bytes)| {
                Ok((*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes)?))
            })
            .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|e| Error::format(path, e.to_string()))?;
        let metadata = HashMap::from([(KEY.to_owned(), header)]);
        let file = safetensors::serialize(views, Some(metadata))
            .map_err(|e| Error::format(path, e.to_string()))?;
        atomic::write_bytes(path, &file)
    }

    /// Reads all f32 tensors and the metadata string.
    pub(crate) fn read(path: &Path) -> Result<(Self, Option<String>)> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        Self::parse(path, &bytes)
    }

    /// Reads all f32 tensors and the metadata string of a file's content.
    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<(Self, Option<String>)> {
        let broken = |e| Error::format(path, format!("not a whole safetensors file: {e}"));
        let file = SafeTensors::deserialize(bytes).map_err(broken)?;
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(broken)?;
        let header = metadata
            .metadata()
            .as_ref()
            .and_then(|m| m.get(KEY).cloned());
        let mut tensors = Self::default();
        for (name, view) in file.tensors() {
            if view.dtype() != Dtype::F32 {
                let message = format!("tensor '{name}' is {:?}, expected F32", view.dtype());
                return Err(Error::format(path, message));
            }
            let values = view
                .data()
                .as_chunks::<4>()
                .0
                .iter()
                .map(|b| f32::from_le_bytes(*b));
            tensors
                .0
                .insert(name, (view.shape().to_vec(), values.collect()));
        }
        Ok((tensors, header))
    }
}

/// Reads JSON metadata of `path`.
pub(crate) fn parse_header<T: serde::de::DeserializeOwned>(
    path: &Path,
    header: Option<String>,
) -> Result<T> {
    let header = header.ok_or_else(|| {
        Error::format(
            path,
            format!("metadata '{KEY}' is missing: not a file of this program"),
        )
    })?;
    serde_json::from_str(&header).map_err(|e| Error::format(path, format!("metadata '{KEY}': {e}")))
}

/// Writes JSON metadata.
pub(crate) fn header_text(path: &Path, header: &impl Serialize) -> Result<String> {
    serde_json::to_string(header).map_err(|e| Error::format(path, e.to_string()))
}

/// Spreads row sums evenly over the rows of a `(1089, 1089)` matrix with the same sums.
pub(crate) fn spread_rows(sums: &[f32]) -> Vec<f32> {
    let mut values = vec![0.0; sums.len() * MAP_LEN];
    for (row, sum) in values.chunks_exact_mut(MAP_LEN).zip(sums) {
        row.fill(sum / MAP_LEN as f32);
    }
    values
}

impl Parameters {
    /// Takes all parameters of `config` out of `tensors`; `prefix` stands before every name.
    pub(crate) fn from_tensors(
        path: &Path,
        config: &ModelConfig,
        prefix: &str,
        tensors: &mut Tensors,
    ) -> Result<Self> {
        let mut parameters = Self::zeros(config);
        for tensor in &mut parameters.tensors {
            let name = format!("{prefix}{}", tensor.name);
            let sums = format!("{name}.rowsum");
            tensor.values = if tensor.name == TIME_WEIGHT && tensors.0.contains_key(&sums) {
                spread_rows(&tensors.take(path, &sums, MAP_LEN)?)
            } else {
                tensors.take(path, &name, tensor.values.len())?
            };
        }
        Ok(parameters)
    }
}

impl DeRefNet {
    /// Writes the model; `reduced` keeps only the row sums of the position code.
    ///
    /// # Errors
    /// If the file cannot be written; then what stood there before is untouched.
    pub fn save(&self, path: &Path, provenance: &Provenance, reduced: bool) -> Result<()> {
        let mut tensors = Tensors::default();
        tensors.insert("qinit", &[MAP_LEN, FRAME_LEN], &self.operators.qinit);
        for tensor in &self.parameters.tensors {
            if reduced && tensor.name == TIME_WEIGHT {
                let rows = tensor.values.chunks_exact(MAP_LEN);
                let sums: Vec<f32> = rows
                    .map(|row| row.iter().map(|&w| f64::from(w)).sum::<f64>() as f32)
                    .collect();
                tensors.insert(format!("{TIME_WEIGHT}.rowsum"), &[MAP_LEN], &sums);
            } else {
                tensors.insert(&tensor.name, &tensor.shape, &tensor.values);
            }
        }
        let header = Header {
            config: self.config.clone(),
            provenance: provenance.clone(),
        };
        tensors.write(path, header_text(path, &header)?)
    }

    /// Reads a model written by [`DeRefNet::save`].
    ///
    /// # Errors
    /// If the file is damaged, is no model, or a tensor is missing, surplus or not finite.
    pub fn load(path: &Path) -> Result<(Self, Provenance)> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        Self::from_bytes(path, &bytes)
    }

    /// Reads the content of a model file; `path` appears in messages.
    ///
    /// # Errors
    /// As [`DeRefNet::load`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<(Self, Provenance)> {
        let (mut tensors, header) = Tensors::parse(path, bytes)?;
        let Header { config, provenance } = parse_header(path, header)?;
        config
            .validate()
            .map_err(|e| Error::format(path, e.to_string()))?;
        let qinit = tensors.take(path, "qinit", MAP_LEN * FRAME_LEN)?;
        let parameters = Parameters::from_tensors(path, &config, "", &mut tensors)?;
        if let Some(name) = tensors.0.keys().next() {
            return Err(Error::format(
                path,
                format!("tensor '{name}' belongs to no layer"),
            ));
        }
        let finite = |t: &super::Parameter| t.values.iter().all(|v| v.is_finite());
        if let Some(tensor) = parameters.tensors.iter().find(|t| !finite(t)) {
            let message = format!("tensor '{}' holds a value that is not finite", tensor.name);
            return Err(Error::format(path, message));
        }
        Ok((
            Self {
                config,
                operators: Operators::new(qinit),
                parameters,
            },
            provenance,
        ))
    }
}
