//! DeRefNet's stages with other ways to bring neighbours to the middle frame (SeqCSIST Table 3).
//!
//! Parameters and multiply-adds of the published rows fit eight stages. From deformable alignment to
//! selective attention they change the tail too, so that `deformable-deep` stands between the two.
//! Which flow the published row estimates is not said: here five convolutions do, trained with the
//! rest.

use derefnet_core::physics::{MAP_LEN, WINDOW};

use super::blocks::{residuals, unfolded};
use super::deref_net::REFERENCE;
use super::loss::{DataTerm, Over, Training};
use super::net::{Layer, Map, Net, scored_frames};
use super::tensors::Init;
use super::{Answer, Method, Network, Solution, Term, Variant, ista_net, tdan};
use crate::ops::{ChannelStats, DeformSample, GroupScale, TimeCode};
use crate::tensor::Shape;

/// Registry entry.
pub const METHOD: Method = Method {
    name: "DeRefNet, alignments",
    key: "alignments",
    about: "eight unfolded stages, then neighbours aligned in one of several ways",
    reference: REFERENCE,
    published: None,
    variants: &[
        Variant {
            name: "flow",
            about: "maps warped by an estimated flow, one convolution as tail",
        },
        Variant {
            name: "deformable",
            about: "features moved by deformable convolutions as TDAN's, one convolution as tail",
        },
        Variant {
            name: "deformable-timed",
            about: "the same after the position code",
        },
        Variant {
            name: "deformable-deep",
            about: "deformable convolutions with the residual tail of DeRefNet",
        },
        Variant {
            name: "selective",
            about: "selective attention says the offsets; residual tail",
        },
        Variant {
            name: "selective-timed",
            about: "the same after the position code: DeRefNet of eight stages",
        },
    ],
    foreign_parameters: 0,
    solution: Solution::Network(&Alignments),
};

struct Alignments;

const DATA: &[DataTerm] = &[DataTerm::square(Over::Scored, 1.0, 2.0)];

/// Counts that are 1 after the stages, where layers have biases.
const UNIT: f32 = 100.0;
/// Frames per trajectory by which the position code divides.
const TIME_UNIT: f32 = 20.0;
/// Channels of the flow's hidden layers.
const FLOW: [usize; 4] = [32, 64, 32, 16];

impl Network for Alignments {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let stages = net.pick(8, 2);
        let Answer { map, mut terms, .. } = unfolded(net, stages, stages, ista_net::stage);
        // The program sums all terms but this one over windows; here all are means.
        let windows = (net.length() - (WINDOW - 1)) as f32;
        for term in &mut terms {
            (term.written, term.effective) = (0.01, 0.2 / windows);
        }
        let mut maps = net.scale(map, 1.0 / UNIT);
        if net.is("deformable-timed") || net.is("selective-timed") {
            maps = net.within("position", |net| coded(net, maps));
        }
        let centres = scored_frames(maps.shape.n, net.length());
        let aligned = align(net, maps, &centres);
        let middle = net.select(maps, centres.clone());
        terms.extend(distance(net, aligned, maps, &centres));
        let stack = stack(net, aligned, middle);
        let map = net.within("tail", |net| tail(net, stack));
        Answer {
            terms,
            ..net.scale(map, UNIT).into()
        }
    }

    fn training(&self, _: &str) -> Training {
        Training::usual(DATA)
    }

    fn sees_sequences(&self) -> bool {
        true
    }
}

/// Maps times the gates of their places in the trajectory; see [`TimeCode`].
fn coded(net: &mut Net<'_>, maps: Map) -> Map {
    let length = net.length();
    let matrix = net.parameter("weight", &[MAP_LEN, MAP_LEN], Init::Uniform);
    let bias = net.parameter("bias", &[MAP_LEN], Init::UniformOf(MAP_LEN));
    let code = TimeCode {
        times: (0..length).map(|t| t as f32 / TIME_UNIT).collect(),
        len: MAP_LEN,
    };
    let mut gates = Map {
        var: net.apply(code, &[matrix, bias]),
        ..maps
    };
    gates.shape.n = length;
    let gates = net.select(gates, (0..maps.shape.n).map(|f| f % length).collect());
    net.mul(maps, gates)
}

/// The four neighbours of every window as they would be in its middle, `(4 · windows, 33, 33, 1)`.
fn align(net: &mut Net<'_>, maps: Map, centres: &[usize]) -> Map {
    let pairs: Vec<usize> = centres.iter().flat_map(|c| [*c; 4]).collect();
    let neighbours = |c: &usize| [c - 2, c - 1, c + 1, c + 2];
    let others: Vec<usize> = centres.iter().flat_map(neighbours).collect();
    if net.is("flow") {
        let (centre, neighbour) = (net.select(maps, pairs), net.select(maps, others));
        let flow = net.within("flow", |net| flow(net, centre, neighbour));
        return warped(net, neighbour, flow);
    }
    let channels = net.pick(32, 8);
    let layer = Layer::new(channels, 3).init(Init::KaimingOut).relu();
    let features = net.conv("feature", maps, layer);
    let (centre, neighbour) = (net.select(features, pairs), net.select(features, others));
    let both = if net.is("selective") || net.is("selective-timed") {
        net.within("attention", |net| attended(net, centre, neighbour))
    } else {
        tdan::aggregate(net, centre, neighbour, 1)
    };
    tdan::moved(net, neighbour, both, 1)
}

/// Rows and columns by which what is in the centre lies elsewhere in the neighbour.
fn flow(net: &mut Net<'_>, centre: Map, neighbour: Map) -> Map {
    let mut x = net.concat(&[centre, neighbour]);
    for (k, full) in FLOW.into_iter().enumerate() {
        let channels = net.pick(full, 4);
        let layer = Layer::new(channels, 5).init(Init::Kaiming(1.0)).relu();
        x = net.conv(&k.to_string(), x, layer);
    }
    net.conv("last", x, Layer::new(2, 5).init(Init::Constant(0.0)))
}

/// `x` of one channel, read where `flow (n, 33, 33, 2)` points, bilinear.
fn warped(net: &mut Net<'_>, x: Map, flow: Map) -> Map {
    // All nine taps move alike, and the one in their middle is the warped map.
    let offsets = net.concat(&[flow; 9]);
    let op = DeformSample {
        input: x.shape,
        groups: 1,
    };
    let samples = Map {
        var: net.apply(op, &[x.var, offsets.var]),
        shape: op.output(),
    };
    let (n, h, w) = (1, 1, 1);
    let middle = [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    let middle = net.constant(Shape { n, h, w, c: 9 }, &middle);
    net.conv_by(samples, &[middle.var], Layer::new(1, 1).bare())
}

/// Features of both frames, each weighed by what the means and maxima of all say (SeqCSIST, Eq. 18–20).
fn attended(net: &mut Net<'_>, centre: Map, neighbour: Map) -> Map {
    let half = centre.shape.c / 2;
    let parts = [("centre", centre), ("neighbour", neighbour)];
    let parts = parts.map(|(name, x)| net.conv(name, x, Layer::new(half, 1)));
    let both = net.concat(&parts);
    let pixels = both.shape.n * both.shape.pixels();
    let channels = both.shape.c;
    let stats = Map {
        var: net.apply(ChannelStats { pixels, channels }, &[both.var]),
        shape: both.shape.with_channels(2),
    };
    let gates = net.conv("squeeze", stats, Layer::new(2, 3).sigmoid());
    let scale = GroupScale {
        pixels,
        channels,
        groups: 2,
    };
    let var = net.apply(scale, &[both.var, gates.var]);
    Map { var, ..both }
}

/// Mean distance of aligned neighbours from the middle map, after the position code where there is one,
/// as a term of the loss.
fn distance(net: &mut Net<'_>, aligned: Map, maps: Map, centres: &[usize]) -> Option<Term> {
    if !net.training() {
        return None;
    }
    let middle = net.select(maps, centres.iter().flat_map(|c| [*c; 4]).collect());
    let apart = net.sub(aligned, middle);
    // The program sums over neighbours and cells what the paper averages, and counts all terms twice.
    let summed = 0.2 * ((WINDOW - 1) * MAP_LEN) as f32;
    Some(Term {
        value: net.mean_magnitude(apart),
        written: 0.01 * UNIT,
        effective: summed * UNIT,
    })
}

/// Neighbours with the middle map in their midst, `(windows, 33, 33, 5)`.
fn stack(net: &mut Net<'_>, aligned: Map, middle: Map) -> Map {
    let windows = middle.shape.n;
    let mut part = |k: usize| net.select(aligned, (0..windows).map(|w| 4 * w + k).collect());
    let [a, b, c, d] = [part(0), part(1), part(2), part(3)];
    net.concat(&[a, b, middle, c, d])
}

fn tail(net: &mut Net<'_>, stack: Map) -> Map {
    let last = Layer::new(1, 3).bare();
    let is_plain = ["flow", "deformable", "deformable-timed"]
        .iter()
        .any(|name| net.is(name));
    if is_plain {
        return net.conv("last", stack, last);
    }
    let (channels, blocks) = (net.pick(32, 8), net.pick(5, 1));
    let first = Layer::new(channels, 3).init(Init::KaimingOut).relu();
    let x = net.conv("first", stack, first);
    let block = Layer::new(channels, 3).init(Init::Kaiming(0.1));
    let x = residuals(net, "blocks", blocks, x, block);
    net.conv("last", x, last)
}
