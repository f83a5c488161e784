//! LIHT: learned hard-threshold iterations with dense matrices.

use super::blocks::shrunk_rows;
use super::loss::{Training, pairs_or_frames};
use super::net::Net;
use super::tensors::Init;
use super::{Answer, Method, Network, Published, Reference, Solution, Variant};
use crate::ops::Rule;

/// Registry entry.
pub const METHOD: Method = Method {
    name: "LIHT",
    key: "liht",
    about: "learned hard-threshold iterations with dense matrices",
    reference: Reference {
        authors: "Wang, Ling and Huang",
        title: "Learning deep l0 encoders",
        venue: "AAAI 2016",
    },
    published: Some(Published {
        fps: 253.0,
        parameters: Some("21.10 M"),
        flops: "0.42 G",
        cso_map: 6.36,
        average_precisions: [0.1, 1.0, 4.3, 10.4, 16.0],
    }),
    variants: &[
        Variant {
            name: "as-run",
            about: "loss over all pairs, matrices of the state start as identities, as the authors' program has it",
        },
        Variant {
            name: "per-frame",
            about: "loss frame by frame",
        },
        Variant {
            name: "corrected",
            about: "loss frame by frame, and matrices of the state start as I - BΦ, the normal form of the method",
        },
    ],
    foreign_parameters: 0,
    solution: Solution::Network(&Liht),
};

struct Liht;

/// Thresholds at first: `√0.4`. They have no gradient; weight decay alone moves them.
const THRESHOLD: f32 = 0.632_456;

impl Network for Liht {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let state = if net.is("corrected") {
            Init::Sensor(|sensor| sensor.residual_matrix(&sensor.operators.qinit))
        } else {
            Init::Sensor(|sensor| sensor.residual_matrix(&vec![0.0; sensor.operators.qinit.len()]))
        };
        shrunk_rows(net, state, THRESHOLD, Rule::Hard)
    }

    fn training(&self, variant: &str) -> Training {
        Training::usual(pairs_or_frames(variant == "as-run"))
    }
}
