//! Everything after the stages: position code, alignment, tail.

use derefnet_core::physics::{MAP_LEN, WINDOW};

use super::graph::Graph;
use super::layout::{CENTRE, Layout};
use super::network::{Builder, maps};
use crate::autograd::Var;
use crate::backend::Backend;
use crate::ops::{
    Activation, Add, ChannelStats, Concat, Conv2d, DeformConv2d, GroupScale, Mul, PerItem,
};
use crate::tensor::Shape;

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
    /// Everything after the stages.
    pub(super) fn unmix(&mut self, graph: &mut Graph, h: Var, gate: Var, layout: Layout) {
        let n = self.tape.len_of(h) / MAP_LEN;
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
        graph.coded = Some(coded);
        graph.features = vec![centre, reference];
        graph.centres = layout.window_centre;
        graph.centre_frames = layout.centre_frames;
        graph.aligned = Some(aligned);
        graph.stack = Some(stack);
        graph.output = Some(output);
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

    /// The residual block `layer` of `x`.
    pub(super) fn residual_block(&mut self, x: Var, shape: Shape, layer: &str) -> Var {
        let parts = ["conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"];
        let mut inputs = vec![x];
        inputs.extend(parts.map(|part| self.parameter(&format!("{layer}.{part}"))));
        self.tape.apply(residual_block(shape), &inputs)
    }

    fn tail(&mut self, graph: &mut Graph, stack: Var, windows: usize) -> Var {
        let input = maps(windows, WINDOW);
        let (mut x, shape) = self.conv(stack, input, "TDDA.tail_conv.0.conv", Activation::Relu);
        graph.tail.push(("tail_in_conv", x));
        for block in 0..self.net.config.residual_blocks {
            x = self.residual_block(x, shape, &format!("TDDA.tail_conv.1.{block}"));
        }
        graph.tail.push(("tail_res", x));
        self.conv(x, shape, "TDDA.tail_conv.2", Activation::None).0
    }
}
