//! TDAN: neighbouring frames aligned by deformable convolutions.

use super::blocks::residuals;
use super::loss::{DataTerm, Over, Training};
use super::net::{Layer, Map, Net, scored_frames};
use super::tensors::Init;
use super::{Answer, Method, Network, Published, Reference, Solution, Term, Variant};
use crate::ops::SquaredError;

/// Registry entry.
pub const METHOD: Method = Method {
    name: "TDAN",
    key: "tdan",
    about: "neighbouring frames aligned by deformable convolutions",
    reference: Reference {
        authors: "Tian et al.",
        title: "TDAN: temporally-deformable alignment network for video super-resolution",
        venue: "CVPR 2020",
    },
    published: Some(Published {
        fps: 259.0,
        parameters: Some("0.59 M"),
        flops: "2.18 G",
        cso_map: 47.96,
        average_precisions: [0.5, 8.6, 43.8, 89.3, 97.5],
    }),
    variants: &[
        Variant {
            name: "as-run",
            about: "frame 11 of the trajectory stands amid every window, as in the authors' program",
        },
        Variant {
            name: "own-frame",
            about: "each window's own middle frame stands there",
        },
    ],
    foreign_parameters: 0,
    solution: Solution::Network(&Tdan),
};

struct Tdan;

const DATA: &[DataTerm] = &[DataTerm::square(Over::SumOfScored, 1.0, 2.0)];

/// Sets of offsets of a deformable convolution.
const GROUPS: usize = 8;

impl Network for Tdan {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let channels = net.pick(32, 8);
        let [few, many] = [net.pick(5, 1), net.pick(10, 1)];
        let block = Layer::new(channels, 3).init(Init::Kaiming(0.1));
        let wide = Layer::new(channels, 3).init(Init::KaimingOut);
        let frames = net.frames();
        let x = net.conv("feature.first", frames, wide.relu());
        let features = residuals(net, "feature.blocks", few, x, block);
        let centres = scored_frames(frames.shape.n, net.length());
        let stack = stack(net, frames, features, &centres);
        let terms = alignment(net, stack, frames, &centres);
        let x = net.conv("tail.first", stack, wide.relu());
        let x = residuals(net, "tail.blocks", many, x, block);
        let up = Layer::new(9 * channels, 3).init(Init::Kaiming(1.0));
        let x = net.conv("tail.up", x, up);
        let x = net.shuffle(x, 3);
        let map = net.conv("tail.last", x, Layer::new(1, 3).bare());
        Answer {
            terms,
            ..map.into()
        }
    }

    fn training(&self, _: &str) -> Training {
        Training::usual(DATA)
    }

    fn sees_sequences(&self) -> bool {
        true
    }
}

/// Neighbours aligned to the middle frame, with it in their midst, `(windows, 11, 11, 5)`.
fn stack(net: &mut Net<'_>, frames: Map, features: Map, centres: &[usize]) -> Map {
    let neighbours = |c: &usize| [c - 2, c - 1, c + 1, c + 2];
    let pairs = centres.iter().flat_map(|c| [*c; 4]).collect();
    let centre = net.select(features, pairs);
    let neighbour = net.select(features, centres.iter().flat_map(neighbours).collect());
    let aligned = align(net, centre, neighbour);
    let length = net.length();
    let middle = if net.is("as-run") {
        centres
            .iter()
            .map(|c| c / length * length + length / 2)
            .collect()
    } else {
        centres.to_vec()
    };
    let middle = net.select(frames, middle);
    let mut part = |k: usize| net.select(aligned, (0..centres.len()).map(|w| 4 * w + k).collect());
    let [a, b, c, d] = [part(0), part(1), part(2), part(3)];
    net.concat(&[a, b, middle, c, d])
}

/// Frames `(pairs, 11, 11, 1)` from the features of neighbours, moved to where the centre's are.
fn align(net: &mut Net<'_>, centre: Map, neighbour: Map) -> Map {
    let both = aggregate(net, centre, neighbour, GROUPS);
    moved(net, neighbour, both, GROUPS)
}

/// What features of a centre and a neighbour say together, with as many channels as each.
pub(super) fn aggregate(net: &mut Net<'_>, centre: Map, neighbour: Map, groups: usize) -> Map {
    let channels = centre.shape.c;
    let both = net.concat(&[centre, neighbour]);
    let x = net.conv("aggregate.first", both, Layer::new(channels, 3));
    let x = deform(net, "aggregate.second", x, x, groups);
    deform(net, "aggregate.third", x, x, groups)
}

/// Images of features that are moved by offsets, the first of which come from `by`.
pub(super) fn moved(net: &mut Net<'_>, features: Map, by: Map, groups: usize) -> Map {
    let x = deform(net, "align1", features, by, groups);
    let x = deform(net, "align2", x, x, groups);
    net.conv("to_image", x, Layer::new(1, 3))
}

/// A deformable convolution of `x` by `groups` sets of offsets from `by`.
fn deform(net: &mut Net<'_>, name: &str, x: Map, by: Map, groups: usize) -> Map {
    net.within(name, |net| {
        let layer = Layer::new(18 * groups, 3).init(Init::Constant(0.0));
        let offsets = net.conv("offsets", by, layer);
        net.deformable(x, offsets, groups, x.shape.c)
    })
}

/// Mean squared distance of the stacked frames from each window's middle one, summed over windows.
fn alignment(net: &mut Net<'_>, stack: Map, frames: Map, centres: &[usize]) -> Vec<Term> {
    if !net.training() {
        return Vec::new();
    }
    let own = net.select(frames, centres.to_vec());
    let own = net.concat(&[own; 5]);
    let len = stack.shape.len();
    let windows = net.length() - 4;
    let scale = windows as f32 / len as f32;
    let value = net.apply(SquaredError { len, scale }, &[stack.var, own.var]);
    vec![Term {
        value,
        written: 0.01,
        effective: 0.02,
    }]
}
