//! SRGAN: residual blocks on the frame, trained against an adversary.

use super::blocks::residuals;
use super::gan::{ADVERSARIAL, DATA, VGG, judge};
use super::loss::Training;
use super::net::{Layer, Net};
use super::tensors::Init;
use super::{Adversary, Answer, Method, Network, Published, Reference, Solution, Variant};
use crate::ops::Interpolation;

/// Registry entry.
pub const METHOD: Method = Method {
    name: "SRGAN",
    key: "srgan",
    about: "residual blocks on the frame, trained against an adversary",
    reference: Reference {
        authors: "Ledig et al.",
        title: "Photo-realistic single image super-resolution using a generative adversarial network",
        venue: "CVPR 2017",
    },
    published: Some(Published {
        fps: 12_965.0,
        parameters: Some("35.31 M"),
        flops: "40.27 G",
        cso_map: 26.96,
        average_precisions: [0.3, 3.9, 19.4, 46.9, 64.3],
    }),
    variants: &[Variant {
        name: "without-vgg",
        about: "L1 and adversarial terms alone: the published perceptual term needs a network trained on ImageNet, and sees the batch as one picture of 20 rows",
    }],
    foreign_parameters: VGG,
    solution: Solution::Network(&Srgan),
};

struct Srgan;

impl Network for Srgan {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let (channels, blocks) = (net.pick(64, 8), net.pick(16, 2));
        let layer = Layer::new(channels, 3).init(Init::Kaiming(0.1));
        let frames = net.frames();
        let skip = net.resize(frames, 33, Interpolation::Bilinear);
        let x = net.conv("first", frames, layer);
        let x = net.leaky(x, 0.1);
        let x = residuals(net, "trunk", blocks, x, layer);
        let up = Layer::new(9 * channels, 3).init(Init::Kaiming(1.0));
        let x = net.conv("up", x, up);
        let x = net.shuffle(x, 3);
        let x = net.conv("high", x, layer);
        let x = net.leaky(x, 0.1);
        let x = net.conv("last", x, Layer::new(1, 3).init(Init::Kaiming(0.1)));
        net.add(x, skip).into()
    }

    fn training(&self, _: &str) -> Training {
        Training {
            weight_decay: 0.0,
            epochs: 1_000,
            ..Training::usual(DATA)
        }
    }

    fn adversary(&self) -> Option<Adversary> {
        Some(Adversary {
            judge,
            relativistic: false,
            weight: ADVERSARIAL,
        })
    }
}
