//! Comparison with golden tensors of the authors' network: forward, backward and Adam's first step.
//!
//! Golden files are safetensors with the authors' names (`weight.*`, `act.*`, `grad.*`, `adam1.*`,
//! `loss.*`), maps channel-first. The reduced form replaces `TDDA.mlp.weight`, whose input is
//! constant, by its row sums and its gradient by one column.

mod golden;
mod trial;

use std::path::Path;

use derefnet_core::physics::{FRAME_LEN, MAP_LEN};
use serde::Serialize;

use golden::{Golden, Rounding};
use trial::{Stage, Trial};

use crate::autograd::{Gradients, Tape, Var};
use crate::backend::cpu::Cpu;
use crate::model::{DeRefNet, Frames, Graph, ModelConfig, Operators, Parameters};
use crate::train::Losses;
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

    let mut run = Run {
        golden: &golden,
        rounding: rounding.unwrap_or_default(),
        tensors: Vec::new(),
    };
    let trace = run.steps(&network, &frames, &labels)?;
    run.compare("loss.adam3_trace", &trace, FORWARD_TOLERANCE);
    golden.check_complete(&network, &run.tensors)?;
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
    /// Compares a step without weight decay in every part, then follows the loss over three steps
    /// with it.
    fn steps(&mut self, network: &DeRefNet, frames: &Frames, labels: &[f32]) -> Result<Vec<f32>> {
        let mut single = Trial::new(network, frames, labels, 0.0);
        let (_, grads) = single.step(|stage| match stage {
            Stage::Forward(tape, graph, losses) => {
                self.compare_forward(tape, graph, &network.config);
                self.compare_losses(tape, graph, losses, labels);
            }
            Stage::Backward(graph, grads) => {
                self.compare_activation_gradients(graph, &network.config, grads);
            }
        });
        self.compare_gradients(&network.parameters, &grads);
        self.compare_adam(&network.parameters, &single.values);
        let mut decayed = Trial::new(network, frames, labels, GOLDEN_DECAY);
        Ok((0..4).map(|_| decayed.step(|_| ()).0).collect())
    }

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
        // A shape that does not fit leaves nothing to compare, which fails.
        let (pairs, channels) = match shape[..] {
            [pairs, channels, ..] if channels > 0 => (pairs, channels),
            _ => (0, 1),
        };
        let item = MAP_LEN.saturating_mul(channels);
        let end = FIRST_PAIR.saturating_add(pairs).saturating_mul(item);
        let part = ours.get(FIRST_PAIR.saturating_mul(item)..end);
        let part = part.unwrap_or_default();
        self.compare(name, &channels_first(part, channels), tolerance);
    }

    fn compare_losses(
        &mut self,
        tape: &Tape<'_, Cpu>,
        graph: &Graph,
        losses: &Losses,
        labels: &[f32],
    ) {
        self.compare_windows(tape, graph, labels);
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

    /// The two terms that the released loss sums over windows.
    fn compare_windows(&mut self, tape: &Tape<'_, Cpu>, graph: &Graph, labels: &[f32]) {
        let (Some(output), Some(aligned), Some(&last)) =
            (graph.output, graph.aligned, graph.stages.last())
        else {
            return;
        };
        let squares = |(a, b): (&f32, &f32)| f64::from(a - b) * f64::from(a - b);
        let maps = tape
            .value(output)
            .chunks_exact(MAP_LEN)
            .zip(labels.chunks_exact(MAP_LEN));
        let regression: Vec<f32> = maps
            .map(|(a, b)| (a.iter().zip(b).map(squares).sum::<f64>() / MAP_LEN as f64) as f32)
            .collect();
        self.compare("loss.reg_per_window", &regression, FORWARD_TOLERANCE);
        let centre = |&frame: &usize| &tape.value(last)[frame * MAP_LEN..(frame + 1) * MAP_LEN];
        let windows = tape.value(aligned).chunks_exact(4 * MAP_LEN);
        let align: Vec<f32> = windows
            .zip(graph.centre_frames.iter().map(centre))
            .map(|(maps, centre)| {
                let cells = maps.iter().zip(centre.iter().cycle());
                cells.map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() as f32
            })
            .collect();
        self.compare("loss.align_per_window", &align, FORWARD_TOLERANCE);
    }

    fn compare_activation_gradients(
        &mut self,
        graph: &Graph,
        config: &ModelConfig,
        grads: &mut Gradients<Cpu>,
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
            if tensor.name == ROUNDING_ONLY {
                continue;
            }
            if golden.len() != values.len() || gradient.len() != values.len() {
                self.compare(&name, &[], ADAM_TOLERANCE);
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
        let compared = |name: &str| self.tensors.iter().any(|t| t.name == name);
        let rest = self.golden.results().filter(|name| !compared(name));
        ParityReport {
            pass,
            worst,
            not_compared: rest.map(str::to_owned).collect(),
            tensors: self.tensors,
        }
    }
}
