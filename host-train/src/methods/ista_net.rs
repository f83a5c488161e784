//! ISTA-Net: unfolded shrinkage with learned transforms.

use super::blocks::unfolded;
use super::loss::{DataTerm, Over, Training};
use super::net::{Layer, Map, Net};
use super::tensors::Init;
use super::{Answer, Method, Network, Published, Reference, Solution, Variant};

/// Registry entry.
pub const METHOD: Method = Method {
    name: "ISTA-Net",
    key: "ista-net",
    about: "unfolded shrinkage with learned transforms",
    reference: Reference {
        authors: "Zhang and Ghanem",
        title: "ISTA-Net: interpretable optimization-inspired deep network for image compressive sensing",
        venue: "CVPR 2018",
    },
    published: Some(Published {
        fps: 4_052.0,
        parameters: Some("0.17 M"),
        flops: "4.09 G",
        cso_map: 48.95,
        average_precisions: [0.7, 11.2, 49.7, 87.7, 95.4],
    }),
    variants: &[
        Variant {
            name: "nine-stages",
            about: "nine stages, which the published figures fit",
        },
        Variant {
            name: "eight-stages",
            about: "eight stages, as in the authors' configuration",
        },
    ],
    foreign_parameters: 0,
    solution: Solution::Network(&IstaNet),
};

struct IstaNet;

const DATA: &[DataTerm] = &[DataTerm::square(Over::Scored, 1.0, 2.0)];

/// Stages whose symmetric residuals enter the loss, however many there are.
const CONSTRAINED: usize = 8;

impl Network for IstaNet {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let full = if net.is("eight-stages") { 8 } else { 9 };
        let stages = net.pick(full, 2);
        unfolded(net, stages, CONSTRAINED, stage)
    }

    fn training(&self, _: &str) -> Training {
        Training::usual(DATA)
    }
}

/// The next map and, in training, the symmetric residual.
pub(super) fn stage(net: &mut Net<'_>, x: Map, back: Map) -> (Map, Option<Map>) {
    let channels = net.pick(32, 8);
    let layer = |out| Layer::new(out, 3).bare().init(Init::Xavier);
    let step = net.parameter("step", &[1], Init::Constant(0.5));
    let threshold = net.parameter("threshold", &[1], Init::Constant(0.01));
    let r = net.gradient_step(x, back, step);
    let z = net.conv("forward1", r, layer(channels).relu());
    let z = net.conv("forward2", z, layer(channels));
    let inverse = |net: &mut Net<'_>, s| {
        let y = net.conv("backward1", s, layer(channels).relu());
        net.conv("backward2", y, layer(1))
    };
    let s = net.soft(z, threshold);
    let next = inverse(net, s);
    let residual = net.training().then(|| {
        let back = inverse(net, z);
        net.sub(back, r)
    });
    (next, residual)
}
