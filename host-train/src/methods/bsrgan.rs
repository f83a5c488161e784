//! BSRGAN: as ESRGAN, with fewer blocks and an adversary that judges every cell.

use super::gan::{ADVERSARIAL, DATA, HALVE, SLOPE, VGG, generate};
use super::loss::Training;
use super::net::{Layer, Map, Net};
use super::tensors::Init;
use super::{Adversary, Answer, Method, Network, Published, Reference, Solution, Variant};
use crate::autograd::Var;
use crate::ops::{Interpolation, PowerIteration, SpectralNorm};

/// Registry entry.
pub const METHOD: Method = Method {
    name: "BSRGAN",
    key: "bsrgan",
    about: "dense residual blocks on the frame, trained against a U-shaped adversary",
    reference: Reference {
        authors: "Zhang et al.",
        title: "Designing a practical degradation model for deep blind image super-resolution",
        venue: "ICCV 2021",
    },
    published: Some(Published {
        fps: 1_528.0,
        parameters: Some("36.06 M"),
        flops: "0.27 T",
        cso_map: 33.21,
        average_precisions: [0.4, 6.1, 27.5, 57.2, 74.9],
    }),
    variants: &[Variant {
        name: "without-vgg",
        about: "L1 and adversarial terms alone: the published perceptual term needs a network trained on ImageNet, and sees the batch as one picture of 20 rows",
    }],
    foreign_parameters: VGG,
    solution: Solution::Network(&Bsrgan),
};

struct Bsrgan;

impl Network for Bsrgan {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let blocks = net.pick(16, 1);
        generate(net, blocks).into()
    }

    fn training(&self, _: &str) -> Training {
        Training {
            weight_decay: 0.0,
            epochs: 10_000,
            ..Training::usual(DATA)
        }
    }

    fn adversary(&self) -> Option<Adversary> {
        Some(Adversary {
            judge,
            relativistic: true,
            weight: ADVERSARIAL,
        })
    }
}

/// A kernel over its largest singular value; one step of power iteration each time.
fn kernel(net: &mut Net<'_>, name: &str, shape: [usize; 4]) -> Var {
    let (rows, columns) = (shape[0], shape[1] * shape[2] * shape[3]);
    net.within(name, |net| {
        let weight = net.parameter("weight", &shape, Init::Uniform);
        let u = net.state("direction", &[rows], Init::Direction);
        let uv = net.apply(PowerIteration { rows, columns }, &[weight, u]);
        net.follow("direction", uv, 1.0, 1.0);
        net.apply(SpectralNorm { rows, columns }, &[weight, uv])
    })
}

/// A convolution by such a kernel, and a leaky rectifier; `halve` says whether the map is halved.
fn layer(net: &mut Net<'_>, name: &str, x: Map, out: usize, halve: bool) -> Map {
    let side = if halve { HALVE.kernel } else { 3 };
    let weight = kernel(net, name, [out, x.shape.c, side, side]);
    let layer = Layer::new(out, side);
    let x = if halve {
        net.strided_by(x, &[weight], layer, HALVE)
    } else {
        net.conv_by(x, &[weight], layer)
    };
    net.leaky(x, SLOPE)
}

/// `x` enlarged to the sides of `skip`, through a layer, plus `skip`.
fn rise(net: &mut Net<'_>, name: &str, x: Map, skip: Map, side: usize) -> Map {
    let x = net.resize(x, side, Interpolation::Bilinear);
    let mut x = layer(net, name, x, skip.shape.c, false);
    if x.shape.h != skip.shape.h {
        x = net.resize(x, skip.shape.h, Interpolation::Bilinear);
    }
    net.add(x, skip)
}

/// One logit per cell.
fn judge(net: &mut Net<'_>, map: Map) -> Map {
    let width = net.pick(64, 4);
    let x0 = net.conv("first", map, Layer::new(width, 3));
    let x0 = net.leaky(x0, SLOPE);
    let x1 = layer(net, "down1", x0, 2 * width, true);
    let x2 = layer(net, "down2", x1, 4 * width, true);
    let x3 = layer(net, "down3", x2, 8 * width, true);
    let x = rise(net, "up1", x3, x2, 8);
    let x = rise(net, "up2", x, x1, 16);
    let x = rise(net, "up3", x, x0, 32);
    let x = layer(net, "out1", x, width, false);
    let x = layer(net, "out2", x, width, false);
    net.conv("last", x, Layer::new(1, 3))
}
