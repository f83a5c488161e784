//! What the learned detectors of SeqCSIST Table 8 share: the size of their frames, their block, their
//! training.
//!
//! They halve maps up to four times, so that sides must be multiples of 16. Frames of 11×11 pixels are
//! extended to 16×16 by repeating their borders, masks alike, and answers are cropped to the frame again.
//! The input is one channel, a hundredth of the counts; MSHNet's and DNANet's authors feed three equal
//! ones.

use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE};

use super::loss::{DataTerm, Training};
use super::net::{Layer, Map, Net};
use super::tensors::Init;
use crate::ops::{ChannelStats, Gather, GroupScale, Interpolation, Take};
use crate::tensor::Shape;

/// Side of an extended frame: the next one that four halvings divide.
pub(super) const SIDE: usize = 16;
/// Pixels of it before the frame's own.
const BEFORE: usize = 2;
/// Counts per unit of the input.
const UNIT: f32 = 100.0;
/// Channels per hidden value of the channel attention.
const RATIO: usize = 16;

/// Channels of the five levels, from fine to coarse.
pub(super) fn channels(net: &Net<'_>) -> [usize; 5] {
    [16, 32, 64, 128, 256].map(|full| net.pick(full, full / 8))
}

/// Adam as L2SKNet and a collection of these networks have it (Ying et al., BasicIRSTD), where the authors
/// of the others take Adagrad at 0.05.
pub(super) const fn training(data: &'static [DataTerm]) -> Training {
    Training {
        rate: 5e-4,
        weight_decay: 0.0,
        epochs: 100,
        data,
    }
}

/// The extended frames `(n, 16, 16, 1)` in units of the input.
pub(super) fn input(net: &mut Net<'_>) -> Map {
    let frames = net.frames();
    let frames = net.scale(frames, 1.0 / UNIT);
    extended(net, frames)
}

/// Pixels `index` of each map of `x`, which has one channel, as maps of side `side`.
fn chosen(net: &mut Net<'_>, x: Map, index: &[usize], side: usize) -> Map {
    let (n, pixels) = (x.shape.n, x.shape.pixels());
    let all = (0..n).flat_map(|map| index.iter().map(move |at| map * pixels + at));
    let op = Gather {
        index: all.collect(),
        sources: n * pixels,
        item: 1,
    };
    let shape = Shape {
        n,
        h: side,
        w: side,
        c: 1,
    };
    let var = net.apply(op, &[x.var]);
    Map { var, shape }
}

/// Maps `(n, 11, 11, 1)` with their borders repeated, `(n, 16, 16, 1)`.
pub(super) fn extended(net: &mut Net<'_>, x: Map) -> Map {
    let inside = |k: usize| k.clamp(BEFORE, BEFORE + FRAME_SIDE - 1) - BEFORE;
    let pixel = |k: usize| inside(k / SIDE) * FRAME_SIDE + inside(k % SIDE);
    let index: Vec<usize> = (0..SIDE * SIDE).map(pixel).collect();
    chosen(net, x, &index, SIDE)
}

/// The frame's own pixels `(n, 11, 11, 1)` of maps `(n, 16, 16, 1)`.
pub(super) fn cropped(net: &mut Net<'_>, x: Map) -> Map {
    let pixel = |k: usize| (k / FRAME_SIDE + BEFORE) * SIDE + k % FRAME_SIDE + BEFORE;
    let index: Vec<usize> = (0..FRAME_LEN).map(pixel).collect();
    chosen(net, x, &index, FRAME_SIDE)
}

/// Masks `(n, 11, 11, 1)` as answers of side `side` are judged by them: a pixel of a coarser level is
/// marked where one of those that it covers is.
pub(super) fn masks_at(net: &mut Net<'_>, masks: Map, side: usize) -> Map {
    if side == FRAME_SIDE {
        return masks;
    }
    let masks = extended(net, masks);
    match SIDE / side {
        1 => masks,
        halved => net.pool(masks, [halved; 2], Take::Max),
    }
}

/// The next coarser level.
pub(super) fn down(net: &mut Net<'_>, x: Map) -> Map {
    net.pool(x, [2, 2], Take::Max)
}

/// Maps of side `side`, corners aligned.
pub(super) fn to_side(net: &mut Net<'_>, x: Map, side: usize) -> Map {
    net.resize(x, side, Interpolation::Aligned)
}

/// `count` residual blocks of `channels` channels with attention to channels, then to pixels (Woo et al.,
/// CBAM, ECCV 2018), kernels by `init`.
pub(super) fn blocks(
    net: &mut Net<'_>,
    name: &str,
    x: Map,
    (channels, count): (usize, usize),
    init: Init,
) -> Map {
    net.within(name, |net| {
        (0..count).fold(x, |x, k| net.within(k, |net| block(net, x, channels, init)))
    })
}

/// `relu(s + attended(norm(conv(relu(norm(conv x))))))`; `s` is `x`, where need be in other channels.
fn block(net: &mut Net<'_>, x: Map, channels: usize, init: Init) -> Map {
    let layer = |kernel| Layer::new(channels, kernel).init(init).uniform_bias();
    let shortcut = if x.shape.c == channels {
        x
    } else {
        let y = net.conv("shortcut", x, layer(1));
        net.batch_norm("shortcut.norm", y)
    };
    let y = net.conv("conv1", x, layer(3));
    let y = net.batch_norm("norm1", y);
    let y = net.relu(y);
    let y = net.conv("conv2", y, layer(3));
    let y = net.batch_norm("norm2", y);
    let y = net.within("channels", |net| attended_channels(net, y, init));
    let y = net.within("pixels", |net| attended_pixels(net, y, init));
    let sum = net.add(y, shortcut);
    net.relu(sum)
}

/// Each channel of a map times what all channels' means and maxima over it say.
fn attended_channels(net: &mut Net<'_>, x: Map, init: Init) -> Map {
    let Shape { h, w, c, .. } = x.shape;
    let hidden = Layer::new((c / RATIO).max(1), 1).bare().init(init).relu();
    let [mean, most] = [Take::Mean, Take::Max].map(|take| {
        let figures = net.pool(x, [h, w], take);
        net.conv("hidden", figures, hidden)
    });
    // One layer of both, added, is that layer of their sum: it has no bias.
    let both = net.add(mean, most);
    let layer = Layer::new(c, 1).bare().init(init).sigmoid();
    let gates = net.conv("gates", both, layer);
    let gates = net.resize(gates, h, Interpolation::Nearest);
    net.mul(x, gates)
}

/// Each pixel times what the means and maxima over channels around it say.
fn attended_pixels(net: &mut Net<'_>, x: Map, init: Init) -> Map {
    let (pixels, channels) = (x.shape.n * x.shape.pixels(), x.shape.c);
    let figures = Map {
        var: net.apply(ChannelStats { pixels, channels }, &[x.var]),
        shape: x.shape.with_channels(2),
    };
    let layer = Layer::new(1, 7).bare().init(init).sigmoid();
    let gates = net.conv("gates", figures, layer);
    let op = GroupScale {
        pixels,
        channels,
        groups: 1,
    };
    let var = net.apply(op, &[x.var, gates.var]);
    Map { var, ..x }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use derefnet_core::physics::MAP_LEN;

    use super::*;
    use crate::autograd::Tape;
    use crate::backend::cpu::Cpu;
    use crate::methods::live::Live;
    use crate::methods::net::{Form, Input};
    use crate::methods::sensor::Sensor;

    /// What `describe` makes of one map `(11, 11)`.
    fn made(values: &[f32], describe: impl FnOnce(&mut Net<'_>, Map) -> Map) -> Vec<f32> {
        let (cpu, leaves) = (Cpu::new(), BTreeMap::new());
        let sensor = Sensor::new(vec![0.0; MAP_LEN * FRAME_LEN]);
        let mut tape = Tape::new(&cpu);
        let input = Input {
            counts: values,
            length: 1,
            sensor: &sensor,
        };
        let form = Form {
            variant: "",
            width: 1.0,
            training: false,
        };
        let mut live = Live::new(&mut tape, &leaves);
        let mut net = Net::new(&mut live, input, form);
        let frames = net.frames();
        let map = describe(&mut net, frames);
        tape.download(map.var)
    }

    #[test]
    fn borders_are_repeated_and_cropped_again() {
        let frame: Vec<f32> = (0..FRAME_LEN).map(|k| k as f32).collect();
        let large = made(&frame, extended);
        let corners = [0, SIDE - 1, SIDE * (SIDE - 1), SIDE * SIDE - 1].map(|k| large[k]);
        assert_eq!(corners, [0.0, 10.0, 110.0, 120.0]);
        // Above the frame, and in it.
        assert_eq!((large[SIDE + 7], large[6 * SIDE + 7]), (5.0, 49.0));
        let again = made(&frame, |net, x| {
            let large = extended(net, x);
            cropped(net, large)
        });
        assert_eq!(again, frame);
    }

    /// By hand: a mask of the corner pixel is one of 3×3 pixels in the extended frame, which lie in 2×2
    /// pixels of half its side and in one of an eighth.
    #[test]
    fn coarse_masks_hold_what_they_cover() {
        let mut mask = [0.0; FRAME_LEN];
        mask[0] = 1.0;
        let marked = |side: usize| {
            let found = made(&mask, |net, x| masks_at(net, x, side));
            let all = found.iter().enumerate().filter(|(_, m)| **m == 1.0);
            all.map(|(k, _)| (k / side, k % side)).collect::<Vec<_>>()
        };
        assert_eq!(marked(FRAME_SIDE), [(0, 0)]);
        assert_eq!(marked(SIDE).len(), 9);
        assert_eq!(marked(8), [(0, 0), (0, 1), (1, 0), (1, 1)]);
        assert_eq!(marked(2), [(0, 0)]);
    }
}
