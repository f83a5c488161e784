//! DBPN: projections up to the map and back to the frame, by turns.

use super::loss::{SCORED, Training};
use super::net::{Layer, Map, Net};
use super::{AS_PUBLISHED, Answer, Method, Network, Published, Reference, Solution};
use crate::ops::Stride;

/// Registry entry.
pub const METHOD: Method = Method {
    name: "DBPN",
    key: "dbpn",
    about: "projections up to the map and back to the frame, by turns",
    reference: Reference {
        authors: "Haris, Shakhnarovich and Ukita",
        title: "Deep back-projection networks for super-resolution",
        venue: "CVPR 2018",
    },
    published: Some(Published {
        fps: 7_109.0,
        parameters: Some("1.96 M"),
        flops: "4.75 G",
        cso_map: 50.40,
        average_precisions: [0.8, 12.5, 51.2, 90.0, 97.4],
    }),
    variants: AS_PUBLISHED,
    foreign_parameters: 0,
    solution: Solution::Network(&Dbpn),
};

struct Dbpn;

/// Between 11 and 33 pixels.
pub(super) const BY: Stride = Stride {
    kernel: 7,
    stride: 3,
    padding: 2,
};

impl Network for Dbpn {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let (wide, channels) = (net.pick(128, 16), net.pick(32, 8));
        let stages = net.pick(7, 2);
        let frames = net.frames();
        let x = net.conv("head1", frames, Layer::new(wide, 3));
        let x = net.prelu("head1", x);
        let x = net.conv("head2", x, Layer::new(channels, 1));
        let mut x = net.prelu("head2", x);
        for k in 0..stages {
            x = net.within(format!("up.{k}"), |net| project_up(net, x));
            if k + 1 < stages {
                x = net.within(format!("down.{k}"), |net| project_down(net, x));
            }
        }
        net.conv("tail", x, Layer::new(1, 1)).into()
    }

    fn training(&self, _: &str) -> Training {
        Training::usual(SCORED)
    }
}

fn up(net: &mut Net<'_>, name: &str, x: Map) -> Map {
    let x = net.transposed(name, x, Layer::new(x.shape.c, BY.kernel), BY);
    net.prelu(name, x)
}

fn down(net: &mut Net<'_>, name: &str, x: Map) -> Map {
    let x = net.strided(name, x, Layer::new(x.shape.c, BY.kernel), BY);
    net.prelu(name, x)
}

fn project_up(net: &mut Net<'_>, x: Map) -> Map {
    let high = up(net, "first", x);
    let low = down(net, "back", high);
    let missing = net.sub(low, x);
    let correction = up(net, "second", missing);
    net.add(high, correction)
}

fn project_down(net: &mut Net<'_>, x: Map) -> Map {
    let low = down(net, "first", x);
    let high = up(net, "back", low);
    let missing = net.sub(high, x);
    let correction = down(net, "second", missing);
    net.add(low, correction)
}
