//! ISTA-Net++: unfolded steps whose lengths a small network sets.

use super::loss::{SCORED, Training};
use super::net::{Layer, Map, Net};
use super::{AS_PUBLISHED, Answer, Method, Network, Published, Reference, Solution};
use crate::backend::counting::Steps;

/// Registry entry.
pub const METHOD: Method = Method {
    name: "ISTA-Net++",
    key: "ista-net-plus-plus",
    about: "unfolded steps whose lengths a small network sets",
    reference: Reference {
        authors: "You, Xie and Zhang",
        title: "ISTA-Net++: flexible deep unfolding network for compressive sensing",
        venue: "ICME 2021",
    },
    published: Some(Published {
        fps: 1_751.0,
        parameters: Some("0.76 M"),
        flops: "16.54 G",
        cso_map: 50.50,
        average_precisions: [0.7, 10.4, 49.2, 92.8, 99.4],
    }),
    variants: AS_PUBLISHED,
    foreign_parameters: 0,
    solution: Solution::Network(&IstaNetPlusPlus),
};

struct IstaNetPlusPlus;

/// What the small network is told: the width of the point response, pixels, over 100.
const CONDITION: f32 = 0.005;

impl Network for IstaNetPlusPlus {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let (stages, channels) = (net.pick(20, 3), net.pick(32, 8));
        let condition = net.scalar(CONDITION);
        let settings = net.within("condition", |net| {
            [("1", channels), ("2", channels), ("3", 2 * stages)]
                .into_iter()
                .fold(condition, |x, (name, out)| {
                    let x = net.linear(name, x, out);
                    net.leaky(x, 0.01)
                })
        });
        let back = net.back_projection();
        let mut x = back;
        for k in 0..stages {
            let step = net.pick_value(settings, k);
            let r = net.gradient_step(x, back, step);
            let level = net.spread(settings, stages + k, r.shape);
            let change = net.within(format!("stages.{k}"), |net| denoise(net, r, level));
            x = net.add(r, change);
        }
        x.into()
    }

    fn training(&self, _: &str) -> Training {
        Training {
            weight_decay: 0.0,
            ..Training::usual(SCORED)
        }
    }

    fn steps(&self) -> Steps {
        Steps::Factors
    }
}

fn denoise(net: &mut Net<'_>, r: Map, level: Map) -> Map {
    let layer = Layer::new(net.pick(32, 8), 3);
    let both = net.concat(&[r, level]);
    let mut x = net.conv("head", both, layer);
    for block in 0..2 {
        let y = net.conv(&format!("blocks.{block}.conv1"), x, layer);
        let y = net.leaky(y, 0.1);
        let y = net.conv(&format!("blocks.{block}.conv2"), y, layer);
        x = net.add(y, x);
    }
    net.conv("tail", x, Layer::new(1, 3))
}
