//! ISTA-Net+: unfolded shrinkage of what the map lacks.

use super::blocks::unfolded;
use super::loss::{DataTerm, Over, Training};
use super::net::{Layer, Map, Net};
use super::tensors::Init;
use super::{AS_PUBLISHED, Answer, Method, Network, Published, Reference, Solution};

/// Registry entry.
pub const METHOD: Method = Method {
    name: "ISTA-Net+",
    key: "ista-net-plus",
    about: "unfolded shrinkage of what the map lacks",
    reference: Reference {
        authors: "Zhang and Ghanem",
        title: "ISTA-Net: interpretable optimization-inspired deep network for image compressive sensing",
        venue: "CVPR 2018",
    },
    published: Some(Published {
        fps: 5_504.0,
        parameters: Some("0.38 M"),
        flops: "7.70 G",
        cso_map: 51.02,
        average_precisions: [1.0, 13.7, 52.7, 90.4, 93.7],
    }),
    variants: AS_PUBLISHED,
    foreign_parameters: 0,
    solution: Solution::Network(&IstaNetPlus),
};

struct IstaNetPlus;

const DATA: &[DataTerm] = &[DataTerm::square(Over::Scored, 1.0, 2.0)];

impl Network for IstaNetPlus {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let stages = net.pick(9, 2);
        unfolded(net, stages, stages, stage)
    }

    fn training(&self, _: &str) -> Training {
        Training::usual(DATA)
    }
}

/// The next map and, in training, the symmetric residual, both of as many channels as theirs.
fn stage(net: &mut Net<'_>, x: Map, back: Map) -> (Map, Option<Map>) {
    let channels = net.pick(32, 8);
    let layer = |out| Layer::new(out, 3).bare().init(Init::Xavier);
    let step = net.parameter("step", &[1], Init::Constant(0.5));
    let threshold = net.parameter("threshold", &[1], Init::Constant(0.01));
    let r = net.gradient_step(x, back, step);
    let d = net.conv("spread", r, layer(channels));
    let z = net.conv("forward1", d, layer(channels).relu());
    let z = net.conv("forward2", z, layer(channels));
    let inverse = |net: &mut Net<'_>, s| {
        let y = net.conv("backward1", s, layer(channels).relu());
        net.conv("backward2", y, layer(channels))
    };
    let s = net.soft(z, threshold);
    let g = inverse(net, s);
    let g = net.conv("collect", g, layer(1));
    let next = net.add(r, g);
    let residual = net.training().then(|| {
        let back = inverse(net, z);
        net.sub(back, d)
    });
    (next, residual)
}
