//! A trained method: its tensors, its file, its maps.
//!
//! A file is safetensors in the form of the model files of [`crate::model`]: the method's tensors and
//! `qinit (1089, 121)`, with a checksum and, as metadata, method, variant and provenance.

use std::path::Path;

use derefnet_core::physics::{FRAME_LEN, MAP_LEN};
use serde::{Deserialize, Serialize};

use super::count::{Plan, plan};
use super::live::{Live, leaves};
use super::net::{Form, Input, Net};
use super::sensor::Sensor;
use super::tensors::{Role, initialise};
use super::{Answer, Answers, Method, Network};
use crate::autograd::Tape;
use crate::backend::Backend;
use crate::model::file::{Tensors, header_text, parse_header};
use crate::model::{Frames, Parameter, Provenance};
use crate::{Error, Result};

/// Name of `Q_init` in files.
pub(super) const QINIT: &str = "qinit";

/// A network of a method with values for its tensors.
#[derive(Clone)]
pub struct Trained {
    /// The method.
    pub method: &'static Method,
    /// Its variant.
    pub variant: &'static str,
    /// Share of its size; see [`Form::width`].
    pub width: f32,
    /// The sensor, with the `Q_init` of its training data.
    pub sensor: Sensor,
    /// Its own tensors, in the order of its plan.
    pub tensors: Vec<Parameter>,
    plan: Plan,
    network: &'static dyn Network,
}

#[derive(Serialize, Deserialize)]
struct Header {
    method: String,
    variant: String,
    width: f32,
    provenance: Provenance,
}

impl Trained {
    /// The method in a form, with drawn tensors.
    ///
    /// # Errors
    /// If the method has no such variant or nothing to train.
    pub fn drawn(
        method: &'static Method,
        variant: &str,
        width: f32,
        sensor: Sensor,
        seed: u64,
    ) -> Result<Self> {
        let plan = plan(method, Some(variant), width)?;
        let tensors = initialise(&plan.specs[..plan.own], &sensor, seed);
        Self::new(method, variant, width, sensor, tensors)
    }

    /// The method in a form, with the given tensors, in the order of its plan.
    ///
    /// # Errors
    /// If the method has no such variant or nothing to train.
    ///
    /// # Panics
    /// If the tensors are not those of the plan.
    pub fn new(
        method: &'static Method,
        variant: &str,
        width: f32,
        sensor: Sensor,
        tensors: Vec<Parameter>,
    ) -> Result<Self> {
        let plan = plan(method, Some(variant), width)?;
        let named = tensors.iter().map(|t| &t.name);
        assert!(named.eq(plan.specs[..plan.own].iter().map(|s| &s.name)));
        Ok(Self {
            method,
            variant: method.variant(Some(variant))?,
            width,
            sensor,
            tensors,
            plan,
            network: method.network()?,
        })
    }

    /// Tensors and work.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether it answers for the scored frames alone.
    pub fn sees_sequences(&self) -> bool {
        self.network.sees_sequences()
    }

    /// What it answers for a frame.
    pub fn answers(&self) -> Answers {
        self.network.answers()
    }

    /// Describes the network.
    pub(crate) fn describe(&self, net: &mut Net<'_>) -> Answer {
        self.network.forward(net)
    }

    fn form(&self) -> Form {
        Form {
            variant: self.variant,
            width: self.width,
            training: false,
        }
    }

    /// Uploads the tensors.
    pub fn on<'a, B: Backend>(&'a self, backend: &'a B) -> Ready<'a, B> {
        let upload = |t: &Parameter| backend.upload(&t.values);
        Ready {
            trained: self,
            backend,
            values: self.tensors.iter().map(upload).collect(),
        }
    }

    /// Writes the file; `reduced` leaves out tensors that never run.
    ///
    /// # Errors
    /// If the file cannot be written; then what stood there before is untouched.
    pub fn save(&self, path: &Path, provenance: &Provenance, reduced: bool) -> Result<()> {
        let mut tensors = Tensors::default();
        tensors.insert(QINIT, &[MAP_LEN, FRAME_LEN], &self.sensor.operators.qinit);
        for (spec, tensor) in self.plan.specs.iter().zip(&self.tensors) {
            if !(reduced && spec.role == Role::Unused) {
                tensors.insert(&tensor.name, &tensor.shape, &tensor.values);
            }
        }
        let header = Header {
            method: self.method.key.to_owned(),
            variant: self.variant.to_owned(),
            width: self.width,
            provenance: provenance.clone(),
        };
        tensors.write(path, &header_text(path, &header)?)
    }

    /// Whether `path` is a sound file of [`Trained::save`].
    pub fn is_file(path: &Path) -> bool {
        let header = Tensors::read(path).map(|(_, header)| header);
        matches!(header, Ok(Some(text)) if text.starts_with("{\"method\""))
    }

    /// Reads a file written by [`Trained::save`].
    ///
    /// # Errors
    /// If the file is damaged, is of no known method, or a tensor is missing, surplus or not finite.
    pub fn load(path: &Path) -> Result<(Self, Provenance)> {
        let (mut tensors, header) = Tensors::read(path)?;
        let header: Header = parse_header(path, "method", header)?;
        let wrong = |e: Error| Error::format(path, e.to_string());
        let method = Method::find(&header.method).map_err(wrong)?;
        let plan = plan(method, Some(&header.variant), header.width).map_err(wrong)?;
        let sensor = Sensor::new(tensors.take(path, QINIT, MAP_LEN * FRAME_LEN)?);
        let mut own = Vec::new();
        for spec in &plan.specs[..plan.own] {
            let absent = spec.role == Role::Unused && !tensors.0.contains_key(&spec.name);
            let values = if absent {
                vec![0.0; spec.len()]
            } else {
                tensors.take(path, &spec.name, spec.len())?
            };
            if !values.iter().all(|v| v.is_finite()) {
                let message = format!("tensor '{}' holds a value that is not finite", spec.name);
                return Err(Error::format(path, message));
            }
            own.push(Parameter {
                name: spec.name.clone(),
                shape: spec.shape.clone(),
                values,
            });
        }
        if let Some(name) = tensors.0.keys().next() {
            let message = format!("tensor '{name}' belongs to no layer");
            return Err(Error::format(path, message));
        }
        let trained = Self::new(method, &header.variant, header.width, sensor, own);
        Ok((trained.map_err(wrong)?, header.provenance))
    }
}

/// A trained method whose tensors lie on a backend.
pub struct Ready<'a, B: Backend> {
    trained: &'a Trained,
    backend: &'a B,
    values: Vec<B::Buffer>,
}

impl<B: Backend> Ready<'_, B> {
    /// The trained method.
    pub(super) fn trained(&self) -> &Trained {
        self.trained
    }

    /// Maps, counts, `(frames, 1089)`: of all frames, or of the scored ones where the method sees
    /// sequences. Of a detector logits `(frames, 121)`.
    pub fn maps(&self, frames: &Frames) -> Vec<f32> {
        self.backend.pass(|| {
            let mut tape = Tape::new(self.backend);
            let leaves = leaves(&mut tape, &self.trained.plan, &self.values, 0..0);
            let input = Input {
                counts: &frames.counts,
                length: frames.length,
                sensor: &self.trained.sensor,
            };
            let mut live = Live::new(&mut tape, &leaves);
            let mut net = Net::new(&mut live, input, self.trained.form());
            let answer = self.trained.network.forward(&mut net);
            tape.download(answer.map.var)
        })
    }
}
