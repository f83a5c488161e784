//! FISTA-Net: one shared block, unfolded with learned momentum.

use super::loss::{DataTerm, Measure, Over, Training};
use super::net::{Layer, Map, Net};
use super::tensors::Init;
use super::{AS_PUBLISHED, Answer, Method, Network, Published, Reference, Solution, Term};
use crate::autograd::Var;
use crate::ops::{Function, WeightedSum};

/// Registry entry.
pub const METHOD: Method = Method {
    name: "FISTA-Net",
    key: "fista-net",
    about: "one shared block, unfolded with learned momentum",
    reference: Reference {
        authors: "Xiang, Dong and Yang",
        title: "FISTA-Net: learning a fast iterative shrinkage thresholding network for inverse problems in imaging",
        venue: "TMI 2021",
    },
    published: Some(Published {
        fps: 4_052.0,
        parameters: Some("74.60 K"),
        flops: "6.02 G",
        cso_map: 50.61,
        average_precisions: [1.0, 12.6, 51.4, 90.7, 97.3],
    }),
    variants: AS_PUBLISHED,
    foreign_parameters: 0,
    solution: Solution::Network(&FistaNet),
};

struct FistaNet;

const DATA: &[DataTerm] = &[
    DataTerm::square(Over::Scored, 1.0, 2.0),
    DataTerm {
        measure: Measure::Absolute,
        over: Over::Scored,
        weights: [0.1, 0.2],
    },
];

/// Stages of the published network.
const STAGES: usize = 7;

/// A schedule `softplus(slope · k + offset)`.
#[derive(Clone, Copy)]
struct Schedule {
    slope: Var,
    offset: Var,
}

impl Schedule {
    fn new(net: &mut Net<'_>, name: &str, slope: f32, offset: f32) -> Self {
        net.within(name, |net| Self {
            slope: net.parameter("slope", &[1], Init::Constant(slope)),
            offset: net.parameter("offset", &[1], Init::Constant(offset)),
        })
    }

    fn at(self, net: &mut Net<'_>, k: usize) -> Map {
        let weights = vec![k as f32, 1.0];
        let var = net.apply(WeightedSum { weights }, &[self.slope, self.offset]);
        let one = net.scalar(0.0);
        net.map(Map { var, ..one }, Function::Softplus)
    }

    /// `(s(k) - s(0)) / s(k)`.
    fn share(self, net: &mut Net<'_>, k: usize) -> Map {
        let (here, first) = (self.at(net, k), self.at(net, 0));
        let rise = net.sub(here, first);
        let inverse = net.map(here, Function::Reciprocal(0.0));
        net.mul(rise, inverse)
    }
}

/// What a stage leaves.
struct Stage {
    map: Map,
    /// Features after the threshold, and the symmetric residual where training follows.
    terms: Option<(Map, Map)>,
}

impl Network for FistaNet {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let stages = net.pick(STAGES, 3);
        let threshold = Schedule::new(net, "threshold", -0.5, -2.0);
        let step = Schedule::new(net, "step", -0.2, 0.1);
        let momentum = Schedule::new(net, "momentum", 0.5, 0.0);
        let start = net.start();
        let back = net.back_projection();
        let (mut u, mut before) = (start, start);
        let mut terms = Vec::new();
        for k in 0..stages {
            let mu = step.at(net, k).var;
            let r = net.gradient_step(u, back, mu);
            let theta = threshold.at(net, k).var;
            let stage = net.within("block", |net| block(net, r, theta));
            if let Some((features, residual)) = stage.terms {
                terms.push(Term {
                    value: net.mean_square(residual, None),
                    written: 0.01,
                    effective: 1.01,
                });
                terms.push(Term {
                    value: net.mean_magnitude(features),
                    written: 0.001,
                    effective: 0.001,
                });
            }
            // The last answer is no start of another stage.
            if k + 1 < stages {
                let rho = momentum.share(net, k).var;
                let moved = net.sub(stage.map, before);
                let ahead = net.times_scalar(moved, rho);
                u = net.add(stage.map, ahead);
            }
            before = stage.map;
        }
        let layer = [net.pick(32, 8); 2];
        for k in 0..4 {
            let shape = [layer[0], layer[1], 3, 3];
            net.unused(&format!("block.unused{k}.weight"), &shape, Init::Xavier);
            let zero = Init::Constant(0.0);
            net.unused(&format!("block.unused{k}.bias"), &layer[..1], zero);
        }
        Answer {
            terms,
            ..before.into()
        }
    }

    fn training(&self, _: &str) -> Training {
        Training::usual(DATA)
    }
}

fn block(net: &mut Net<'_>, r: Map, theta: Var) -> Stage {
    let channels = net.pick(32, 8);
    let layer = |out| Layer::new(out, 3).init(Init::Xavier);
    let d = net.conv("spread", r, layer(channels));
    let z = net.conv("forward1", d, layer(channels).relu());
    let z = net.conv("forward2", z, layer(channels));
    let inverse = |net: &mut Net<'_>, s| {
        let y = net.conv("backward1", s, layer(channels).relu());
        net.conv("backward2", y, layer(channels))
    };
    let features = net.soft(z, theta);
    let g = inverse(net, features);
    let g = net.conv("collect", g, layer(1));
    let sum = net.add(r, g);
    let map = net.relu(sum);
    let terms = net.training().then(|| {
        let back = inverse(net, z);
        (features, net.sub(back, d))
    });
    Stage { map, terms }
}
