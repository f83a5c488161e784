//! MSHNet: a U-Net whose every scale answers, all of them fused.

use super::detectors::{SIDE, blocks, channels, cropped, down, input, to_side, training};
use super::loss::{DataTerm, Training};
use super::net::{Layer, Map, Net};
use super::tensors::Init;
use super::{Answer, Answers, Method, Network, Reference, Solution, Variant};
use crate::ops::Overlap;

/// Registry entry.
pub const METHOD: Method = Method {
    name: "MSHNet",
    key: "msh-net",
    about: "marks pixels: a U-Net whose four scales answer, and one answer of all",
    reference: Reference {
        authors: "Liu et al.",
        title: "Infrared small target detection with scale and location sensitivity",
        venue: "CVPR 2024",
    },
    published: None,
    variants: &[Variant {
        name: "no-warm-up",
        about: "all scales and the whole loss from the first step, where the authors train the finest \
                scale alone by plain overlap for 5 of 400 epochs",
    }],
    foreign_parameters: 0,
    solution: Solution::Network(&MshNet),
};

struct MshNet;

const DATA: &[DataTerm] = &[DataTerm::overlap(Overlap::Sensitive)];

/// Kernels as layers begin by default.
const INIT: Init = Init::Uniform;

/// Blocks of each level, from fine to coarse.
const DEPTHS: [usize; 5] = [1, 2, 2, 2, 2];

impl Network for MshNet {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let scales = decoded(net);
        let mut sides = Vec::new();
        for (level, &x) in scales.iter().enumerate() {
            sides.push(net.conv(&format!("outputs.{level}"), x, Layer::new(1, 1)));
        }
        let mut parts = vec![sides[0]];
        for &side in &sides[1..] {
            parts.push(to_side(net, side, SIDE));
        }
        let all = net.concat(&parts);
        let logits = net.conv("final", all, Layer::new(1, 3));
        Answer {
            earlier: sides,
            ..cropped(net, logits).into()
        }
    }

    fn training(&self, _: &str) -> Training {
        training(DATA)
    }

    fn answers(&self) -> Answers {
        Answers::Masks
    }
}

/// Features of the four finer levels, from fine to coarse.
fn decoded(net: &mut Net<'_>) -> Vec<Map> {
    let widths = channels(net);
    let frames = input(net);
    let mut x = net.conv("first", frames, Layer::new(widths[0], 1));
    let mut encoded = Vec::new();
    for (level, (&width, &depth)) in widths.iter().zip(&DEPTHS).enumerate() {
        if level > 0 {
            x = down(net, x);
        }
        x = blocks(net, &format!("encoders.{level}"), x, (width, depth), INIT);
        encoded.push(x);
    }
    let mut scales = Vec::new();
    for level in (0..encoded.len() - 1).rev() {
        let up = to_side(net, x, encoded[level].shape.h);
        let both = net.concat(&[encoded[level], up]);
        let size = (widths[level], DEPTHS[level]);
        x = blocks(net, &format!("decoders.{level}"), both, size, INIT);
        scales.push(x);
    }
    scales.reverse();
    scales
}
