//! The network as operators on a tape.

use derefnet_core::physics::{FRAME_LEN, MAP_LEN, MAP_SIDE, WINDOW};

use super::config::ModelConfig;
use super::graph::Graph;
use super::layout::{CENTRE, Layout};
use super::parameters::Parameters;
use super::physics::Operators;
use crate::autograd::{Tape, Var};
use crate::backend::Backend;
use crate::ops::{
    Activation, Add, ChannelStats, Concat, Conv2d, DataStep, DeformConv2d, Gather, GroupScale, Mul,
    PerItem, SoftThreshold, Sub, TimeCode,
};
use crate::tensor::Shape;

/// Frames per trajectory by which the position code divides.
const TIME_UNIT: f32 = 20.0;

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
struct Builder<'t, 'a, B: Backend> {
    net: &'t DeRefNet,
    tape: &'t mut Tape<'a, B>,
    parameters: &'t [Var],
}

fn maps(n: usize, c: usize) -> Shape {
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

/// `x + conv(relu(conv(x)))`: inputs `x` and kernel and bias of both convolutions.
fn residual_block(shape: Shape) -> PerItem {
    let mut graph = PerItem::new("residual_block", shape.n);
    let conv = |activation| Conv2d {
        input: Shape { n: 1, ..shape },
        out_channels: shape.c,
        kernel: 3,
        bias: true,
        activation,
    };
    let (first, second) = (conv(Activation::Relu), conv(Activation::None));
    let x = graph.item(shape.item());
    let [w1, b1, w2, b2] =
        [first.weights(), shape.c, second.weights(), shape.c].map(|len| graph.shared(len));
    let y = graph.apply(first, &[x, w1, b1]);
    let y = graph.apply(second, &[y, w2, b2]);
    let sum = graph.apply(Add { len: shape.item() }, &[x, y]);
    graph.output(sum);
    graph
}

impl<B: Backend> Builder<'_, '_, B> {
    fn parameter(&self, name: &str) -> Var {
        let at = self
            .net
            .parameters
            .tensors
            .iter()
            .position(|t| t.name == name);
        self.parameters[at.unwrap_or_else(|| panic!("network has no parameter {name}"))]
    }

    fn conv(&mut self, x: Var, input: Shape, name: &str, activation: Activation) -> (Var, Shape) {
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

    fn gather(&mut self, x: Var, sources: usize, item: usize, index: &[usize]) -> Var {
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

    /// Multiplies frames' maps by the gates of their times.
    fn code(
        &mut self,
        h: Var,
        frames: usize,
        gate: Var,
        times: usize,
        pairs: &[(usize, usize)],
    ) -> Var {
        let frame: Vec<usize> = pairs.iter().map(|p| p.0).collect();
        let time: Vec<usize> = pairs.iter().map(|p| p.1).collect();
        let h = self.gather(h, frames, MAP_LEN, &frame);
        let gate = self.gather(gate, times, MAP_LEN, &time);
        self.tape.apply(
            Mul {
                len: pairs.len() * MAP_LEN,
            },
            &[h, gate],
        )
    }

    /// Selective attention and the two deformable convolutions of all pairs.
    fn align(
        &mut self,
        graph: &mut Graph,
        centre: (Var, usize, &[usize]),
        neighbour: (Var, usize, &[usize]),
    ) -> Var {
        let c = self.net.config.channels;
        let pairs = centre.2.len();
        let pixels = pairs * MAP_LEN;
        let item = MAP_LEN * c;
        let mut half = |(x, n, index): (Var, usize, &[usize]), layer: &str| {
            let (a, shape) = self.conv(x, maps(n, c), layer, Activation::None);
            self.gather(a, n, shape.item(), index)
        };
        let a = half(centre, "TDDA.feat_aggregate.conv0_s");
        let b = half(neighbour, "TDDA.feat_aggregate.conv1_s");
        let joined = self.tape.apply(
            Concat {
                pixels,
                channels: vec![c / 2; 2],
            },
            &[a, b],
        );
        let stats = self.tape.apply(
            ChannelStats {
                pixels,
                channels: c,
            },
            &[joined],
        );
        let (gate, _) = self.conv(
            stats,
            maps(pairs, 2),
            "TDDA.feat_aggregate.conv_squeeze",
            Activation::Sigmoid,
        );
        let scale = GroupScale {
            pixels,
            channels: c,
            groups: 2,
        };
        let aggregate = self.tape.apply(scale, &[joined, gate]);
        let reference = self.gather(neighbour.0, neighbour.1, item, neighbour.2);
        let mut deform = |x: Var, guide: Var, layer: &str| {
            let offset = format!("{layer}.conv_offset");
            let (offsets, _) = self.conv(guide, maps(pairs, c), &offset, Activation::None);
            let weight = self.parameter(&format!("{layer}.weight"));
            let op = DeformConv2d {
                input: maps(pairs, c),
                out_channels: c,
            };
            (self.tape.apply(op, &[x, offsets, weight]), offsets)
        };
        let (first, offsets1) = deform(reference, aggregate, "TDDA.align_1");
        let (second, offsets2) = deform(first, first, "TDDA.align_2");
        graph.pair = vec![
            ("feat_ref", reference),
            ("feat_agg", aggregate),
            ("offset1", offsets1),
            ("align1", first),
            ("offset2", offsets2),
            ("align2", second),
        ];
        self.conv(second, maps(pairs, c), "TDDA.conv", Activation::None)
            .0
    }

    fn tail(&mut self, graph: &mut Graph, stack: Var, windows: usize) -> Var {
        let input = maps(windows, WINDOW);
        let (mut x, shape) = self.conv(stack, input, "TDDA.tail_conv.0.conv", Activation::Relu);
        graph.tail.push(("tail_in_conv", x));
        for block in 0..self.net.config.residual_blocks {
            let layer = format!("TDDA.tail_conv.1.{block}");
            let parts = ["conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"];
            let mut inputs = vec![x];
            inputs.extend(parts.map(|part| self.parameter(&format!("{layer}.{part}"))));
            x = self.tape.apply(residual_block(shape), &inputs);
        }
        graph.tail.push(("tail_res", x));
        self.conv(x, shape, "TDDA.tail_conv.2", Activation::None).0
    }
}

impl DeRefNet {
    /// Puts the parameters on the tape, in their order.
    pub fn leaves<'a, B: Backend>(
        tape: &mut Tape<'a, B>,
        values: &'a [B::Buffer],
        train: bool,
    ) -> Vec<Var> {
        values.iter().map(|v| tape.leaf(v, train)).collect()
    }

    /// Records the forward pass of `frames` for all windows of all trajectories.
    ///
    /// `symmetric` adds the branch that only the constraint loss needs.
    pub fn forward<B: Backend>(
        &self,
        backend: &B,
        tape: &mut Tape<'_, B>,
        parameters: &[Var],
        frames: &Frames,
        symmetric: bool,
    ) -> Graph {
        let scale = 1.0 / self.config.intensity_scale;
        let counts: Vec<f32> = frames.counts.iter().map(|c| c * scale).collect();
        let n = counts.len() / FRAME_LEN;
        let start = tape.constant(backend.upload(&self.operators.start_maps(&counts)));
        let back = tape.constant(backend.upload(&self.operators.back_project(&counts)));
        let gram = tape.constant(backend.upload(&self.operators.gram));
        let mut builder = Builder {
            net: self,
            tape,
            parameters,
        };
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
        builder.unmix(&mut graph, h, frames);
        graph
    }
}

impl<B: Backend> Builder<'_, '_, B> {
    /// Everything after the stages.
    fn unmix(&mut self, graph: &mut Graph, h: Var, frames: &Frames) {
        let (trajectories, length) = (frames.trajectories(), frames.length);
        let n = trajectories * length;
        let layout = Layout::new(self.net.config.time, trajectories, length);
        let times = (0..layout.times).map(|t| t as f32 / TIME_UNIT).collect();
        let (weight, bias) = (
            self.parameter("TDDA.mlp.weight"),
            self.parameter("TDDA.mlp.bias"),
        );
        let gate = self.tape.apply(
            TimeCode {
                times,
                len: MAP_LEN,
            },
            &[weight, bias],
        );
        let coded = self.code(h, n, gate, layout.times, &layout.centres);
        let coded_neighbours = if layout.shared {
            coded
        } else {
            self.code(h, n, gate, layout.times, &layout.neighbours)
        };
        let mut feature = |x: Var, n: usize| {
            self.conv(x, maps(n, 1), "TDDA.feat_extract.0.conv", Activation::Relu)
                .0
        };
        let (centres, neighbours) = (layout.centres.len(), layout.neighbours.len());
        let centre = feature(coded, centres);
        let reference = if layout.shared {
            centre
        } else {
            feature(coded_neighbours, neighbours)
        };
        let aligned = self.align(
            graph,
            (centre, centres, &layout.pair_centre),
            (reference, neighbours, &layout.pair_neighbour),
        );
        let windows = layout.window_centre.len();
        let slots: Vec<Var> = (0..WINDOW)
            .map(|slot| {
                if slot == CENTRE {
                    return self.gather(coded, centres, MAP_LEN, &layout.window_centre);
                }
                let place = slot - usize::from(slot > CENTRE);
                let index: Vec<usize> = (0..windows).map(|w| 4 * w + place).collect();
                self.gather(aligned, 4 * windows, MAP_LEN, &index)
            })
            .collect();
        let pixels = windows * MAP_LEN;
        let stack = self.tape.apply(
            Concat {
                pixels,
                channels: vec![1; WINDOW],
            },
            &slots,
        );
        let output = self.tail(graph, stack, windows);
        graph.gate = Some(gate);
        graph.coded = Some(coded);
        graph.features = vec![centre, reference];
        graph.centres = layout.window_centre;
        graph.centre_frames = layout.centre_frames;
        graph.aligned = Some(aligned);
        graph.stack = Some(stack);
        graph.output = Some(output);
    }
}
