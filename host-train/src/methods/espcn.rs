//! ESPCN: three convolutions on the frame, sub-pixels from channels.

use super::loss::{SCORED, Training};
use super::net::{Layer, Net};
use super::{AS_PUBLISHED, Answer, Method, Network, Published, Reference, Solution};

/// Registry entry. The table has this row's parameters and multiply-adds in each other's column.
pub const METHOD: Method = Method {
    name: "ESPCN",
    key: "espcn",
    about: "three convolutions on the frame, sub-pixels from channels",
    reference: Reference {
        authors: "Shi et al.",
        title: "Real-time single image and video super-resolution using an efficient sub-pixel \
                convolutional neural network",
        venue: "CVPR 2016",
    },
    published: Some(Published {
        fps: 144_901.0,
        parameters: Some("54.75 M"),
        flops: "22.73 K",
        cso_map: 47.18,
        average_precisions: [1.6, 15.3, 46.6, 80.3, 92.0],
    }),
    variants: AS_PUBLISHED,
    foreign_parameters: 0,
    solution: Solution::Network(&Espcn),
};

struct Espcn;

impl Network for Espcn {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let x = net.frames();
        let [first, second] = [net.pick(64, 8), net.pick(32, 8)];
        let x = net.conv("conv1", x, Layer::new(first, 5).relu());
        let x = net.conv("conv2", x, Layer::new(second, 3).relu());
        let x = net.conv("conv3", x, Layer::new(9, 3));
        net.shuffle(x, 3).into()
    }

    fn training(&self, _: &str) -> Training {
        Training::usual(SCORED)
    }
}
