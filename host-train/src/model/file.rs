//! Model files of the host: safetensors under the authors' tensor names.
//!
//! Beside the parameters a file holds `qinit (1089, 121)` and, as metadata under the key
//! `derefnet`, a JSON object with sizes and provenance. `TDDA.mlp.weight` may be replaced by
//! `TDDA.mlp.weight.rowsum (1089)`: its input is constant, so the network needs no more.
//!
//! The object's first field is `crc32`, eight hexadecimal digits: the CRC-32 (of zlib) of the
//! object's text without that field, then, by ascending name, of each tensor's name, its sizes as
//! little-endian u64 and its values. Safetensors itself checks sizes only. A file without the field
//! is not checked.
//!
//! A file without metadata, or with no other than the `format` of other programs, is read as a
//! checkpoint of the authors' code; see [`bare`].

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use derefnet_core::physics::{FRAME_LEN, MAP_LEN};
use derefnet_core::weights::MAGIC;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use super::{DeRefNet, ModelConfig, Operators, Parameters, bare};
use crate::{Error, Result, atomic};

/// Metadata key. There is one only: safetensors writes several in no fixed order.
const KEY: &str = "derefnet";
/// Name of `Q_init`, which is no parameter.
pub(super) const QINIT: &str = "qinit";
/// How metadata with a checksum begin; eight digits and `",` follow, then the other fields.
const SEAL: &str = "{\"crc32\":\"";
/// The one large tensor whose row sums suffice.
const TIME_WEIGHT: &str = "TDDA.mlp.weight";

/// Where a model comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of the program that wrote the file.
    pub program: String,
    /// Version of the generated data, or `folder-` and the CRC-32 of the folder's frames and truth.
    pub data_version: String,
    /// Seed of initial values and data.
    pub seed: u64,
    /// Optimisation steps taken.
    pub steps: u64,
    /// Trajectories seen in training.
    pub trajectories: u64,
    /// Range of the noise's standard deviation in generated training frames, counts; null for a
    /// folder's.
    pub noise: Option<[f64; 2]>,
    /// Share of the intensity that labels gain towards a cell's centre, so that the map's values are
    /// no intensities alone; none where labels are intensities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub centerness: Option<f32>,
    /// Validation figures at these weights: CSO-mAP and AP25, per cent, read as trained: off the grid
    /// where an offset head is.
    pub validation: Option<[f64; 2]>,
    /// The model whose weights training started from, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Box<Provenance>>,
    /// The model whose offset head was attached, if one was; all else then is of the network with the
    /// map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Box<Provenance>>,
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

    /// CRC-32 of `header` and all names, shapes and values.
    fn checksum(&self, header: &str) -> u32 {
        let mut crc = crc32fast::Hasher::new();
        crc.update(header.as_bytes());
        for (name, (shape, values)) in &self.0 {
            crc.update(name.as_bytes());
            for &size in shape {
                crc.update(&(size as u64).to_le_bytes());
            }
            for value in values {
                crc.update(&value.to_le_bytes());
            }
        }
        crc.finalize()
    }

    /// Writes all tensors and `header`, a JSON object, with a checksum, whole or not at all.
    pub(crate) fn write(&self, path: &Path, header: &str) -> Result<()> {
        atomic::write_bytes(path, &self.to_bytes(path, header)?)
    }

    /// Content of such a file; `path` appears in messages.
    pub(crate) fn to_bytes(&self, path: &Path, header: &str) -> Result<Vec<u8>> {
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
        let fields = header.strip_prefix('{').unwrap_or(header);
        let sealed = format!("{SEAL}{:08x}\",{fields}", self.checksum(header));
        let metadata = HashMap::from([(KEY.to_owned(), sealed)]);
        safetensors::serialize(views, Some(metadata))
            .map_err(|e| Error::format(path, e.to_string()))
    }

    /// Reads all f32 tensors and the metadata string.
    pub(crate) fn read(path: &Path) -> Result<(Self, Option<String>)> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        Self::parse(path, &bytes)
    }

    /// Reads all f32 tensors and the metadata string, without its checksum, of a file's content.
    ///
    /// # Errors
    /// If the content is damaged: cut off, or altered where a checksum is there to tell.
    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<(Self, Option<String>)> {
        if bytes.starts_with(&MAGIC) {
            let message = "a quantised model: expected the safetensors file that it was made from";
            return Err(Error::format(path, message));
        }
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
        match header.as_deref().and_then(unseal) {
            Some((recorded, header)) => {
                let found = tensors.checksum(&header);
                if found == recorded {
                    return Ok((tensors, Some(header)));
                }
                let message = format!("damaged: crc32 is {found:08x}, expected {recorded:08x}");
                Err(Error::format(path, message))
            }
            None => Ok((tensors, header)),
        }
    }
}

/// Checksum and the text that it covers, if `metadata` begin with one.
fn unseal(metadata: &str) -> Option<(u32, String)> {
    let rest = metadata.strip_prefix(SEAL)?;
    let (digits, fields) = rest.split_once("\",")?;
    let crc = u32::from_str_radix(digits, 16).ok()?;
    Some((crc, format!("{{{fields}")))
}

/// Reads JSON metadata of `path`, which should be a `kind` of file.
pub(crate) fn parse_header<T: serde::de::DeserializeOwned>(
    path: &Path,
    kind: &str,
    header: Option<String>,
) -> Result<T> {
    let header = header.ok_or_else(|| {
        Error::format(
            path,
            format!("metadata '{KEY}' is missing: not a file of this program"),
        )
    })?;
    serde_json::from_str(&header).map_err(|e| {
        let message = format!("metadata '{KEY}': expected those of a {kind}: {e}");
        Error::format(path, message)
    })
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
        tensors.insert(QINIT, &[MAP_LEN, FRAME_LEN], &self.operators.qinit);
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
        tensors.write(path, &header_text(path, &header)?)
    }

    /// Reads a model written by [`DeRefNet::save`], or a checkpoint of the authors' code.
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
        let (network, provenance) = if header.is_none() && !is_labelled(path, bytes)? {
            bare::network(path, &mut tensors)?
        } else {
            Self::from_header(path, &mut tensors, header)?
        };
        if let Some(name) = tensors.0.keys().next() {
            return Err(Error::format(
                path,
                format!("tensor '{name}' belongs to no layer"),
            ));
        }
        network.check_finite(path)?;
        Ok((network, provenance))
    }

    /// The network whose sizes `header` tells.
    fn from_header(
        path: &Path,
        tensors: &mut Tensors,
        header: Option<String>,
    ) -> Result<(Self, Provenance)> {
        let Header { config, provenance } = parse_header(path, "model", header)?;
        config
            .validate()
            .map_err(|e| Error::format(path, e.to_string()))?;
        let qinit = tensors.take(path, QINIT, MAP_LEN * FRAME_LEN)?;
        let parameters = Parameters::from_tensors(path, &config, "", tensors)?;
        let network = Self {
            config,
            operators: Operators::new(qinit),
            parameters,
        };
        Ok((network, provenance))
    }

    fn check_finite(&self, path: &Path) -> Result<()> {
        let tensors = self.parameters.tensors.iter();
        let named = tensors.map(|t| (t.name.as_str(), &t.values));
        let infinite = |(_, values): &(_, &Vec<f32>)| !values.iter().all(|v| v.is_finite());
        let qinit = (QINIT, &self.operators.qinit);
        match named.chain([qinit]).find(infinite) {
            Some((name, _)) => {
                let message = format!("tensor '{name}' holds a value that is not finite");
                Err(Error::format(path, message))
            }
            None => Ok(()),
        }
    }
}

/// Whether a safetensors file has metadata of a program's own.
fn is_labelled(path: &Path, bytes: &[u8]) -> Result<bool> {
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|e| Error::format(path, e.to_string()))?;
    let labels = metadata.metadata().iter().flat_map(HashMap::keys);
    Ok(labels.into_iter().any(|key| key != "format"))
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
