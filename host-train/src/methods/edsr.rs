//! EDSR: residual blocks without normalisation, sub-pixels from channels.

use super::blocks::residuals;
use super::loss::{SCORED, Training};
use super::net::{Layer, Net};
use super::{AS_PUBLISHED, Answer, Method, Network, Published, Reference, Solution};

/// Registry entry.
pub const METHOD: Method = Method {
    name: "EDSR",
    key: "edsr",
    about: "residual blocks on the frame, sub-pixels from channels",
    reference: Reference {
        authors: "Lim et al.",
        title: "Enhanced deep residual networks for single image super-resolution",
        venue: "CVPR Workshops 2017",
    },
    published: Some(Published {
        fps: 11_476.0,
        parameters: Some("0.39 M"),
        flops: "0.99 G",
        cso_map: 50.19,
        average_precisions: [0.6, 10.3, 48.8, 92.2, 99.0],
    }),
    variants: AS_PUBLISHED,
    foreign_parameters: 0,
    solution: Solution::Network(&Edsr),
};

struct Edsr;

/// Factor of counts inside the network.
const RANGE: f32 = 255.0;

impl Network for Edsr {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let (channels, blocks) = (net.pick(32, 8), net.pick(16, 2));
        let layer = Layer::new(channels, 3);
        let frames = net.frames();
        let x = net.scale(frames, RANGE);
        let first = net.conv("first", x, layer);
        let x = residuals(net, "body", blocks, first, layer);
        let x = net.conv("after_body", x, layer);
        let x = net.add(x, first);
        let x = net.conv("up", x, Layer::new(9 * channels, 3));
        let x = net.shuffle(x, 3);
        let x = net.conv("last", x, Layer::new(1, 3));
        net.scale(x, 1.0 / RANGE).into()
    }

    fn training(&self, _: &str) -> Training {
        Training {
            weight_decay: 0.0,
            ..Training::usual(SCORED)
        }
    }
}
