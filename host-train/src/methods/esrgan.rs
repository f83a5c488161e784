//! ESRGAN: dense residual blocks on the frame, trained against a relative adversary.

use super::gan::{ADVERSARIAL, DATA, VGG, generate, judge};
use super::loss::Training;
use super::net::Net;
use super::{Adversary, Answer, Method, Network, Published, Reference, Solution, Variant};

/// Registry entry.
pub const METHOD: Method = Method {
    name: "ESRGAN",
    key: "esrgan",
    about: "dense residual blocks on the frame, trained against a relative adversary",
    reference: Reference {
        authors: "Wang et al.",
        title: "ESRGAN: enhanced super-resolution generative adversarial networks",
        venue: "ECCV Workshops 2018",
    },
    published: Some(Published {
        fps: 1_024.0,
        parameters: Some("50.45 M"),
        flops: "0.38 T",
        cso_map: 36.86,
        average_precisions: [0.4, 6.0, 30.3, 66.8, 80.7],
    }),
    variants: &[Variant {
        name: "without-vgg",
        about: "L1 and adversarial terms alone: the published perceptual term needs a network trained on ImageNet, and sees the batch as one picture of 20 rows",
    }],
    foreign_parameters: VGG,
    solution: Solution::Network(&Esrgan),
};

struct Esrgan;

impl Network for Esrgan {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let blocks = net.pick(23, 1);
        generate(net, blocks).into()
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
            relativistic: true,
            weight: ADVERSARIAL,
        })
    }
}
