//! GMFN: residual dense blocks that feed features of all depths back.

use super::dbpn::BY;
use super::loss::{SCORED, Training};
use super::net::{Layer, Map, Net};
use super::tensors::Init;
use super::{Answer, Method, Network, Published, Reference, Solution, Variant};
use crate::ops::Interpolation;

/// Registry entry.
pub const METHOD: Method = Method {
    name: "GMFN",
    key: "gmfn",
    about: "residual dense blocks that feed features of all depths back",
    reference: Reference {
        authors: "Li et al.",
        title: "Gated multiple feedback network for image super-resolution",
        venue: "BMVC 2019",
    },
    published: Some(Published {
        fps: 855.0,
        parameters: Some("2.80 M"),
        flops: "27.53 G",
        cso_map: 50.94,
        average_precisions: [0.7, 11.9, 51.2, 92.1, 98.8],
    }),
    variants: &[
        Variant {
            name: "as-run",
            about: "the first recursion alone, which is what the authors' program trains and scores; its feedback never runs",
        },
        Variant {
            name: "as-published",
            about: "four recursions, the loss averaged over them, the last one scored",
        },
    ],
    foreign_parameters: 0,
    solution: Solution::Network(&Gmfn),
};

struct Gmfn;

const RECURSIONS: usize = 4;

impl Network for Gmfn {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let (wide, channels) = (net.pick(128, 16), net.pick(32, 4));
        let blocks = net.pick(8, 2);
        let frames = net.frames();
        let skip = net.resize(frames, 33, Interpolation::Bilinear);
        let x = net.conv("head1", frames, Layer::new(wide, 3));
        let x = net.prelu("head1", x);
        let x = net.conv("head2", x, Layer::new(channels, 1));
        let first = net.prelu("head2", x);
        let recursions = if net.is("as-run") { 1 } else { RECURSIONS };
        let mut kept: Option<Map> = None;
        let mut outputs = Vec::new();
        for _ in 0..recursions {
            let mut x = first;
            let mut features = Vec::new();
            for k in 0..blocks {
                if let Some(kept) = kept {
                    x = feed_back(net, kept, x);
                }
                x = net.within(format!("blocks.{k}"), |net| block(net, x));
                features.push(x);
            }
            kept = Some(net.concat(&features));
            let map = reconstruct(net, x);
            outputs.push(net.add(map, skip));
        }
        if recursions == 1 {
            declare_feedback(net, channels, blocks);
        }
        let last = outputs.pop().unwrap_or(skip);
        Answer {
            earlier: outputs,
            ..last.into()
        }
    }

    fn training(&self, _: &str) -> Training {
        Training {
            weight_decay: 0.0,
            ..Training::usual(SCORED)
        }
    }
}

/// A residual dense block; a fifth of it is added to its input.
fn block(net: &mut Net<'_>, x: Map) -> Map {
    let (channels, layers) = (x.shape.c, net.pick(8, 2));
    let mut all = x;
    for k in 0..layers {
        let name = format!("layers.{k}");
        let y = net.conv(&name, all, Layer::new(channels, 3));
        let y = net.prelu(&name, y);
        all = net.concat(&[all, y]);
    }
    let y = net.conv("fusion", all, Layer::new(channels, 1));
    let y = net.scale(y, 0.2);
    net.add(y, x)
}

/// What the blocks of the recursion before found, gated, and `x`.
fn feed_back(net: &mut Net<'_>, kept: Map, x: Map) -> Map {
    let layer = Layer::new(x.shape.c, 1);
    let gate = net.conv("gate1", kept, layer);
    let gate = net.prelu("gate1", gate);
    let both = net.concat(&[gate, x]);
    let x = net.conv("gate2", both, layer);
    net.prelu("gate2", x)
}

/// The tensors of [`feed_back`], where it does not run.
fn declare_feedback(net: &mut Net<'_>, channels: usize, blocks: usize) {
    for (name, inputs) in [("gate1", blocks * channels), ("gate2", 2 * channels)] {
        net.within(name, |net| {
            net.unused("weight", &[channels, inputs, 1, 1], Init::Uniform);
            net.unused("bias", &[channels], Init::UniformOf(inputs));
            net.unused("slope", &[1], Init::Constant(0.2));
        });
    }
}

fn reconstruct(net: &mut Net<'_>, x: Map) -> Map {
    let x = net.transposed("up", x, Layer::new(x.shape.c, BY.kernel), BY);
    let x = net.prelu("up", x);
    net.conv("last", x, Layer::new(1, 3))
}
