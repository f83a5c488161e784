//! Checkpoints: everything that the next step depends on, in one file.

use std::path::Path;

use derefnet_core::physics::{FRAME_LEN, MAP_LEN};
use serde::{Deserialize, Serialize};

use super::{Adam, TrainConfig};
use crate::model::file::{Tensors, header_text, parse_header};
use crate::model::{DeRefNet, Operators, Parameters, Provenance};
use crate::{Error, Result, atomic};

/// Best model so far, by the validation split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Step after which it was validated.
    pub step: u64,
    /// CSO-mAP, grid readout, per cent.
    pub cso_map: f64,
    /// AP25, grid readout, per cent.
    pub ap25: f64,
    /// Overlap of masks, per cent, of a detector, whose components stand for cells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iou: Option<f64>,
}

impl Best {
    /// The rule: mean of CSO-mAP and AP25. CSO-mAP alone prefers unsure maps, because scores of
    /// cells say nothing of where in the cell a target lies.
    pub fn score(&self) -> f64 {
        0.5 * (self.cso_map + self.ap25)
    }
}

/// State of a run between two steps.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Configuration of the run.
    pub config: TrainConfig,
    /// Version of the training data, empty if unknown.
    pub data_version: String,
    /// Steps taken.
    pub step: u64,
    /// Best validation so far.
    pub best: Option<Best>,
    /// The model whose weights the run started from, if any.
    pub start: Option<Provenance>,
    /// Network with its present parameters.
    pub network: DeRefNet,
    /// Moments.
    pub adam: Adam,
    /// Average of the weights, one buffer per parameter, where the configuration asks for one.
    pub average: Option<Vec<Vec<f32>>>,
    /// Ranks that trained up to here; see [`Ranks`](super::Ranks).
    pub ranks: usize,
}

#[derive(Serialize, Deserialize)]
struct Header {
    config: TrainConfig,
    #[serde(default)]
    data_version: String,
    step: u64,
    best: Option<Best>,
    start: Option<Provenance>,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    ranks: usize,
}

/// What checkpoints of a lone process leave out.
fn one() -> usize {
    1
}

fn is_one(ranks: &usize) -> bool {
    *ranks == 1
}

impl Checkpoint {
    /// Writes the state, whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written; then the previous checkpoint is untouched.
    pub fn save(&self, path: &Path) -> Result<()> {
        atomic::write_bytes(path, &self.to_bytes(path)?)
    }

    /// Content of the file; `path` appears in messages.
    ///
    /// # Errors
    /// If a number has no place in a file.
    pub fn to_bytes(&self, path: &Path) -> Result<Vec<u8>> {
        let mut tensors = Tensors::default();
        tensors.insert(
            "qinit",
            &[MAP_LEN, FRAME_LEN],
            &self.network.operators.qinit,
        );
        let moments = self.adam.first.iter().zip(&self.adam.second);
        for (tensor, (first, second)) in self.network.parameters.tensors.iter().zip(moments) {
            tensors.insert(
                format!("weight.{}", tensor.name),
                &tensor.shape,
                &tensor.values,
            );
            tensors.insert(format!("adam.first.{}", tensor.name), &tensor.shape, first);
            tensors.insert(
                format!("adam.second.{}", tensor.name),
                &tensor.shape,
                second,
            );
        }
        for (tensor, average) in self
            .network
            .parameters
            .tensors
            .iter()
            .zip(self.average.iter().flatten())
        {
            tensors.insert(format!("average.{}", tensor.name), &tensor.shape, average);
        }
        let header = Header {
            config: self.config.clone(),
            data_version: self.data_version.clone(),
            step: self.step,
            best: self.best,
            start: self.start.clone(),
            ranks: self.ranks,
        };
        tensors.to_bytes(path, &header_text(path, &header)?)
    }

    /// Reads a state written by [`Checkpoint::save`].
    ///
    /// # Errors
    /// If the file is damaged or does not fit its own configuration.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        Self::from_bytes(path, &bytes)
    }

    /// Reads the content of such a file; `path` appears in messages.
    ///
    /// # Errors
    /// As [`Checkpoint::load`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let (mut tensors, header) = Tensors::parse(path, bytes)?;
        let Header {
            config,
            data_version,
            step,
            best,
            start,
            ranks,
        } = parse_header(path, "checkpoint", header)?;
        config
            .validate()
            .map_err(|e| Error::format(path, e.to_string()))?;
        let qinit = tensors.take(path, "qinit", MAP_LEN * FRAME_LEN)?;
        let parameters = Parameters::from_tensors(path, &config.model, "weight.", &mut tensors)?;
        let mut buffers = |kind: &str| -> Result<Vec<Vec<f32>>> {
            let all = parameters.tensors.iter();
            all.map(|t| tensors.take(path, &format!("{kind}.{}", t.name), t.values.len()))
                .collect()
        };
        let adam = Adam {
            config: config.adam_in_units(),
            steps: step,
            first: buffers("adam.first")?,
            second: buffers("adam.second")?,
        };
        let average = (config.ema > 0.0).then(|| buffers("average")).transpose()?;
        let network = DeRefNet {
            config: config.model.clone(),
            operators: Operators::new(qinit),
            parameters,
        };
        Ok(Self {
            config,
            data_version,
            step,
            best,
            start,
            network,
            adam,
            average,
            ranks,
        })
    }
}
