//! DNANet: five levels, each joined with its neighbours again and again.

use super::detectors::{SIDE, blocks, channels, cropped, down, input, to_side, training};
use super::loss::{DataTerm, Training};
use super::net::{Layer, Map, Net};
use super::tensors::Init;
use super::{AS_PUBLISHED, Answer, Answers, Method, Network, Reference, Solution};
use crate::ops::Overlap;

/// Registry entry.
pub const METHOD: Method = Method {
    name: "DNANet",
    key: "dna-net",
    about: "marks pixels: five levels, densely joined with the next finer and coarser ones",
    reference: Reference {
        authors: "Li et al.",
        title: "Dense nested attention network for infrared small target detection",
        venue: "TIP 2023",
    },
    published: None,
    variants: AS_PUBLISHED,
    foreign_parameters: 0,
    solution: Solution::Network(&DnaNet),
};

struct DnaNet;

const DATA: &[DataTerm] = &[DataTerm::overlap(Overlap::Soft)];

/// Levels.
const LEVELS: usize = 5;

/// Xavier kernels, biases as usual.
const INIT: Init = Init::Xavier;

impl Network for DnaNet {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let training = net.training();
        let rows = net.within("nodes", nodes);
        let fused = net.within("fused", |net| fused(net, &rows));
        let mut answer = |level: usize, x: Map| {
            let layer = Layer::new(1, 1).init(INIT).uniform_bias();
            let logits = net.conv(&format!("heads.{level}"), x, layer);
            cropped(net, logits)
        };
        let map = answer(LEVELS - 1, fused);
        let mut earlier = Vec::new();
        // Only training asks what the finest level makes of fewer coarse ones.
        if training {
            earlier.extend((1..LEVELS - 1).map(|k| answer(k, rows[0][k])));
        }
        Answer {
            earlier,
            ..map.into()
        }
    }

    fn training(&self, _: &str) -> Training {
        training(DATA)
    }

    fn answers(&self) -> Answers {
        Answers::Masks
    }
}

/// Nodes of every level. One sees those before it on its level, the next coarser level, and, after the
/// first, the next finer one.
fn nodes(net: &mut Net<'_>) -> Vec<Vec<Map>> {
    let widths = channels(net);
    let mut rows: Vec<Vec<Map>> = vec![Vec::new(); LEVELS];
    for reach in 0..LEVELS {
        for level in (0..=reach).rev() {
            let column = reach - level;
            let seen = if column > 0 {
                joined(net, &rows, level)
            } else if level > 0 {
                down(net, rows[level - 1][0])
            } else {
                input(net)
            };
            let size = (widths[level], if level == 0 { 1 } else { 2 });
            let node = blocks(net, &format!("{level}.{column}"), seen, size, INIT);
            rows[level].push(node);
        }
    }
    rows
}

/// What the next node of `level` sees.
fn joined(net: &mut Net<'_>, rows: &[Vec<Map>], level: usize) -> Map {
    let column = rows[level].len();
    let side = rows[level][0].shape.h;
    let mut parts = rows[level].clone();
    parts.push(to_side(net, rows[level + 1][column - 1], side));
    if level > 0 {
        parts.push(to_side(net, rows[level - 1][column], side));
    }
    net.concat(&parts)
}

/// The last nodes of all levels in one.
fn fused(net: &mut Net<'_>, rows: &[Vec<Map>]) -> Map {
    let width = rows[0][0].shape.c;
    let layer = Layer::new(width, 1).init(INIT).uniform_bias();
    let mut parts = Vec::new();
    for level in (1..LEVELS).rev() {
        let last = rows[level][LEVELS - 1 - level];
        let x = net.conv(&format!("level{level}"), last, layer);
        parts.push(to_side(net, x, SIDE));
    }
    parts.push(rows[0][LEVELS - 1]);
    let all = net.concat(&parts);
    blocks(net, "node", all, (width, 1), INIT)
}
