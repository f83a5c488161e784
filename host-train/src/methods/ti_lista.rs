//! TiLISTA: learned iterations that keep a growing support unshrunk.

use derefnet_core::physics::{FRAME_LEN, MAP_LEN};

use super::lista::THRESHOLD;
use super::loss::{Training, pairs_or_frames};
use super::net::Net;
use super::tensors::Init;
use super::{Answer, Method, Network, Published, Reference, Solution, Variant};
use crate::ops::Rule;

/// Registry entry.
pub const METHOD: Method = Method {
    name: "TiLISTA",
    key: "ti-lista",
    about: "learned iterations that keep a growing support unshrunk",
    reference: Reference {
        authors: "Liu, Chen, Wang and Yin",
        title: "ALISTA: analytic weights are as good as learned weights in LISTA",
        venue: "ICLR 2019",
    },
    published: Some(Published {
        fps: 4_716.0,
        parameters: Some("2.22 M"),
        flops: "86.97 M",
        cso_map: 13.52,
        average_precisions: [0.2, 2.1, 9.5, 22.6, 33.3],
    }),
    variants: &[
        Variant {
            name: "as-run",
            about: "a matrix per layer, loss over all pairs, as the authors' program has it",
        },
        Variant {
            name: "per-frame",
            about: "a matrix per layer, loss frame by frame",
        },
        Variant {
            name: "tied",
            about: "one matrix for all layers, as the method was published; loss frame by frame",
        },
    ],
    foreign_parameters: 0,
    solution: Solution::Network(&TiLista),
};

struct TiLista;

/// Per cent of the entries that layer `t` keeps unshrunk at most.
fn kept(t: usize) -> f32 {
    (1.2 * (t + 1) as f32).min(13.0)
}

impl Network for TiLista {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let layers = net.pick(16, 2);
        let start = net.start();
        let mut x = net.as_rows(start);
        let y = net.frames();
        let y = net.as_rows(y);
        for t in 0..layers {
            let q = Init::Sensor(|sensor| sensor.operators.qinit.clone());
            let shape = [MAP_LEN, FRAME_LEN];
            let w = if net.is("tied") {
                net.parameter("input", &shape, q)
            } else {
                net.parameter(&format!("layers.{t}.input"), &shape, q)
            };
            let seen = net.seen(x);
            let residual = net.sub(y, seen);
            x = net.within(format!("layers.{t}"), |net| {
                let theta = net.row("threshold", MAP_LEN, Init::Constant(THRESHOLD));
                let length = net.parameter("step", &[1], Init::Constant(1.0));
                let step = net.product(residual, w, None, MAP_LEN);
                let step = net.times_scalar(step, length);
                let z = net.add(x, step);
                net.shrink(z, theta, Rule::Support(kept(t) / 100.0))
            });
        }
        net.as_map(x).into()
    }

    fn training(&self, variant: &str) -> Training {
        Training::usual(pairs_or_frames(variant == "as-run"))
    }
}
