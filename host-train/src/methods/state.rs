//! The state of a run between two steps, and its file.

use std::path::Path;

use derefnet_core::physics::{FRAME_LEN, MAP_LEN};
use serde::{Deserialize, Serialize};

use super::config::MethodConfig;
use super::count::plan;
use super::sensor::Sensor;
use super::trained::QINIT;
use crate::model::Parameter;
use crate::model::file::{Tensors, header_text, parse_header};
use crate::train::{Adam, Best};
use crate::{Error, Result};

/// Everything that the next step depends on, but for the sensor.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// Configuration of the run.
    pub(super) config: MethodConfig,
    /// Version of the training data.
    pub(super) data_version: String,
    /// Steps taken.
    pub(super) step: u64,
    /// Best validation so far.
    pub(super) best: Option<Best>,
    /// Tensors of the method, then those of its adversary.
    pub(super) tensors: Vec<Parameter>,
    /// Moments of the method's tensors, and of its adversary's.
    pub(super) adams: [Adam; 2],
}

#[derive(Serialize, Deserialize)]
struct Header {
    config: MethodConfig,
    data_version: String,
    step: u64,
    best: Option<Best>,
}

impl State {
    /// The state before the first step; the first `own` tensors are the method's.
    pub(super) fn new(
        config: MethodConfig,
        data_version: String,
        own: usize,
        tensors: Vec<Parameter>,
    ) -> Self {
        let adam = |tensors: &[Parameter]| {
            let lengths = tensors.iter().map(|t| t.values.len());
            Adam::new(config.adam.clone(), lengths)
        };
        let adams = [adam(&tensors[..own]), adam(&tensors[own..])];
        Self {
            data_version,
            step: 0,
            best: None,
            adams,
            tensors,
            config,
        }
    }

    /// Writes the state, whole or not at all.
    pub(super) fn save(&self, path: &Path, sensor: &Sensor) -> Result<()> {
        let mut tensors = Tensors::default();
        tensors.insert(QINIT, &[MAP_LEN, FRAME_LEN], &sensor.operators.qinit);
        let firsts = self.adams.iter().flat_map(|adam| &adam.first);
        let seconds = self.adams.iter().flat_map(|adam| &adam.second);
        for (tensor, (first, second)) in self.tensors.iter().zip(firsts.zip(seconds)) {
            let Parameter {
                name,
                shape,
                values,
            } = tensor;
            tensors.insert(format!("weight.{name}"), shape, values);
            tensors.insert(format!("adam.first.{name}"), shape, first);
            tensors.insert(format!("adam.second.{name}"), shape, second);
        }
        let header = Header {
            config: self.config.clone(),
            data_version: self.data_version.clone(),
            step: self.step,
            best: self.best,
        };
        tensors.write(path, &header_text(path, &header)?)
    }

    /// Reads a state written by [`State::save`].
    pub(super) fn load(path: &Path) -> Result<(Self, Sensor)> {
        let (mut tensors, header) = Tensors::read(path)?;
        let header: Header = parse_header(path, "checkpoint of a method", header)?;
        let wrong = |e: Error| Error::format(path, e.to_string());
        let config = header.config;
        config.validate().map_err(wrong)?;
        let plan = plan(config.method()?, Some(&config.variant), config.width).map_err(wrong)?;
        let sensor = Sensor::new(tensors.take(path, QINIT, MAP_LEN * FRAME_LEN)?);
        let mut all = |kind: &str| -> Result<Vec<Vec<f32>>> {
            let specs = plan.specs.iter();
            let values = specs.map(|s| tensors.take(path, &format!("{kind}.{}", s.name), s.len()));
            values.collect()
        };
        let [weights, mut first, mut second] =
            [all("weight")?, all("adam.first")?, all("adam.second")?];
        let parameters = plan
            .specs
            .iter()
            .zip(weights)
            .map(|(spec, values)| Parameter {
                name: spec.name.clone(),
                shape: spec.shape.clone(),
                values,
            });
        let tensors: Vec<Parameter> = parameters.collect();
        let adversary = (first.split_off(plan.own), second.split_off(plan.own));
        let adam = |(first, second)| Adam {
            config: config.adam.clone(),
            steps: header.step,
            first,
            second,
        };
        let state = Self {
            data_version: header.data_version,
            step: header.step,
            best: header.best,
            adams: [adam((first, second)), adam(adversary)],
            tensors,
            config,
        };
        Ok((state, sensor))
    }
}
