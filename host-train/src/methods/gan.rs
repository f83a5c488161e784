//! What the three methods with an adversary share: loss terms, and the parts of their networks.
//!
//! Their published loss is dominated by distances between features of VGG19 trained on ImageNet,
//! which see the whole batch as one picture of 20 rows and 1,089 columns. That network is not part of
//! this program: the term is left out, and its parameters are counted only beside the published ones.

use super::loss::{DataTerm, Measure, Over};
use super::net::{Layer, Map, Net};
use super::tensors::Init;
use crate::ops::{Interpolation, Stride};

/// Parameters of VGG19 up to its last convolution, which the published figures include.
pub(super) const VGG: usize = {
    let widths = [
        3, 64, 64, 128, 128, 256, 256, 256, 256, 512, 512, 512, 512, 512, 512, 512, 512,
    ];
    let mut sum = 0;
    let mut layer = 1;
    while layer < widths.len() {
        sum += 9 * widths[layer - 1] * widths[layer] + widths[layer];
        layer += 1;
    }
    sum
};

/// The pixel term.
pub(super) const DATA: &[DataTerm] = &[DataTerm {
    measure: Measure::Absolute,
    over: Over::All,
    weights: [0.01; 2],
}];

/// Weight of the adversarial term.
pub(super) const ADVERSARIAL: f32 = 0.005;

/// Slope of the leaky rectifiers in adversaries and dense blocks.
pub(super) const SLOPE: f32 = 0.2;

/// Halves a map.
pub(super) const HALVE: Stride = Stride {
    kernel: 4,
    stride: 2,
    padding: 1,
};

/// The adversary of SRGAN and ESRGAN: convolutions with batch normalisation down to one pixel, and
/// one logit per map.
pub(super) fn judge(net: &mut Net<'_>, map: Map) -> Map {
    let widths = [64, 128, 256, 512, 512].map(|c| net.pick(c, c / 16));
    let mut x = map;
    for (stage, &width) in widths.iter().enumerate() {
        x = net.within(format!("stages.{stage}"), |net| {
            let first = stage == 0;
            let layer = Layer::new(width, 3);
            let layer = if first { layer } else { layer.bare() };
            let mut x = net.conv("conv1", x, layer);
            if !first {
                x = net.batch_norm("norm1", x);
            }
            let x = net.leaky(x, SLOPE);
            let layer = Layer::new(width, HALVE.kernel).bare();
            let x = net.strided("conv2", x, layer, HALVE);
            let x = net.batch_norm("norm2", x);
            net.leaky(x, SLOPE)
        });
    }
    let x = net.linear("linear1", x, net.pick(100, 10));
    let x = net.leaky(x, SLOPE);
    net.linear("linear2", x, 1)
}

/// The generator of BSRGAN and ESRGAN: `count` blocks of three dense blocks each.
pub(super) fn generate(net: &mut Net<'_>, count: usize) -> Map {
    let channels = net.pick(64, 8);
    let layer = Layer::new(channels, 3).init(Init::Kaiming(0.1));
    let frames = net.frames();
    let first = net.conv("first", frames, layer);
    let mut x = first;
    for k in 0..count {
        x = net.within(format!("blocks.{k}"), |net| {
            let inner = (0..3).fold(x, |x, k| net.within(k, |net| dense(net, x)));
            let inner = net.scale(inner, 0.2);
            net.add(inner, x)
        });
    }
    let x = net.conv("body", x, layer);
    let x = net.add(x, first);
    let x = net.resize(x, 33, Interpolation::Nearest);
    let x = net.conv("up", x, layer);
    let x = net.leaky(x, SLOPE);
    // Made for a scale of 4, it has a second one that never runs.
    net.unused(
        "up2.weight",
        &[channels, channels, 3, 3],
        Init::Kaiming(0.1),
    );
    net.unused("up2.bias", &[channels], Init::Constant(0.0));
    let x = net.conv("high", x, layer);
    let x = net.leaky(x, SLOPE);
    net.conv("last", x, Layer::new(1, 3).init(Init::Kaiming(0.1)))
}

/// Five convolutions, each of all that came before; a fifth of the last is added to the input.
fn dense(net: &mut Net<'_>, x: Map) -> Map {
    let (channels, growth) = (x.shape.c, net.pick(32, 4));
    let layer = |out| Layer::new(out, 3).init(Init::Kaiming(0.1));
    let mut all = x;
    for k in 0..4 {
        let y = net.conv(&format!("layers.{k}"), all, layer(growth));
        let y = net.leaky(y, SLOPE);
        all = net.concat(&[all, y]);
    }
    let y = net.conv("layers.4", all, layer(channels));
    let y = net.scale(y, 0.2);
    net.add(y, x)
}

#[cfg(test)]
mod tests {
    /// 35.31 M of SRGAN's published parameters less those of its two networks.
    #[test]
    fn vgg_is_as_large_as_published() {
        assert_eq!(super::VGG, 35_306_826 - 1_552_193 - 13_730_249);
    }
}
