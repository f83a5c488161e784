//! What a training step computes, under the names of golden tensors.

use std::collections::BTreeMap;

use derefnet_core::physics::MAP_LEN;

use super::golden::Golden;
use super::trial::{Stage, Trial};
use super::{FIRST_PAIR, ROUNDING_ONLY, WINDOW_INDEX};
use crate::autograd::{Gradients, Tape, Var};
use crate::backend::Backend;
use crate::model::{DeRefNet, Frames, Graph, ModelConfig, Parameters};
use crate::train::Losses;
use crate::train::adam::to_host;

/// Results of one step that the golden file holds too.
pub(super) struct Results<'a> {
    golden: &'a Golden<'a>,
    /// By golden name.
    pub(super) tensors: BTreeMap<String, Vec<f32>>,
    /// Parameters after Adam's first step.
    pub(super) stepped: Vec<Vec<f32>>,
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

impl<'a> Results<'a> {
    /// Runs forward, backward and one step of Adam without weight decay.
    pub(super) fn record<B: Backend>(
        backend: &B,
        golden: &'a Golden<'a>,
        network: &DeRefNet,
        frames: &Frames,
        labels: &[f32],
    ) -> Self {
        let mut results = Self {
            golden,
            tensors: BTreeMap::new(),
            stepped: Vec::new(),
        };
        let mut trial = Trial::new(backend, network, frames, labels, 0.0);
        let (_, grads) = trial.step(|stage| match stage {
            Stage::Forward(tape, graph, losses) => {
                results.put_forward(tape, graph, &network.config);
                results.put_losses(tape, graph, losses, labels);
            }
            Stage::Backward(graph, grads) => {
                results.put_activation_gradients(backend, graph, &network.config, grads);
            }
        });
        results.put_gradients(backend, &network.parameters, &grads);
        results.stepped = to_host(backend, &trial.values);
        results
    }

    fn put(&mut self, name: &str, ours: &[f32]) {
        if self.golden.find(name).is_some() {
            self.tensors.insert(name.to_owned(), ours.to_vec());
        }
    }

    fn put_gradients<B: Backend>(
        &mut self,
        backend: &B,
        parameters: &Parameters,
        grads: &[Option<B::Buffer>],
    ) {
        for (tensor, grad) in parameters.tensors.iter().zip(grads) {
            let Some(grad) = grad else { continue };
            if tensor.name == ROUNDING_ONLY {
                continue;
            }
            let grad = backend.download(grad);
            self.put(&format!("grad.{}", tensor.name), &grad);
            if tensor.name == "TDDA.mlp.weight" {
                let column: Vec<f32> = grad.iter().step_by(MAP_LEN).copied().collect();
                self.put("grad.TDDA.mlp.weight.column", &column);
            }
        }
    }

    fn put_forward<B: Backend>(&mut self, tape: &Tape<'_, B>, graph: &Graph, config: &ModelConfig) {
        let whole = [
            ("act.qinit_x", graph.start),
            ("act.pos_gate", graph.gate),
            ("act.pos_x", graph.coded),
            ("out.final", graph.output),
        ];
        for (name, var) in whole {
            if let Some(var) = var {
                self.put(name, &tape.download(var));
            }
        }
        for (k, (x, sym)) in graph.stages.iter().zip(&graph.symmetric).enumerate() {
            self.put(&format!("act.stage{k}.x"), &tape.download(*x));
            self.put(&format!("act.stage{k}.sym"), &tape.download(*sym));
        }
        if let Some(stack) = graph.stack {
            let stack = channels_first(&tape.download(stack), derefnet_core::physics::WINDOW);
            self.put("act.aligned", &stack);
        }
        let item = MAP_LEN * config.channels;
        let centre = graph.centre_frames[WINDOW_INDEX];
        let feature = &tape.download(graph.features[0])[centre * item..(centre + 1) * item];
        self.put(
            "act.win9.feat_center",
            &channels_first(feature, config.channels),
        );
        for &(name, var) in &graph.pair {
            self.put_pairs(&format!("act.win9.{name}"), &tape.download(var));
        }
        if let Some(aligned) = graph.aligned {
            self.put_pairs("act.win9.conv", &tape.download(aligned));
        }
        for &(name, var) in &graph.tail {
            let map = &tape.download(var)[WINDOW_INDEX * item..(WINDOW_INDEX + 1) * item];
            self.put(
                &format!("act.win9.{name}"),
                &channels_first(map, config.channels),
            );
        }
    }

    /// Keeps as many of the window's pairs as the golden tensor holds.
    fn put_pairs(&mut self, name: &str, ours: &[f32]) {
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
        self.put(name, &channels_first(part, channels));
    }

    fn put_losses<B: Backend>(
        &mut self,
        tape: &Tape<'_, B>,
        graph: &Graph,
        losses: &Losses,
        labels: &[f32],
    ) {
        self.put_windows(tape, graph, labels);
        let scalar = |var: Var| tape.download(var)[0];
        let stages: Vec<f32> = losses.constraint.iter().map(|&v| scalar(v)).collect();
        self.put("loss.constraint_per_stage", &stages);
        let sum: f32 = stages.iter().sum();
        self.put("loss.constraint_weighted", &[0.1 * sum]);
        if let Some(align) = losses.align {
            self.put("loss.align_weighted", &[0.1 * scalar(align)]);
        }
        self.put("loss.reg", &[scalar(losses.regression)]);
        self.put("loss.total", &[scalar(losses.total)]);
    }

    /// The two terms that the released loss sums over windows.
    fn put_windows<B: Backend>(&mut self, tape: &Tape<'_, B>, graph: &Graph, labels: &[f32]) {
        let (Some(output), Some(aligned), Some(&last)) =
            (graph.output, graph.aligned, graph.stages.last())
        else {
            return;
        };
        let squares = |(a, b): (&f32, &f32)| f64::from(a - b) * f64::from(a - b);
        let [output, aligned, last] = [output, aligned, last].map(|var| tape.download(var));
        let maps = output
            .chunks_exact(MAP_LEN)
            .zip(labels.chunks_exact(MAP_LEN));
        let regression: Vec<f32> = maps
            .map(|(a, b)| (a.iter().zip(b).map(squares).sum::<f64>() / MAP_LEN as f64) as f32)
            .collect();
        self.put("loss.reg_per_window", &regression);
        let centre = |&frame: &usize| &last[frame * MAP_LEN..(frame + 1) * MAP_LEN];
        let windows = aligned.chunks_exact(4 * MAP_LEN);
        let align: Vec<f32> = windows
            .zip(graph.centre_frames.iter().map(centre))
            .map(|(maps, centre)| {
                let cells = maps.iter().zip(centre.iter().cycle());
                cells.map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() as f32
            })
            .collect();
        self.put("loss.align_per_window", &align);
    }

    fn put_activation_gradients<B: Backend>(
        &mut self,
        backend: &B,
        graph: &Graph,
        config: &ModelConfig,
        grads: &mut Gradients<B>,
    ) {
        for (k, &stage) in graph.stages.iter().enumerate().take(config.stages) {
            if let Some(grad) = grads.take(stage) {
                self.put(&format!("grad_act.stage{k}.x"), &backend.download(&grad));
            }
        }
        for &(name, var) in &graph.pair {
            if let Some(grad) = grads.take(var) {
                self.put_pairs(&format!("grad_act.win9.{name}"), &backend.download(&grad));
            }
        }
    }
}
