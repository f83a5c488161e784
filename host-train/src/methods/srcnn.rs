//! SRCNN: three convolutions on the linear estimate.

use super::loss::{DataTerm, Over, Training};
use super::net::{Layer, Net};
use super::{AS_PUBLISHED, Answer, Method, Network, Published, Reference, Solution};

/// Registry entry.
pub const METHOD: Method = Method {
    name: "SRCNN",
    key: "srcnn",
    about: "three convolutions on the linear estimate",
    reference: Reference {
        authors: "Dong et al.",
        title: "Image super-resolution using deep convolutional networks",
        venue: "TPAMI 2016",
    },
    published: Some(Published {
        fps: 102_961.0,
        parameters: Some("15.84 K"),
        flops: "0.35 G",
        cso_map: 49.64,
        average_precisions: [1.4, 16.3, 51.2, 85.0, 94.3],
    }),
    variants: AS_PUBLISHED,
    foreign_parameters: 0,
    solution: Solution::Network(&Srcnn),
};

struct Srcnn;

const DATA: &[DataTerm] = &[DataTerm::square(Over::All, 1.0, 2.0)];

impl Network for Srcnn {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let x = net.start();
        let [first, second] = [net.pick(32, 8), net.pick(16, 4)];
        let x = net.conv("conv1", x, Layer::new(first, 9).relu());
        let x = net.conv("conv2", x, Layer::new(second, 5).relu());
        net.conv("conv3", x, Layer::new(1, 5)).into()
    }

    fn training(&self, _: &str) -> Training {
        Training {
            epochs: 200,
            ..Training::usual(DATA)
        }
    }
}
