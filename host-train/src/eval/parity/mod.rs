//! Comparison with golden tensors of the authors' network: forward, backward and Adam's first step.
//!
//! Golden files are safetensors with the authors' names (`weight.*`, `act.*`, `grad.*`, `adam1.*`,
//! `loss.*`), maps channel-first. The reduced form replaces `TDDA.mlp.weight`, whose input is
//! constant, by its row sums and its gradient by one column.

mod golden;

use std::path::Path;

use derefnet_core::physics::{FRAME_LEN, MAP_LEN};
use serde::Serialize;

use golden::{Golden, Rounding};

use crate::autograd::{Tape, Var};
use crate::backend::cpu::Cpu;
use crate::model::{DeRefNet, Frames, Graph, ModelConfig, Operators, Parameters};
use crate::train::{Adam, AdamConfig, LossConfig, LossVariant, Losses};
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
/// Window whose inner tensors golden files hold.
const WINDOW_INDEX: usize = 7;
/// Its neighbours' first pair.
const FIRST_PAIR: usize = 4 * WINDOW_INDEX;
/// Parameter whose gradient is rounding alone: Φ·Q_init = I, so the first data step does nothing.
const ROUNDING_ONLY: &str = "fcs.0.lambda_step";
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
}

/// Compares this project's network with the golden file at `path`.
///
/// `tolerances`, a JSON object with `f32_f64_rel_l2` per tensor, raises a tensor's tolerance to ten
/// times the rounding error of the reference that it records.
///
/// # Errors
/// If the file cannot be read or a tensor that the run needs is missing or has a wrong size.
pub fn parity(path: &Path, tolerances: Option<&Path>) -> Result<ParityReport> {
    let golden = Golden::read(path)?;
    let rounding = tolerances.map(golden::read_rounding).transpose()?;
    let config = golden.config()?;
    let counts = golden
        .find("input.y")
        .ok_or_else(|| Error::format(path, "tensor 'input.y' is missing"))?;
    let length = counts.len() / FRAME_LEN;
    if length < 16 || counts.len() % FRAME_LEN != 0 {
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

    let backend = Cpu::new();
    let mut values: Vec<Vec<f32>> = network
        .parameters
        .tensors
        .iter()
        .map(|t| t.values.clone())
        .collect();
    let mut run = Run {
        golden: &golden,
        rounding: rounding.unwrap_or_default(),
        tensors: Vec::new(),
    };
    let grads = {
        let mut tape = Tape::new(&backend);
        let leaves = DeRefNet::leaves(&mut tape, &values, true);
        let graph = network.forward(&backend, &mut tape, &leaves, &frames, true);
        let labels = tape.constant(labels);
        let loss = LossConfig::published(LossVariant::Released);
        let losses = Losses::record(&mut tape, &graph, labels, 1, &loss);
        run.compare_forward(&tape, &graph, &network.config);
        run.compare_losses(&tape, &losses);
        let keep: Vec<Var> = graph
            .stages
            .iter()
            .copied()
            .chain(graph.pair.iter().map(|p| p.1))
            .collect();
        let mut grads = tape.backward(losses.total, &keep);
        run.compare_activation_gradients(&graph, &network.config, &mut grads);
        leaves
            .iter()
            .map(|&leaf| grads.take(leaf))
            .collect::<Vec<_>>()
    };
    run.compare_gradients(&network.parameters, &grads);
    let config = AdamConfig {
        weight_decay: 0.0,
        ..AdamConfig::default()
    };
    let mut adam = Adam::new(config, values.iter().map(Vec::len));
    adam.step(&vec![RATE; values.len()], &mut values, &grads);
    run.compare_adam(&network.parameters, &values);
    Ok(run.report())
}

struct Run<'a> {
    golden: &'a Golden<'a>,
    rounding: Rounding,
    tensors: Vec<Comparison>,
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

/// Channel-first copy of `maps` maps of `channels` channels.
fn channels_first(values: &[f32], channels: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(values.len());
    for map in values.chunks_exact(MAP_LEN * channels) {
        for c in 0..channels {
            out.extend(map.iter().skip(c).step_by(channels));
        }
    }
    out
}

impl Run<'_> {
    fn compare(&mut self, name: &str, ours: &[f32], tolerance: f64) {
        let Some(golden) = self.golden.find(name) else {
            return;
        };
        let relative_l2 = if golden.len() == ours.len() {
            relative_l2(ours, golden)
        } else {
            f64::INFINITY
        };
        let rounding = self.rounding.get(name).copied().unwrap_or_default();
        self.tensors.push(Comparison {
            name: name.to_owned(),
            relative_l2,
            tolerance: tolerance.max(ROUNDING_FACTOR * rounding),
        });
    }

    fn compare_forward(&mut self, tape: &Tape<'_, Cpu>, graph: &Graph, config: &ModelConfig) {
        let forward = FORWARD_TOLERANCE;
        let whole = [
            ("act.qinit_x", graph.start),
            ("act.pos_gate", graph.gate),
            ("act.pos_x", graph.coded),
            ("out.final", graph.output),
        ];
        for (name, var) in whole {
            if let Some(var) = var {
                self.compare(name, tape.value(var), forward);
            }
        }
        for (k, (x, sym)) in graph.stages.iter().zip(&graph.symmetric).enumerate() {
            self.compare(&format!("act.stage{k}.x"), tape.value(*x), forward);
            self.compare(&format!("act.stage{k}.sym"), tape.value(*sym), forward);
        }
        if let Some(stack) = graph.stack {
            let stack = channels_first(tape.value(stack), derefnet_core::physics::WINDOW);
            self.compare("act.aligned", &stack, forward);
        }
        let item = MAP_LEN * config.channels;
        let centre = graph.centre_frames[WINDOW_INDEX];
        let feature = &tape.value(graph.features[0])[centre * item..(centre + 1) * item];
        self.compare(
            "act.win9.feat_center",
            &channels_first(feature, config.channels),
            forward,
        );
        for &(name, var) in &graph.pair {
            self.compare_pairs(&format!("act.win9.{name}"), tape.value(var), forward);
        }
        if let Some(aligned) = graph.aligned {
            self.compare_pairs("act.win9.conv", tape.value(aligned), forward);
        }
        for &(name, var) in &graph.tail {
            let map = &tape.value(var)[WINDOW_INDEX * item..(WINDOW_INDEX + 1) * item];
            self.compare(
                &format!("act.win9.{name}"),
                &channels_first(map, config.channels),
                forward,
            );
        }
    }

    /// Compares as many of the window's pairs as the golden tensor holds.
    fn compare_pairs(&mut self, name: &str, ours: &[f32], tolerance: f64) {
        let Some(shape) = self.golden.shape_of(name) else {
            return;
        };
        let (pairs, channels) = (shape[0], shape[1]);
        let item = MAP_LEN * channels;
        let Some(part) = ours.get(FIRST_PAIR * item..(FIRST_PAIR + pairs) * item) else {
            return;
        };
        self.compare(name, &channels_first(part, channels), tolerance);
    }

    fn compare_losses(&mut self, tape: &Tape<'_, Cpu>, losses: &Losses) {
        let scalar = |var: Var| tape.value(var)[0];
        let stages: Vec<f32> = losses.constraint.iter().map(|&v| scalar(v)).collect();
        self.compare("loss.constraint_per_stage", &stages, FORWARD_TOLERANCE);
        let sum: f32 = stages.iter().sum();
        self.compare("loss.constraint_weighted", &[0.1 * sum], FORWARD_TOLERANCE);
        if let Some(align) = losses.align {
            self.compare(
                "loss.align_weighted",
                &[0.1 * scalar(align)],
                FORWARD_TOLERANCE,
            );
        }
        self.compare("loss.reg", &[scalar(losses.regression)], FORWARD_TOLERANCE);
        self.compare("loss.total", &[scalar(losses.total)], FORWARD_TOLERANCE);
    }

    fn compare_activation_gradients(
        &mut self,
        graph: &Graph,
        config: &ModelConfig,
        grads: &mut crate::autograd::Gradients<Cpu>,
    ) {
        for (k, &stage) in graph.stages.iter().enumerate().take(config.stages) {
            if let Some(grad) = grads.take(stage) {
                self.compare(&format!("grad_act.stage{k}.x"), &grad, GRADIENT_TOLERANCE);
            }
        }
        for &(name, var) in &graph.pair {
            if let Some(grad) = grads.take(var) {
                self.compare_pairs(&format!("grad_act.win9.{name}"), &grad, GRADIENT_TOLERANCE);
            }
        }
    }

    fn compare_gradients(&mut self, parameters: &Parameters, grads: &[Option<Vec<f32>>]) {
        for (tensor, grad) in parameters.tensors.iter().zip(grads) {
            let Some(grad) = grad else { continue };
            if tensor.name == ROUNDING_ONLY {
                continue;
            }
            self.compare(&format!("grad.{}", tensor.name), grad, GRADIENT_TOLERANCE);
            if tensor.name == "TDDA.mlp.weight" {
                let column: Vec<f32> = grad.iter().step_by(MAP_LEN).copied().collect();
                self.compare("grad.TDDA.mlp.weight.column", &column, GRADIENT_TOLERANCE);
            }
        }
    }

    fn compare_adam(&mut self, parameters: &Parameters, values: &[Vec<f32>]) {
        for (tensor, values) in parameters.tensors.iter().zip(values) {
            let name = format!("adam1.{}", tensor.name);
            let (Some(golden), Some(gradient)) = (
                self.golden.find(&name),
                self.golden.find(&format!("grad.{}", tensor.name)),
            ) else {
                continue;
            };
            if golden.len() != values.len() || tensor.name == ROUNDING_ONLY {
                continue;
            }
            let squares = gradient.iter().map(|&g| f64::from(g) * f64::from(g));
            let rms = (squares.sum::<f64>() / gradient.len() as f64).sqrt();
            let sure = |i: &usize| f64::from(gradient[*i].abs()) > GRADIENT_TOLERANCE * rms;
            let sure: Vec<usize> = (0..golden.len()).filter(sure).collect();
            let step = |after: &[f32]| -> Vec<f32> {
                let moved = sure.iter().map(|&i| after[i] - tensor.values[i]);
                moved.collect()
            };
            self.tensors.push(Comparison {
                relative_l2: relative_l2(&step(values), &step(golden)),
                tolerance: ADAM_TOLERANCE,
                name,
            });
        }
    }

    fn report(self) -> ParityReport {
        let share = |c: &Comparison| c.relative_l2 / c.tolerance;
        let worst = self
            .tensors
            .iter()
            .max_by(|a, b| share(a).total_cmp(&share(b)))
            .cloned();
        let pass = !self.tensors.is_empty() && self.tensors.iter().all(Comparison::pass);
        ParityReport {
            pass,
            worst,
            tensors: self.tensors,
        }
    }
}
