//! The forward pass with every tensor that a quantised network rounds.
//!
//! The same operators as training, none of them fused, so that what lies between them can be seen.

use derefnet_core::net::Tensor;
use derefnet_core::physics::{FRAME_LEN, MAP_LEN, MAP_SIDE, WINDOW};

use super::layout::{CENTRE, Layout};
use super::network::{Builder, Frames, maps};
use crate::autograd::{Tape, Var};
use crate::backend::Backend;
use crate::model::{DeRefNet, TimeConvention, Trained};
use crate::ops::{
    Activation, Add, ChannelStats, Concat, DataStep, DeformConv2d, GroupScale, Mul, SoftThreshold,
};
use crate::tensor::Shape;

/// What was seen of some windows.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Tensors, each once. Those of single frames hold the
    /// windows' five frames, window by window; those of the four neighbours come apart, one tensor
    /// for each time, as do the coded maps.
    pub tensors: Vec<(Tensor, Vec<f32>)>,
    /// Joined halves of all pairs: what the gates weigh.
    pub joined: Vec<f32>,
}

/// Takes tensors off the tape.
struct Eye<'e, 't, 'a, B: Backend> {
    builder: Builder<'t, 'a, B>,
    seen: &'e mut Observed,
}

impl DeRefNet {
    /// Passes `windows (n, 5, 121)` counts through the network and keeps every tensor.
    ///
    /// # Panics
    /// If the position code does not count within the window.
    pub fn observe<B: Backend>(&self, backend: &B, windows: &[f32]) -> Observed {
        assert_eq!(self.config.time, TimeConvention::Window);
        let values = self.parameters.tensors.iter();
        let values: Vec<B::Buffer> = values.map(|t| backend.upload(&t.values)).collect();
        let mut seen = Observed::default();
        let mut tape = Tape::new(backend);
        let leaves = self.leaves(&mut tape, &values, Trained::Nothing);
        let frames = Frames {
            counts: windows.to_vec(),
            length: WINDOW,
        };
        let gate = self.gates(&mut tape, &leaves, WINDOW);
        let head = self.config.head.clone();
        let mut eye = Eye {
            builder: self.builder(&mut tape, &leaves),
            seen: &mut seen,
        };
        let stages = eye.unfold(windows);
        eye.align(stages, gate, &frames);
        if let Some(head) = head {
            eye.head(&frames, head.blocks);
        }
        seen
    }
}

impl<B: Backend> Eye<'_, '_, '_, B> {
    fn keep(&mut self, tensor: Tensor, var: Var) {
        let values = self.builder.tape.download(var);
        self.seen.tensors.push((tensor, values));
    }

    /// Keeps the values of each neighbour apart: items are `(windows, 4 neighbours)`.
    fn keep_pairs(&mut self, tensor: fn(u8) -> Tensor, var: Var) {
        let values = self.builder.tape.download(var);
        let windows = self.seen.tensors[0].1.len() / (WINDOW * MAP_LEN);
        let item = values.len() / (4 * windows);
        for (place, time) in [0, 1, 3, 4].into_iter().enumerate() {
            let items = values.chunks_exact(item).skip(place).step_by(4);
            self.seen
                .tensors
                .push((tensor(time), items.flatten().copied().collect()));
        }
    }

    fn conv(&mut self, x: Var, input: Shape, name: &str, activation: Activation) -> Var {
        self.builder.conv(x, input, name, activation).0
    }

    /// Outputs of the last stage for all frames.
    fn unfold(&mut self, counts: &[f32]) -> Var {
        let net = self.builder.net;
        let (c, n) = (net.config.channels, counts.len() / FRAME_LEN);
        let scaled: Vec<f32> = counts
            .iter()
            .map(|x| x / net.config.intensity_scale)
            .collect();
        let start = net.operators.start_maps(&scaled);
        let back = net.operators.back_project(&scaled);
        let mut h = self.builder.tape.constant(&start);
        let back = self.builder.tape.constant(&back);
        let gram = self.builder.tape.constant(&net.operators.gram);
        self.keep(Tensor::Start, h);
        self.keep(Tensor::Back, back);
        for k in 0..net.config.stages {
            let stage = u8::try_from(k).unwrap_or(u8::MAX);
            let rho = self.builder.parameter(&format!("fcs.{k}.lambda_step"));
            let theta = self.builder.parameter(&format!("fcs.{k}.soft_thr"));
            let step = DataStep { n, side: MAP_SIDE };
            let r = self.builder.tape.apply(step, &[h, back, rho, gram]);
            self.keep(Tensor::Step(stage), r);
            let name = |part: &str| format!("fcs.{k}.{part}");
            let a = self.conv(r, maps(n, 1), &name("conv1_forward"), Activation::Relu);
            self.keep(Tensor::Hidden(stage, 0), a);
            let b = self.conv(a, maps(n, c), &name("conv2_forward"), Activation::None);
            let len = maps(n, c).len();
            let b = self.builder.tape.apply(SoftThreshold { len }, &[b, theta]);
            self.keep(Tensor::Hidden(stage, 1), b);
            let a = self.conv(b, maps(n, c), &name("conv1_backward"), Activation::Relu);
            self.keep(Tensor::Hidden(stage, 2), a);
            h = self.conv(a, maps(n, c), &name("conv2_backward"), Activation::None);
            self.keep(Tensor::Stage(stage), h);
        }
        h
    }

    /// Everything after the stages, up to the map.
    fn align(&mut self, stages: Var, gate: Var, frames: &Frames) {
        let layout = Layout::new(TimeConvention::Window, frames.trajectories(), WINDOW);
        let (windows, c) = (layout.centres.len(), self.builder.net.config.channels);
        let (h, n) = (stages, windows * WINDOW);
        let centre = self.code(h, n, gate, &layout.centres);
        let neighbours = self.code(h, n, gate, &layout.neighbours);
        self.keep(Tensor::Coded(CENTRE as u8), centre);
        self.keep_pairs(Tensor::Coded, neighbours);
        let layer = "TDDA.feat_extract.0.conv";
        let (pairs, relu) = (4 * windows, Activation::Relu);
        let centre_feature = self.conv(centre, maps(windows, 1), layer, relu);
        let reference = self.conv(neighbours, maps(pairs, 1), layer, relu);
        self.keep_pairs(Tensor::Feature, reference);
        let aggregate = self.attend((centre_feature, windows), (reference, pairs), &layout);
        self.keep_pairs(Tensor::Aggregate, aggregate);
        let guide = (aggregate, pairs);
        let first = self.deform(reference, guide, "TDDA.align_1", |t| Tensor::Offsets(t, 0));
        self.keep_pairs(|time| Tensor::Deformed(time, 0), first);
        let guide = (first, pairs);
        let second = self.deform(first, guide, "TDDA.align_2", |t| Tensor::Offsets(t, 1));
        self.keep_pairs(|time| Tensor::Deformed(time, 1), second);
        let aligned = self.conv(second, maps(pairs, c), "TDDA.conv", Activation::None);
        let stack = self.stack(centre, aligned, windows);
        self.keep(Tensor::Stack, stack);
        let input = maps(windows, WINDOW);
        let mut x = self.conv(stack, input, "TDDA.tail_conv.0.conv", relu);
        self.keep(Tensor::Tail, x);
        for block in 0..self.builder.net.config.residual_blocks {
            let layer = format!("TDDA.tail_conv.1.{block}");
            x = self.block(x, maps(windows, c), &layer, Tensor::Block, block);
        }
        let map = self.conv(x, maps(windows, c), "TDDA.tail_conv.2", Activation::None);
        self.keep(Tensor::Map, map);
    }

    fn code(&mut self, h: Var, frames: usize, gate: Var, pairs: &[(usize, usize)]) -> Var {
        let frame: Vec<usize> = pairs.iter().map(|p| p.0).collect();
        let time: Vec<usize> = pairs.iter().map(|p| p.1).collect();
        let h = self.builder.gather(h, frames, MAP_LEN, &frame);
        let gate = self.builder.gather(gate, WINDOW, MAP_LEN, &time);
        let len = pairs.len() * MAP_LEN;
        self.builder.tape.apply(Mul { len }, &[h, gate])
    }

    fn attend(&mut self, centre: (Var, usize), reference: (Var, usize), layout: &Layout) -> Var {
        let c = self.builder.net.config.channels;
        let pairs = layout.pair_centre.len();
        let pixels = pairs * MAP_LEN;
        let half = |eye: &mut Self, (x, n): (Var, usize), name: &str, index: &[usize]| {
            let layer = format!("TDDA.feat_aggregate.{name}");
            let a = eye.conv(x, maps(n, c), &layer, Activation::None);
            eye.builder.gather(a, n, MAP_LEN * c / 2, index)
        };
        let a = half(self, centre, "conv0_s", &layout.pair_centre);
        let b = half(self, reference, "conv1_s", &layout.pair_neighbour);
        let channels = vec![c / 2; 2];
        let concat = Concat { pixels, channels };
        let joined = self.builder.tape.apply(concat, &[a, b]);
        self.seen.joined = self.builder.tape.download(joined);
        let channels = c;
        let stats = ChannelStats { pixels, channels };
        let stats = self.builder.tape.apply(stats, &[joined]);
        let layer = "TDDA.feat_aggregate.conv_squeeze";
        let gate = self.conv(stats, maps(pairs, 2), layer, Activation::Sigmoid);
        let scale = GroupScale {
            pixels,
            channels,
            groups: 2,
        };
        self.builder.tape.apply(scale, &[joined, gate])
    }

    fn deform(
        &mut self,
        x: Var,
        (guide, pairs): (Var, usize),
        layer: &str,
        tensor: fn(u8) -> Tensor,
    ) -> Var {
        let c = self.builder.net.config.channels;
        let offset = format!("{layer}.conv_offset");
        let offsets = self.conv(guide, maps(pairs, c), &offset, Activation::None);
        self.keep_pairs(tensor, offsets);
        let weight = self.builder.parameter(&format!("{layer}.weight"));
        let op = DeformConv2d {
            input: maps(pairs, c),
            out_channels: c,
        };
        self.builder.tape.apply(op, &[x, offsets, weight])
    }

    /// The five maps of each window as channels.
    fn stack(&mut self, centre: Var, aligned: Var, windows: usize) -> Var {
        let slot = |eye: &mut Self, slot: usize| {
            if slot == CENTRE {
                return centre;
            }
            let place = slot - usize::from(slot > CENTRE);
            let index: Vec<usize> = (0..windows).map(|w| 4 * w + place).collect();
            eye.builder.gather(aligned, 4 * windows, MAP_LEN, &index)
        };
        let slots: Vec<Var> = (0..WINDOW).map(|s| slot(self, s)).collect();
        let concat = Concat {
            pixels: windows * MAP_LEN,
            channels: vec![1; WINDOW],
        };
        self.builder.tape.apply(concat, &slots)
    }

    /// A residual block, whose inner map and output are kept.
    fn block(
        &mut self,
        x: Var,
        shape: Shape,
        layer: &str,
        tensor: fn(u8, u8) -> Tensor,
        block: usize,
    ) -> Var {
        let block = u8::try_from(block).unwrap_or(u8::MAX);
        let inner = self.conv(x, shape, &format!("{layer}.conv1"), Activation::Relu);
        self.keep(tensor(block, 0), inner);
        let more = self.conv(inner, shape, &format!("{layer}.conv2"), Activation::None);
        let sum = self
            .builder
            .tape
            .apply(Add { len: shape.len() }, &[x, more]);
        self.keep(tensor(block, 1), sum);
        sum
    }

    fn head(&mut self, frames: &Frames, blocks: usize) {
        let scale = 1.0 / self.builder.net.config.intensity_scale;
        let windows = super::head::windows(frames, scale);
        let x = self.builder.tape.constant(&windows);
        let input = super::head::input_shape(frames.trajectories());
        let (mut x, shape) = self.builder.conv(x, input, "head.input", Activation::Relu);
        self.keep(Tensor::HeadInput, x);
        for block in 0..blocks {
            let layer = format!("head.blocks.{block}");
            x = self.block(x, shape, &layer, Tensor::HeadBlock, block);
        }
        let answer = self.conv(x, shape, "head.output", Activation::None);
        self.keep(Tensor::HeadAnswer, answer);
    }
}
