//! The network as operators on a tape.

use derefnet_core::physics::{FRAME_LEN, MAP_LEN, MAP_SIDE, WINDOW};

use super::config::ModelConfig;
use super::graph::Graph;
use super::layout::Layout;
use super::parameters::{Parameter, Parameters};
use super::physics::Operators;
use crate::autograd::{Tape, Var};
use crate::backend::Backend;
use crate::ops::{Activation, Conv2d, DataStep, Gather, PerItem, SoftThreshold, Sub, TimeCode};
use crate::tensor::Shape;

/// Frames per trajectory by which the position code divides.
const TIME_UNIT: f32 = 20.0;

/// Largest value of a dead stage, in units of the intensity scale.
const DEAD: f32 = 1e-6;

/// A batch of trajectories of equal length.
#[derive(Clone, Debug)]
pub struct Frames {
    /// Counts, `(trajectories, length, 121)`.
    pub counts: Vec<f32>,
    /// Frames per trajectory, at least 5.
    pub length: usize,
}

impl Frames {
    /// Trajectories in the batch.
    pub fn trajectories(&self) -> usize {
        self.counts.len() / (self.length * FRAME_LEN)
    }

    /// Windows per trajectory.
    pub fn windows(&self) -> usize {
        self.length + 1 - WINDOW
    }
}

/// Which parameters have gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trained {
    /// None.
    Nothing,
    /// Those of the network up to its map.
    Map,
    /// Those of the offset head.
    Head,
}

impl Trained {
    fn covers(self, name: &str) -> bool {
        let is_head = name.starts_with("head.");
        match self {
            Self::Nothing => false,
            Self::Map => !is_head,
            Self::Head => is_head,
        }
    }
}

/// A network: sizes, constant operators and parameters.
#[derive(Clone, Debug)]
pub struct DeRefNet {
    /// Sizes and conventions.
    pub config: ModelConfig,
    /// Constant operators.
    pub operators: Operators,
    /// Trainable tensors.
    pub parameters: Parameters,
}

/// Builds the graph: knows the tape and the parameters by name.
pub(super) struct Builder<'t, 'a, B: Backend> {
    pub(super) net: &'t DeRefNet,
    pub(super) tape: &'t mut Tape<'a, B>,
    parameters: &'t [Var],
}

pub(super) fn maps(n: usize, c: usize) -> Shape {
    Shape {
        n,
        h: MAP_SIDE,
        w: MAP_SIDE,
        c,
    }
}

/// Parameters of a stage after its step length, in the order of [`stage`]'s inputs.
const STAGE_PARTS: [&str; 5] = [
    "conv1_forward",
    "conv2_forward",
    "soft_thr",
    "conv1_backward",
    "conv2_backward",
];

/// An unfolded stage of `n` maps (Eq. 8 and 15): inputs `H`, `ΦᵀL`, `ρ`, `AᵀA` and those of
/// [`STAGE_PARTS`]; outputs `(n, 1089)`: the next `H` and, where `symmetric`, `G̃(F(R)) - R`.
fn stage(channels: usize, n: usize, symmetric: bool) -> PerItem {
    let mut graph = PerItem::new("stage", n);
    let (h, back) = (graph.item(MAP_LEN), graph.item(MAP_LEN));
    let (rho, gram) = (graph.shared(1), graph.shared(MAP_LEN));
    let conv = |from, to, activation| Conv2d {
        input: maps(1, from),
        out_channels: to,
        kernel: 3,
        bias: false,
        activation,
    };
    let layers = [
        conv(1, channels, Activation::Relu),
        conv(channels, channels, Activation::None),
        conv(channels, channels, Activation::Relu),
        conv(channels, 1, Activation::None),
    ];
    let [f1, f2] = [0, 1].map(|k| graph.shared(layers[k].weights()));
    let theta = graph.shared(1);
    let [g1, g2] = [2, 3].map(|k| graph.shared(layers[k].weights()));
    let r = graph.apply(
        DataStep {
            n: 1,
            side: MAP_SIDE,
        },
        &[h, back, rho, gram],
    );
    let f = graph.apply(layers[0], &[r, f1]);
    let f = graph.apply(layers[1], &[f, f2]);
    let len = maps(1, channels).len();
    let s = graph.apply(SoftThreshold { len }, &[f, theta]);
    let inverse = |graph: &mut PerItem, x| {
        let g = graph.apply(layers[2], &[x, g1]);
        graph.apply(layers[3], &[g, g2])
    };
    let out = inverse(&mut graph, s);
    graph.output(out);
    if symmetric {
        let back = inverse(&mut graph, f);
        let residual = graph.apply(Sub { len: MAP_LEN }, &[back, r]);
        graph.output(residual);
    }
    graph
}

impl<B: Backend> Builder<'_, '_, B> {
    pub(super) fn parameter(&self, name: &str) -> Var {
        let at = self
            .net
            .parameters
            .tensors
            .iter()
            .position(|t| t.name == name);
        self.parameters[at.unwrap_or_else(|| panic!("network has no parameter {name}"))]
    }

    pub(super) fn conv(
        &mut self,
        x: Var,
        input: Shape,
        name: &str,
        activation: Activation,
    ) -> (Var, Shape) {
        let tensors = &self.net.parameters;
        // Stage kernels are bare tensors, all others are layers with a weight and maybe a bias.
        let weight = if tensors.get(name).is_some() {
            name.to_owned()
        } else {
            format!("{name}.weight")
        };
        let bias = format!("{name}.bias");
        let has_bias = tensors.get(&bias).is_some();
        let shape = tensors.get(&weight).map_or(&[][..], |t| &t.shape);
        let op = Conv2d {
            input,
            out_channels: shape[0],
            kernel: shape[2],
            bias: has_bias,
            activation,
        };
        let mut inputs = vec![x, self.parameter(&weight)];
        if has_bias {
            inputs.push(self.parameter(&bias));
        }
        (self.tape.apply(op, &inputs), op.output())
    }

    /// One unfolded stage: its output and, if asked for, its symmetric residual.
    fn stage(
        &mut self,
        k: usize,
        h: Var,
        back: Var,
        gram: Var,
        n: usize,
        symmetric: bool,
    ) -> (Var, Option<Var>) {
        let graph = stage(self.net.config.channels, n, symmetric);
        let mut inputs = vec![
            h,
            back,
            self.parameter(&format!("fcs.{k}.lambda_step")),
            gram,
        ];
        for part in STAGE_PARTS {
            inputs.push(self.parameter(&format!("fcs.{k}.{part}")));
        }
        let both = self.tape.apply(graph, &inputs);
        if !symmetric {
            return (both, None);
        }
        let mut half = |index| self.gather(both, 2, n * MAP_LEN, &[index]);
        (half(0), Some(half(1)))
    }

    pub(super) fn gather(&mut self, x: Var, sources: usize, item: usize, index: &[usize]) -> Var {
        if index.len() == sources && index.iter().enumerate().all(|(i, &s)| i == s) {
            return x;
        }
        self.tape.apply(
            Gather {
                index: index.to_vec(),
                sources,
                item,
            },
            &[x],
        )
    }
}

impl DeRefNet {
    /// Puts the parameters, whose values are `values`, on the tape, in their order.
    pub fn leaves<'a, B: Backend>(
        &self,
        tape: &mut Tape<'a, B>,
        values: &'a [B::Buffer],
        trained: Trained,
    ) -> Vec<Var> {
        let named = self.parameters.tensors.iter().zip(values);
        let leaf = |(t, v): (&Parameter, &'a B::Buffer)| tape.leaf(v, trained.covers(&t.name));
        named.map(leaf).collect()
    }

    /// Records the forward pass of `frames` for all windows of all trajectories.
    ///
    /// `symmetric` adds the branch that only the constraint loss needs.
    pub fn forward<B: Backend>(
        &self,
        tape: &mut Tape<'_, B>,
        parameters: &[Var],
        frames: &Frames,
        symmetric: bool,
    ) -> Graph {
        let mut graph = self.unfold(tape, parameters, &frames.counts, symmetric);
        self.unmix(tape, parameters, &mut graph, frames.length);
        graph
    }

    /// Records the stages alone, each frame for itself, of `counts (frames, 121)`.
    ///
    /// `symmetric` adds the branch that only the constraint loss needs.
    pub fn unfold<B: Backend>(
        &self,
        tape: &mut Tape<'_, B>,
        parameters: &[Var],
        counts: &[f32],
        symmetric: bool,
    ) -> Graph {
        let scale = 1.0 / self.config.intensity_scale;
        let counts: Vec<f32> = counts.iter().map(|c| c * scale).collect();
        let n = counts.len() / FRAME_LEN;
        let start = tape.constant(&self.operators.start_maps(&counts));
        let back = tape.constant(&self.operators.back_project(&counts));
        let gram = tape.constant(&self.operators.gram);
        let mut builder = self.builder(tape, parameters);
        let mut graph = Graph {
            unit: self.config.intensity_scale,
            start: Some(start),
            ..Graph::default()
        };
        let mut h = start;
        for k in 0..self.config.stages {
            let (out, residual) = builder.stage(k, h, back, gram, n, symmetric);
            graph.stages.push(out);
            graph.symmetric.extend(residual);
            h = out;
        }
        graph
    }

    /// Stages, from 0, whose output is nowhere above a millionth on `counts (frames, 121)`: their
    /// ReLUs died in training, and nothing of the stages before reaches the answer.
    pub fn dead_stages<B: Backend>(&self, backend: &B, counts: &[f32]) -> Vec<usize> {
        let tensors = self.parameters.tensors.iter();
        let values: Vec<B::Buffer> = tensors.map(|t| backend.upload(&t.values)).collect();
        let mut tape = Tape::new(backend);
        let leaves = self.leaves(&mut tape, &values, Trained::Nothing);
        let graph = self.unfold(&mut tape, &leaves, counts, false);
        let is_dead = |&stage: &Var| tape.download(stage).iter().all(|v| v.abs() < DEAD);
        let stages = graph.stages.iter().enumerate();
        let dead = stages.filter(|(_, stage)| is_dead(stage));
        dead.map(|(k, _)| k).collect()
    }

    /// Records the gates of the position code, `(times, 1089)`, for trajectories of `length`
    /// frames. They depend on no frame: who unmixes often computes them once.
    pub fn gates<B: Backend>(
        &self,
        tape: &mut Tape<'_, B>,
        parameters: &[Var],
        length: usize,
    ) -> Var {
        let times = self.config.time.times(length);
        let builder = self.builder(tape, parameters);
        let weight = builder.parameter("TDDA.mlp.weight");
        let bias = builder.parameter("TDDA.mlp.bias");
        let times = (0..times).map(|t| t as f32 / TIME_UNIT).collect();
        let len = MAP_LEN;
        tape.apply(TimeCode { times, len }, &[weight, bias])
    }

    /// Records everything after the stages: maps of all windows of trajectories of `length`
    /// frames, at least 5.
    ///
    /// Takes the last of `graph.stages`, `(trajectories × length, 1089)`, and the gates
    /// `graph.gate` if they are there already.
    ///
    /// # Panics
    /// If `graph` has no stage.
    pub fn unmix<B: Backend>(
        &self,
        tape: &mut Tape<'_, B>,
        parameters: &[Var],
        graph: &mut Graph,
        length: usize,
    ) {
        let h = *graph.stages.last().expect("unmixing starts from a stage");
        let gate = graph
            .gate
            .unwrap_or_else(|| self.gates(tape, parameters, length));
        graph.gate = Some(gate);
        let trajectories = tape.len_of(h) / (length * MAP_LEN);
        let layout = Layout::new(self.config.time, trajectories, length);
        self.builder(tape, parameters).unmix(graph, h, gate, layout);
    }

    pub(super) fn builder<'t, 'a, B: Backend>(
        &'t self,
        tape: &'t mut Tape<'a, B>,
        parameters: &'t [Var],
    ) -> Builder<'t, 'a, B> {
        Builder {
            net: self,
            tape,
            parameters,
        }
    }
}

#[cfg(all(test, feature = "cuda"))]
mod tests {
    use super::*;

    /// Without the branch that only the loss needs, a GPU runs a stage as one kernel.
    #[test]
    fn stages_are_known_to_the_gpu() {
        for channels in [16, 32] {
            assert!(stage(channels, 3, false).is_stage());
            assert!(!stage(channels, 3, true).is_stage());
        }
    }
}
