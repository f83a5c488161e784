//! RDN: residual dense blocks on the frame.

use super::loss::{SCORED, Training};
use super::net::{Layer, Map, Net};
use super::{AS_PUBLISHED, Answer, Method, Network, Published, Reference, Solution};

/// Registry entry.
pub const METHOD: Method = Method {
    name: "RDN",
    key: "rdn",
    about: "residual dense blocks on the frame",
    reference: Reference {
        authors: "Zhang et al.",
        title: "Residual dense network for image super-resolution",
        venue: "CVPR 2018",
    },
    published: Some(Published {
        fps: 919.0,
        parameters: Some("22.31 M"),
        flops: "53.97 G",
        cso_map: 49.61,
        average_precisions: [0.7, 10.6, 48.2, 90.4, 98.2],
    }),
    variants: AS_PUBLISHED,
    foreign_parameters: 0,
    solution: Solution::Network(&Rdn),
};

struct Rdn;

impl Network for Rdn {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let (channels, blocks) = (net.pick(64, 4), net.pick(16, 2));
        let layer = Layer::new(channels, 3);
        let frames = net.frames();
        let shallow = net.conv("shallow1", frames, layer);
        let mut x = net.conv("shallow2", shallow, layer);
        let mut outputs = Vec::new();
        for k in 0..blocks {
            x = net.within(format!("blocks.{k}"), |net| block(net, x));
            outputs.push(x);
        }
        let all = net.concat(&outputs);
        let x = net.conv("fusion1", all, Layer::new(channels, 1));
        let x = net.conv("fusion2", x, layer);
        let x = net.add(x, shallow);
        let x = net.conv("up", x, Layer::new(9 * channels, 3));
        let x = net.shuffle(x, 3);
        net.conv("last", x, Layer::new(1, 3)).into()
    }

    fn training(&self, _: &str) -> Training {
        Training::usual(SCORED)
    }
}

fn block(net: &mut Net<'_>, x: Map) -> Map {
    let (channels, layers) = (x.shape.c, net.pick(8, 2));
    let mut all = x;
    for k in 0..layers {
        let layer = Layer::new(channels, 3).relu();
        let y = net.conv(&format!("layers.{k}"), all, layer);
        all = net.concat(&[all, y]);
    }
    let y = net.conv("fusion", all, Layer::new(channels, 1));
    net.add(y, x)
}
