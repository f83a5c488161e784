//! DeRefNet as a graph: one function for each part of the network.

use derefnet_core::locate::head::CHANNELS;
use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, MAP_LEN, MAP_SIDE, RATIO, WINDOW};

use super::graph::{Builder, Constant, Operand, Value, int};
use super::ops::{Block, Stage};
use super::proto::GraphProto;
use crate::autograd::Tape;
use crate::backend::Backend;
use crate::backend::cpu::Cpu;
use crate::model::{DeRefNet, HeadConfig, Trained};
use crate::ops::Activation;

/// Place of the evaluated frame in a window.
pub(super) const CENTRE: i64 = 2;
/// Its neighbours' places.
pub(super) const NEIGHBOURS: [i64; WINDOW - 1] = [0, 1, 3, 4];
/// Shape of one map.
pub(super) const MAP: [usize; 3] = [1, MAP_SIDE, MAP_SIDE];

/// The graph of `network`; see [`super`] for its ends.
pub(super) fn graph(network: &DeRefNet) -> GraphProto {
    let b = &mut Builder::new("derefnet");
    let parts = Parts { network };
    let about = "five consecutive frames in time order, counts; rows are x, columns y";
    let frames = b.input("frames", about, 1, &[WINDOW, FRAME_SIDE, FRAME_SIDE]);
    let scale = network.config.intensity_scale;
    let unit = b.scalar(1.0 / scale);
    let frames = b.with("Mul", "frames/units", &frames, &unit);
    let stages = b.within("stages", |b| parts.stages(b, &frames));
    let map = parts.unmix(b, &stages);
    let counts = b.scalar(scale);
    let map = b.with("Mul", "map/counts", &map, &counts);
    let map = b.reshape("map", &map, 1, &MAP[1..]);
    let about =
        "counts in cells of a third of a pixel; cell (i, j) is at ((i-1)/3, (j-1)/3) pixels";
    b.output(&map, about);
    if let Some(head) = &network.config.head {
        let answer = b.within("head", |b| parts.head(b, &frames, head));
        let sides = [FRAME_SIDE, FRAME_SIDE, RATIO, RATIO, CHANNELS];
        let answer = b.reshape("answer", &answer, 1, &sides);
        let about = "offset head, raw: pixel row and column, cell row and column, channel";
        b.output(&answer, about);
    }
    std::mem::take(b).finish()
}

/// Gates of the five times of a window alone, `(5, 33, 33)`.
fn gates(network: &DeRefNet) -> Vec<f32> {
    let cpu = Cpu::new();
    let tensors = network.parameters.tensors.iter();
    let values: Vec<_> = tensors.map(|t| cpu.upload(&t.values)).collect();
    let mut tape = Tape::new(&cpu);
    let leaves = network.leaves(&mut tape, &values, Trained::Nothing);
    let gates = network.gates(&mut tape, &leaves, WINDOW);
    tape.download(gates)
}

/// Channels `places` of `x`.
pub(super) fn take(b: &mut Builder, name: &str, x: &Value, places: &[i64]) -> Value {
    let index = b.indices(places);
    let item = [places.len(), x.item()[1], x.item()[2]];
    let (node, axis) = (("Gather", name), vec![int("axis", 1)]);
    b.node(node, &[x, &index], axis, (x.batch(), &item))
}

/// Builds the parts of a network.
struct Parts<'a> {
    network: &'a DeRefNet,
}

impl Parts<'_> {
    /// A parameter under the authors' name; `None` where the network has none.
    fn find(&self, b: &mut Builder, name: &str) -> Option<Constant> {
        let tensor = self.network.parameters.get(name)?;
        Some(b.constant(name, &tensor.shape, &tensor.values))
    }

    /// A parameter that every network has.
    fn parameter(&self, b: &mut Builder, name: &str) -> Constant {
        self.find(b, name)
            .unwrap_or_else(|| panic!("network has no parameter {name}"))
    }

    /// The layer of weights `layer` as node `name`.
    fn conv(
        &self,
        b: &mut Builder,
        (name, layer): (&str, &str),
        x: &Value,
        activation: Activation,
    ) -> Value {
        let weight = self.parameter(b, &format!("{layer}.weight"));
        let bias = self.find(b, &format!("{layer}.bias"));
        b.conv2d(name, x, (&weight, bias.as_ref()), activation)
    }

    /// Last stages' maps of `frames (N, 5, 11, 11)`, `(5 N, 1, 33, 33)`.
    fn stages(&self, b: &mut Builder, frames: &Value) -> Value {
        let (mut h, back) = (self.start(b, frames), self.back(b, frames));
        let gram = &self.network.operators.gram;
        let gram = b.constant("AtA", &[MAP_SIDE, MAP_SIDE], gram);
        for k in 0..self.network.config.stages {
            let mut part = |name: &str| self.parameter(b, &format!("fcs.{k}.{name}"));
            let stage = Stage {
                rho: part("lambda_step"),
                gram: gram.clone(),
                forward: [part("conv1_forward"), part("conv2_forward")],
                theta: part("soft_thr"),
                backward: [part("conv1_backward"), part("conv2_backward")],
            };
            h = b.within(&k.to_string(), |b| b.stage((&h, &back), &stage));
        }
        h
    }

    /// `Q_init L`.
    fn start(&self, b: &mut Builder, frames: &Value) -> Value {
        let qinit = &self.network.operators.qinit;
        let qinit = b.constant("qinit", &[MAP_LEN, FRAME_LEN], qinit);
        let rows = b.reshape("frames/rows", frames, WINDOW, &[FRAME_LEN]);
        let inputs: [&dyn Operand; 2] = [&rows, &qinit];
        let transposed = vec![int("transB", 1)];
        let start = ("Gemm", "start/rows");
        let start = b.node(start, &inputs, transposed, (WINDOW, &[MAP_LEN]));
        b.reshape("start", &start, WINDOW, &MAP)
    }

    /// `ΦᵀL = Aᵀ L A`.
    fn back(&self, b: &mut Builder, frames: &Value) -> Value {
        let response = &self.network.operators.response;
        let (rows, columns) = (FRAME_SIDE, MAP_SIDE);
        let across = b.constant("A", &[rows, columns], response);
        let transposed = (0..columns).flat_map(|j| (0..rows).map(move |i| i * columns + j));
        let transposed: Vec<f32> = transposed.map(|at| response[at]).collect();
        let down = b.constant("A_transposed", &[columns, rows], &transposed);
        let maps = b.reshape("frames/maps", frames, WINDOW, &[1, rows, rows]);
        let half = (WINDOW, &[1, rows, columns][..]);
        let half = b.node(("MatMul", "back/L_A"), &[&maps, &across], Vec::new(), half);
        b.node(
            ("MatMul", "back"),
            &[&down, &half],
            Vec::new(),
            (WINDOW, &MAP),
        )
    }

    /// Everything after the stages: maps `(N, 1, 33, 33)` in units of the network.
    fn unmix(&self, b: &mut Builder, stages: &Value) -> Value {
        let (coded, centre) = b.within("position", |b| {
            let maps = b.reshape("window", stages, 1, &[WINDOW, MAP_SIDE, MAP_SIDE]);
            let sides = [WINDOW, MAP_SIDE, MAP_SIDE];
            let gates = b.constant("TDDA.mlp.gates", &sides, &gates(self.network));
            let coded = b.time_code(&maps, &gates);
            let centre = take(b, "centre", &coded, &[CENTRE]);
            (coded, centre)
        });
        let aligned = b.within("align", |b| self.align(b, &coded, &centre));
        b.within("tail", |b| {
            let before = take(b, "before", &aligned, &[0, 1]);
            let after = take(b, "after", &aligned, &[2, 3]);
            let stack = b.concat("stack", &[&before, &centre, &after]);
            self.tail(b, &stack)
        })
    }

    /// The four neighbours aligned to the centre, `(N, 4, 33, 33)`.
    fn align(&self, b: &mut Builder, coded: &Value, centre: &Value) -> Value {
        let pairs = NEIGHBOURS.len();
        let neighbours = take(b, "neighbours", coded, &NEIGHBOURS);
        let neighbours = b.reshape("pairs", &neighbours, pairs, &MAP);
        let (layer, relu) = ("TDDA.feat_extract.0.conv", Activation::Relu);
        let centre = self.conv(b, ("centre_features", layer), centre, relu);
        let reference = self.conv(b, ("features", layer), &neighbours, relu);
        let guide = b.within("attention", |b| self.attend(b, &centre, &reference));
        let first = self.deform(b, "1", (&reference, &guide));
        let second = self.deform(b, "2", (&first, &first));
        let maps = self.conv(b, ("conv", "TDDA.conv"), &second, Activation::None);
        b.reshape("aligned", &maps, 1, &[pairs, MAP_SIDE, MAP_SIDE])
    }

    /// Selective attention over features of the centre `(N, c, …)` and the neighbours `(4 N, c, …)`.
    fn attend(&self, b: &mut Builder, centre: &Value, reference: &Value) -> Value {
        let layer = |name| (name, format!("TDDA.feat_aggregate.{name}"));
        let mut half = |(name, layer): (&str, String), x: &Value| {
            self.conv(b, (name, &layer), x, Activation::None)
        };
        let own = half(layer("conv0_s"), centre);
        let other = half(layer("conv1_s"), reference);
        let repeated = b.concat("repeated", &[&own; NEIGHBOURS.len()]);
        let own = b.reshape("centre", &repeated, reference.batch(), other.item());
        let joined = b.concat("joined", &[&own, &other]);
        let statistics = b.channel_stats(&joined);
        let (name, squeeze) = layer("conv_squeeze");
        let gate = self.conv(b, (name, &squeeze), &statistics, Activation::Sigmoid);
        b.group_scale(&joined, &gate)
    }

    /// The deformable convolution `k` of `x`, whose offsets `guide` gives.
    fn deform(&self, b: &mut Builder, k: &str, (x, guide): (&Value, &Value)) -> Value {
        let layer = format!("TDDA.align_{k}");
        let offsets = (format!("offsets_{k}"), format!("{layer}.conv_offset"));
        let names = (offsets.0.as_str(), offsets.1.as_str());
        let offsets = self.conv(b, names, guide, Activation::None);
        let weight = self.parameter(b, &format!("{layer}.weight"));
        b.deform_conv2d(&format!("deform_{k}"), x, &offsets, &weight)
    }

    fn tail(&self, b: &mut Builder, stack: &Value) -> Value {
        let first = ("input", "TDDA.tail_conv.0.conv");
        let x = self.conv(b, first, stack, Activation::Relu);
        let count = self.network.config.residual_blocks;
        let x = self.blocks(b, x, count, "TDDA.tail_conv.1");
        self.conv(b, ("output", "TDDA.tail_conv.2"), &x, Activation::None)
    }

    /// `count` residual blocks with the weights below `layer`.
    fn blocks(&self, b: &mut Builder, x: Value, count: usize, layer: &str) -> Value {
        (0..count).fold(x, |x, k| {
            let mut part = |name: &str| self.parameter(b, &format!("{layer}.{k}.{name}"));
            let block = Block {
                weights: [part("conv1.weight"), part("conv2.weight")],
                biases: [part("conv1.bias"), part("conv2.bias")],
            };
            b.within(&format!("blocks/{k}"), |b| b.residual_block(&x, &block))
        })
    }

    /// Answers of the offset head, `(N, 11, 11, 63)`.
    fn head(&self, b: &mut Builder, frames: &Value, head: &HeadConfig) -> Value {
        let x = self.conv(b, ("input", "head.input"), frames, Activation::Relu);
        let x = self.blocks(b, x, head.blocks, "head.blocks");
        let answer = self.conv(b, ("output", "head.output"), &x, Activation::None);
        b.transpose("channels_last", &answer, &[0, 2, 3, 1])
    }
}
