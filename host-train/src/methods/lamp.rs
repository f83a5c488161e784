//! LAMP: learned approximate message passing.

use derefnet_core::physics::{FRAME_LEN, MAP_LEN};

use super::loss::{Training, pairs_or_frames};
use super::net::{Map, Net};
use super::sensor::{LIPSCHITZ, Sensor};
use super::tensors::Init;
use super::{Answer, Method, Network, Published, Reference, Solution, Variant};
use crate::ops::{RowCount, RowRms, Rule};
use crate::tensor::Shape;

/// Registry entry. The table's unit is a slip: its 86.97 are millions.
pub const METHOD: Method = Method {
    name: "LAMP",
    key: "lamp",
    about: "learned approximate message passing",
    reference: Reference {
        authors: "Borgerding, Schniter and Rangan",
        title: "AMP-inspired deep networks for sparse linear inverse problems",
        venue: "TSP 2017",
    },
    published: Some(Published {
        fps: 7_172.0,
        parameters: Some("2.13 M"),
        flops: "86.97 G",
        cso_map: 9.09,
        average_precisions: [0.1, 1.5, 6.5, 15.0, 22.3],
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
    solution: Solution::Network(&Lamp),
};

struct Lamp;

/// `Φᵀ / L`.
fn matrix(sensor: &Sensor) -> Vec<f32> {
    let transposed = sensor.transposed_phi();
    transposed.iter().map(|v| v / LIPSCHITZ as f32).collect()
}

/// One value per row.
fn column(net: &mut Net<'_>, rows: usize, op: impl Into<crate::ops::Op>, x: Map) -> Map {
    let (h, w, c) = (1, 1, 1);
    Map {
        var: net.apply(op, &[x.var]),
        shape: Shape { n: rows, h, w, c },
    }
}

impl Network for Lamp {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let layers = net.pick(16, 2);
        let start = net.start();
        let mut x = net.as_rows(start);
        let y = net.frames();
        let y = net.as_rows(y);
        let rows = x.shape.n;
        let mut before: Option<Map> = None;
        for k in 0..layers {
            let seen = net.seen(x);
            let mut v = net.sub(y, seen);
            if let Some(before) = before {
                // N/M times the share of entries that are not zero.
                let count = RowCount {
                    rows,
                    len: MAP_LEN,
                    scale: 1.0 / FRAME_LEN as f32,
                };
                let share = column(net, rows, count, x);
                let onsager = net.times_rows(before, share);
                v = net.add(v, onsager);
            }
            let len = FRAME_LEN;
            let noise = column(net, rows, RowRms { rows, len }, v);
            x = net.within(format!("layers.{k}"), |net| {
                let b = net.parameter("input", &[MAP_LEN, FRAME_LEN], Init::Sensor(matrix));
                let factors = net.parameter("threshold", &[MAP_LEN], Init::Constant(0.4));
                let theta = net.product(noise, factors, None, MAP_LEN);
                let step = net.product(v, b, None, MAP_LEN);
                let sum = net.add(x, step);
                net.shrink(sum, theta, Rule::Soft)
            });
            before = Some(v);
        }
        net.as_map(x).into()
    }

    fn training(&self, variant: &str) -> Training {
        Training::usual(pairs_or_frames(variant == "as-run"))
    }
}
