//! L2SKNet: at every level, kernels that learn what stands out of its surroundings.
//!
//! A kernel `W` answers `ΣW·x - W∗x + θ·W_c·x`: its sum at the pixel less what it sees around, and its
//! centre by as much as the means of all channels say. Its authors feed one channel, as is done here.

use super::detectors::{channels, cropped, down, input, training};
use super::loss::{DataTerm, Training};
use super::net::{Layer, Map, Net};
use super::tensors::Init;
use super::{Answer, Answers, Method, Network, Reference, Solution, Variant};
use crate::ops::{Interpolation, Overlap, Stride, Take};
use crate::tensor::Shape;

/// Registry entry.
pub const METHOD: Method = Method {
    name: "L2SKNet",
    key: "l2sk-net",
    about: "marks pixels: four levels of learned kernels that see what stands out",
    reference: Reference {
        authors: "Wu et al.",
        title: "Saliency at the helm: steering infrared small target detection with learnable kernels",
        venue: "TGRS 2024",
    },
    published: None,
    variants: &[
        Variant {
            name: "u-net",
            about: "levels joined as in a U-Net, one of the two published forms",
        },
        Variant {
            name: "fpn",
            about: "levels added as in a feature pyramid, the other published form, without the dropout before \
                    its last layer",
        },
    ],
    foreign_parameters: 0,
    solution: Solution::Network(&L2skNet),
};

struct L2skNet;

const DATA: &[DataTerm] = &[DataTerm::overlap(Overlap::Soft)];

/// Levels.
const LEVELS: usize = 4;

/// Side and dilation of the kernels of every level.
const KERNELS: [&[[usize; 2]]; LEVELS] = [
    &[[9, 2], [5, 2], [3, 2], [3, 1]],
    &[[5, 2], [3, 2], [3, 1]],
    &[[3, 2], [3, 1]],
    &[[3, 1]],
];

/// Channels per hidden value of the channel attention, and of the pyramid's last layer.
const RATIO: usize = 4;

impl Network for L2skNet {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let [widths @ .., _] = channels(net);
        let frames = input(net);
        let logits = if net.is("fpn") {
            pyramid(net, frames, widths)
        } else {
            u_net(net, frames, widths)
        };
        cropped(net, logits).into()
    }

    fn training(&self, _: &str) -> Training {
        training(DATA)
    }

    fn answers(&self) -> Answers {
        Answers::Masks
    }
}

fn u_net(net: &mut Net<'_>, frames: Map, widths: [usize; LEVELS]) -> Map {
    let (mut x, mut levels) = (frames, Vec::new());
    for (level, &width) in widths.iter().enumerate() {
        if level > 0 {
            x = down(net, x);
        }
        x = net.within(format!("encoders.{level}"), |net| twice(net, x, width));
        levels.push(x);
    }
    let levels = contrasted(net, &levels);
    let mut x = levels[LEVELS - 1];
    for level in (0..LEVELS - 1).rev() {
        let (width, side) = (widths[level], levels[level].shape.h);
        x = net.within(format!("decoders.{level}"), |net| {
            let up = net.resize(x, side, Interpolation::Nearest);
            let up = normalised(net, "up", up, Layer::new(width, 3));
            let both = net.concat(&[levels[level], up]);
            twice(net, both, width)
        });
    }
    net.conv("last", x, Layer::new(1, 1))
}

fn pyramid(net: &mut Net<'_>, frames: Map, widths: [usize; LEVELS]) -> Map {
    let (mut x, mut levels) = (frames, Vec::new());
    for (level, &width) in widths.iter().enumerate() {
        x = net.within(format!("encoders.{level}"), |net| {
            let step = if level == 0 { 1 } else { 2 };
            let x = net.within(0, |net| residual(net, x, width, step));
            net.within(1, |net| residual(net, x, width, 1))
        });
        levels.push(x);
    }
    let levels = contrasted(net, &levels);
    let mut x = levels[LEVELS - 1];
    for level in (0..LEVELS - 1).rev() {
        let up = net.resize(x, levels[level].shape.h, Interpolation::Bilinear);
        let layer = Layer::new(widths[level], 1);
        let up = normalised(net, &format!("fused.{level}"), up, layer);
        x = net.add(up, levels[level]);
    }
    let hidden = Layer::new((widths[0] / RATIO).max(1), 3).bare();
    let x = normalised(net, "hidden", x, hidden);
    net.conv("last", x, Layer::new(1, 1))
}

/// `relu(norm(conv x))`.
fn normalised(net: &mut Net<'_>, name: &str, x: Map, layer: Layer) -> Map {
    net.within(name, |net| {
        let y = net.conv("conv", x, layer);
        let y = net.batch_norm("norm", y);
        net.relu(y)
    })
}

/// Two layers of `width` channels.
fn twice(net: &mut Net<'_>, x: Map, width: usize) -> Map {
    let x = normalised(net, "0", x, Layer::new(width, 3));
    normalised(net, "1", x, Layer::new(width, 3))
}

/// A residual block whose first layer takes every `stride`-th pixel.
fn residual(net: &mut Net<'_>, x: Map, width: usize, stride: usize) -> Map {
    let stepped = |net: &mut Net<'_>, name: &str, kernel| {
        let by = Stride {
            kernel,
            stride,
            padding: kernel / 2,
        };
        let y = net.strided(name, x, Layer::new(width, kernel).bare(), by);
        net.batch_norm(&format!("{name}.norm"), y)
    };
    let shortcut = if stride == 1 && x.shape.c == width {
        x
    } else {
        stepped(net, "shortcut", 1)
    };
    let y = stepped(net, "conv1", 3);
    let y = net.relu(y);
    let y = net.conv("conv2", y, Layer::new(width, 3).bare());
    let y = net.batch_norm("conv2.norm", y);
    let sum = net.add(y, shortcut);
    net.relu(sum)
}

/// What the kernels of each level see in it, in one; of the coarsest there is one kernel.
fn contrasted(net: &mut Net<'_>, levels: &[Map]) -> Vec<Map> {
    let mut all = Vec::new();
    for (level, (&x, kernels)) in levels.iter().zip(KERNELS).enumerate() {
        let seen = net.within(format!("contrasts.{level}"), |net| {
            let mut parts = Vec::new();
            for (k, &kernel) in kernels.iter().enumerate() {
                parts.push(net.within(k, |net| contrast(net, x, kernel)));
            }
            let more = parts[1..].iter();
            let sum = more.fold(parts[0], |sum, &part| net.add(sum, part));
            if level + 1 == LEVELS {
                return sum;
            }
            normalised(net, "merged", sum, Layer::new(x.shape.c, 3).bare())
        });
        all.push(seen);
    }
    all
}

/// One kernel, with its normalisation.
fn contrast(net: &mut Net<'_>, x: Map, [side, dilation]: [usize; 2]) -> Map {
    let c = x.shape.c;
    let kernel = Map {
        var: net.parameter("weight", &[c, c, side, side], Init::Uniform),
        shape: Shape {
            n: c * c,
            h: 1,
            w: 1,
            c: side * side,
        },
    };
    let wide = (side - 1) * dilation + 1;
    let around = net.times(kernel, &surroundings(side, dilation), wide * wide);
    let around = net.conv_by(x, &[around.var], Layer::new(c, wide).bare());
    let mut middle = vec![0.0; side * side];
    middle[side * side / 2] = 1.0;
    let centre = net.times(kernel, &middle, 1);
    let centre = net.conv_by(x, &[centre.var], Layer::new(c, 1).bare());
    let gates = net.within("attention", |net| gates(net, x));
    let centre = net.mul(centre, gates);
    let sum = net.add(around, centre);
    let sum = net.batch_norm("norm", sum);
    net.leaky(sum, 0.1)
}

/// From the values of a kernel to those of the dilated kernel that its sum less itself is, `(out, in)`:
/// convolutions have no dilation, so that what lies between is zero.
fn surroundings(side: usize, dilation: usize) -> Vec<f32> {
    let (taps, wide) = (side * side, (side - 1) * dilation + 1);
    let mut matrix = vec![0.0; wide * wide * taps];
    for tap in 0..taps {
        let place = tap / side * dilation * wide + tap % side * dilation;
        matrix[wide * wide / 2 * taps + tap] += 1.0;
        matrix[place * taps + tap] -= 1.0;
    }
    matrix
}

/// A factor for every channel of a map, from the means of all.
fn gates(net: &mut Net<'_>, x: Map) -> Map {
    let Shape { h, w, c, .. } = x.shape;
    let means = net.pool(x, [h, w], Take::Mean);
    let hidden = Layer::new((c / RATIO).max(1), 1).bare();
    let hidden = normalised(net, "hidden", means, hidden);
    let gates = net.conv("gates", hidden, Layer::new(c, 1).bare());
    let gates = net.batch_norm("gates.norm", gates);
    // A sigmoid is the activation of a convolution, here of one that passes every channel on.
    let same = (0..c * c).map(|k| f32::from(u8::from(k % c == k / c)));
    let row = Shape {
        n: 1,
        h: 1,
        w: 1,
        c: c * c,
    };
    let same = net.constant(row, &same.collect::<Vec<_>>());
    let gates = net.conv_by(gates, &[same.var], Layer::new(c, 1).bare().sigmoid());
    net.resize(gates, h, Interpolation::Nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, for a kernel of three: its sum less its middle at the middle, the others negated, zeros
    /// between them.
    #[test]
    fn kernels_see_their_surroundings() {
        let kernel: Vec<f32> = (1..=9).map(|k| k as f32).collect();
        for dilation in [1, 2] {
            let wide = 2 * dilation + 1;
            let made: Vec<f32> = surroundings(3, dilation)
                .chunks_exact(9)
                .map(|row| row.iter().zip(&kernel).map(|(m, k)| m * k).sum())
                .collect();
            assert_eq!(made.len(), wide * wide);
            assert_eq!(made[wide * wide / 2], 45.0 - 5.0);
            assert_eq!(
                (made[0], made[dilation], made[wide * wide - 1]),
                (-1.0, -2.0, -9.0)
            );
            assert_eq!(made.iter().sum::<f32>(), 0.0);
            assert_eq!(made.iter().filter(|v| **v != 0.0).count(), 9);
        }
    }
}
