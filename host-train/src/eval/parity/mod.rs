//! Comparison with golden tensors of the authors' network: forward, backward and Adam's first step.
//!
//! Golden files are safetensors with the authors' names (`weight.*`, `act.*`, `grad.*`, `adam1.*`,
//! `loss.*`), maps channel-first. The reduced form replaces `TDDA.mlp.weight`, whose input is
//! constant, by its row sums and its gradient by one column.

mod golden;
mod kinks;
mod results;
mod trial;

use std::path::Path;

use derefnet_core::physics::{FRAME_LEN, MAP_LEN};
use serde::Serialize;

use golden::{Golden, Rounding};
use trial::Trial;

use kinks::Kinks;
use results::Results;

use crate::backend::Backend;
use crate::model::{DeRefNet, Frames, Operators, Parameter};
use crate::{Error, Result};

/// Largest relative L2 error of a forward tensor or loss.
pub const FORWARD_TOLERANCE: f64 = 1e-4;
/// Largest relative L2 error of a gradient.
pub const GRADIENT_TOLERANCE: f64 = 2e-3;
/// Largest relative L2 error of Adam's first step, over the elements whose gradient is well above
/// rounding: the first step is about ±rate, so a gradient that may change sign may change it wholly.
pub const ADAM_TOLERANCE: f64 = 2e-3;
/// Factor by which an error may exceed the recorded rounding error of the reference itself.
const ROUNDING_FACTOR: f64 = 10.0;
/// Frames of a golden sequence.
const LENGTH: usize = 20;
/// Window whose inner tensors golden files hold.
const WINDOW_INDEX: usize = 7;
/// Its neighbours' first pair.
const FIRST_PAIR: usize = 4 * WINDOW_INDEX;
/// Parameter whose gradient is rounding alone: Φ·Q_init = I, so the first data step does nothing.
const ROUNDING_ONLY: &str = "fcs.0.lambda_step";
/// Weight decay of the three golden steps.
const GOLDEN_DECAY: f32 = 1e-5;
/// Learning rate of the golden Adam step.
const RATE: f32 = 1e-4;

/// One compared tensor.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Name in the golden file.
    pub name: String,
    /// `‖ours - golden‖ / ‖golden‖`.
    pub relative_l2: f64,
    /// Bound on it.
    pub tolerance: f64,
}

impl Comparison {
    /// Whether the error is within the bound.
    pub fn pass(&self) -> bool {
        self.relative_l2 <= self.tolerance
    }
}

/// Result of a parity run.
#[derive(Clone, Debug, Serialize)]
pub struct ParityReport {
    /// Whether every tensor is within its tolerance.
    pub pass: bool,
    /// The tensor with the largest error relative to its tolerance.
    pub worst: Option<Comparison>,
    /// All compared tensors.
    pub tensors: Vec<Comparison>,
    /// Results in the golden file that were not compared.
    pub not_compared: Vec<String>,
}

/// Compares this project's network on `backend` with the golden file at `path`.
///
/// `tolerances`, a JSON object with `f32_f64_rel_l2` per tensor, raises a tensor's tolerance to ten
/// times the rounding error of the reference that it records.
///
/// # Errors
/// If the file cannot be read or a tensor that the run needs is missing or has a wrong size.
pub fn parity<B: Backend>(
    backend: &B,
    path: &Path,
    tolerances: Option<&Path>,
) -> Result<ParityReport> {
    let golden = Golden::read(path)?;
    let rounding = tolerances.map(golden::read_rounding).transpose()?;
    let config = golden.config()?;
    let counts = golden
        .find("input.y")
        .ok_or_else(|| Error::format(path, "tensor 'input.y' is missing"))?;
    let length = counts.len() / FRAME_LEN;
    if length != LENGTH || counts.len() % FRAME_LEN != 0 {
        let message = format!(
            "tensor 'input.y' has {} values, expected 20×121",
            counts.len()
        );
        return Err(Error::format(path, message));
    }
    let labels = golden.need("target.x", length * MAP_LEN)?;
    let labels = labels[2 * MAP_LEN..(length - 2) * MAP_LEN].to_vec();
    let qinit = golden.need("qinit", MAP_LEN * FRAME_LEN)?.to_vec();
    let network = DeRefNet {
        operators: Operators::new(qinit),
        parameters: golden.parameters(&config)?,
        config,
    };
    let frames = Frames {
        counts: counts.to_vec(),
        length,
    };

    let mut check = Check {
        golden: &golden,
        recorded: rounding.unwrap_or_default(),
        kinks: Kinks::default(),
    };
    let ours = Results::record(backend, &golden, &network, &frames, &labels);
    let mut tensors = check.compare(&network, &ours);
    let fails = tensors.iter().any(|t| !t.pass());
    if fails && tensors.iter().all(|t| t.pass() || kinks::may_excuse(t)) {
        check.kinks = Kinks::measure(backend, &golden, &ours, &network, &frames, &labels);
        tensors = check.compare(&network, &ours);
    }
    tensors.extend(check.trace(backend, &network, &frames, &labels));
    golden.check_complete(&network, &tensors)?;
    Ok(check.report(tensors))
}

/// `‖a - b‖ / ‖b‖`, or `‖a‖` where `b` is zero.
fn relative_l2(a: &[f32], b: &[f32]) -> f64 {
    let square = |v: f64| v * v;
    let difference: f64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| square(f64::from(*a) - f64::from(*b)))
        .sum();
    let norm: f64 = b.iter().map(|b| square(f64::from(*b))).sum();
    let error = if norm > 0.0 {
        (difference / norm).sqrt()
    } else {
        difference.sqrt()
    };
    if error.is_nan() { f64::INFINITY } else { error }
}

/// Where tensors stand against the golden file.
struct Check<'a> {
    golden: &'a Golden<'a>,
    recorded: Rounding,
    kinks: Kinks,
}

impl Check<'_> {
    fn compare(&self, network: &DeRefNet, ours: &Results) -> Vec<Comparison> {
        let mut all: Vec<Comparison> = ours
            .tensors
            .iter()
            .filter_map(|(name, values)| self.one(name, values))
            .collect();
        let steps = network.parameters.tensors.iter().zip(&ours.stepped);
        all.extend(steps.filter_map(|(tensor, values)| self.adam(tensor, values)));
        all
    }

    fn one(&self, name: &str, ours: &[f32]) -> Option<Comparison> {
        let golden = self.golden.find(name)?;
        let relative_l2 = if golden.len() == ours.len() {
            relative_l2(ours, golden)
        } else {
            f64::INFINITY
        };
        let recorded = self.recorded.get(name).copied().unwrap_or_default();
        let tolerance = if name.starts_with("grad") {
            GRADIENT_TOLERANCE.max(self.kinks.tolerance(name))
        } else {
            FORWARD_TOLERANCE
        };
        Some(Comparison {
            name: name.to_owned(),
            relative_l2,
            tolerance: tolerance.max(ROUNDING_FACTOR * recorded),
        })
    }

    /// Compares Adam's first step where the gradient's sign is sure.
    fn adam(&self, tensor: &Parameter, values: &[f32]) -> Option<Comparison> {
        let name = format!("adam1.{}", tensor.name);
        let gradient_name = format!("grad.{}", tensor.name);
        let golden = self.golden.find(&name)?;
        let gradient = self.golden.find(&gradient_name)?;
        if tensor.name == ROUNDING_ONLY {
            return None;
        }
        if golden.len() != values.len() || gradient.len() != values.len() {
            return self.one(&name, &[]);
        }
        let squares = gradient.iter().map(|&g| f64::from(g) * f64::from(g));
        let least = GRADIENT_TOLERANCE * (squares.sum::<f64>() / gradient.len() as f64).sqrt();
        let sure = |i: &usize| {
            let doubt = ROUNDING_FACTOR * f64::from(self.kinks.deviation(&gradient_name, *i));
            f64::from(gradient[*i].abs()) > least.max(doubt)
        };
        let sure: Vec<usize> = (0..golden.len()).filter(sure).collect();
        let step = |after: &[f32]| -> Vec<f32> {
            sure.iter().map(|&i| after[i] - tensor.values[i]).collect()
        };
        Some(Comparison {
            relative_l2: relative_l2(&step(values), &step(golden)),
            tolerance: ADAM_TOLERANCE,
            name,
        })
    }

    /// The loss over three steps with weight decay.
    fn trace<B: Backend>(
        &self,
        backend: &B,
        network: &DeRefNet,
        frames: &Frames,
        labels: &[f32],
    ) -> Option<Comparison> {
        let name = "loss.adam3_trace";
        self.golden.find(name)?;
        let mut trial = Trial::new(backend, network, frames, labels, GOLDEN_DECAY);
        let losses: Vec<f32> = (0..4).map(|_| trial.step(|_| ()).0).collect();
        self.one(name, &losses)
    }

    fn report(self, tensors: Vec<Comparison>) -> ParityReport {
        let share = |c: &Comparison| c.relative_l2 / c.tolerance;
        let worst = tensors
            .iter()
            .max_by(|a, b| share(a).total_cmp(&share(b)))
            .cloned();
        let compared = |name: &str| tensors.iter().any(|t| t.name == name);
        let rest = self.golden.results().filter(|name| !compared(name));
        ParityReport {
            pass: tensors.iter().all(Comparison::pass),
            worst,
            not_compared: rest.map(str::to_owned).collect(),
            tensors,
        }
    }
}
