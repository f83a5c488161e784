//! LISTA: learned soft-threshold iterations with dense matrices.

use super::blocks::shrunk_rows;
use super::loss::{Training, pairs_or_frames};
use super::net::Net;
use super::tensors::Init;
use super::{Answer, Method, Network, Published, Reference, Solution, Variant};
use crate::ops::Rule;

/// Registry entry.
pub const METHOD: Method = Method {
    name: "LISTA",
    key: "lista",
    about: "learned soft-threshold iterations with dense matrices",
    reference: Reference {
        authors: "Gregor and LeCun",
        title: "Learning fast approximations of sparse coding",
        venue: "ICML 2010",
    },
    published: Some(Published {
        fps: 490.0,
        parameters: Some("21.10 M"),
        flops: "0.42 G",
        cso_map: 9.39,
        average_precisions: [0.1, 1.7, 6.9, 15.4, 22.7],
    }),
    variants: &[
        Variant {
            name: "as-run",
            about: "loss over all pairs of an answer and a label map, as the authors' program has it",
        },
        Variant {
            name: "per-frame",
            about: "loss frame by frame",
        },
    ],
    foreign_parameters: 0,
    solution: Solution::Network(&Lista),
};

struct Lista;

/// Thresholds at first: `0.4 / (1.001 L)`.
pub(super) const THRESHOLD: f32 = 0.046_537_8;

impl Network for Lista {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let state = Init::Sensor(|sensor| sensor.residual_matrix(&sensor.operators.qinit));
        shrunk_rows(net, state, THRESHOLD, Rule::Soft)
    }

    fn training(&self, variant: &str) -> Training {
        Training::usual(pairs_or_frames(variant == "as-run"))
    }
}
