//! Operators that only the other methods of the published comparison have.

use derefnet::ops::{
    Activation, Conv2d, DeformSample, Function, Interpolation, MaskLoss, Moments, Normalise,
    Overlap, PixelShuffle, Pointwise, Pool, PowerIteration, Prelu, Resize, RowCount, RowRms, Rule,
    Shrink, SpectralNorm, Stride, StridedConv2d, Take, Total, TransposedConv2d,
};
use derefnet::tensor::Shape;
use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, MAP_LEN, MAP_SIDE};

use super::{C, Case, FRAMES, PAIRS, case, maps};

/// Operators of the other methods of the published comparison, at their networks' shapes.
pub(super) fn heavy() -> Vec<Case> {
    let frames = |n, c| Shape {
        n,
        h: FRAME_SIDE,
        w: FRAME_SIDE,
        c,
    };
    let by = Stride {
        kernel: 7,
        stride: 3,
        padding: 2,
    };
    let down = StridedConv2d {
        input: maps(FRAMES, C),
        out_channels: C,
        by,
        bias: true,
    };
    let up = TransposedConv2d {
        input: frames(FRAMES, C),
        out_channels: C,
        by,
        bias: true,
    };
    let kernel = down.weights();
    let samples = DeformSample {
        input: frames(PAIRS, C),
        groups: 8,
    };
    let dense = Conv2d {
        input: Shape {
            n: 1,
            h: 1,
            w: FRAMES,
            c: MAP_LEN,
        },
        out_channels: MAP_LEN,
        kernel: 1,
        bias: false,
        activation: Activation::None,
    };
    let (rows, columns) = (512, 4096);
    let both = rows + columns;
    vec![
        case(
            "strided_conv2d 7x7 32-32, 20 maps",
            down,
            &[down.input.len(), kernel, C],
        ),
        case(
            "transposed_conv2d 7x7 32-32, 20 frames",
            up,
            &[up.input.len(), kernel, C],
        ),
        case(
            "conv2d 1x1 1089-1089, 20 rows",
            dense,
            &[FRAMES * MAP_LEN, MAP_LEN * MAP_LEN],
        ),
        case(
            "deform_sample 8 groups, 64 frames",
            samples,
            &[samples.input.len(), samples.offsets().len()],
        ),
        Case {
            constants: &[1],
            ..case(
                "spectral_norm 512x4096",
                SpectralNorm { rows, columns },
                &[rows * columns, both],
            )
        },
        Case {
            constants: &[0, 1],
            ..case(
                "power_iteration 512x4096",
                PowerIteration { rows, columns },
                &[rows * columns, rows],
            )
        },
    ]
}

/// The light ones among them.
pub(super) fn light() -> Vec<Case> {
    let hidden = maps(FRAMES, C).len();
    let pixels = FRAMES * MAP_LEN;
    let rows = FRAMES * MAP_LEN;
    let frames = Shape {
        n: FRAMES,
        h: FRAME_SIDE,
        w: FRAME_SIDE,
        c: 1,
    };
    let shuffle = PixelShuffle {
        input: frames.with_channels(9 * C),
        factor: 3,
    };
    let resize = Resize {
        input: frames.with_channels(2 * C),
        h: MAP_SIDE,
        w: MAP_SIDE,
        interpolation: Interpolation::Bilinear,
    };
    let halved = Pool {
        input: Shape {
            h: 16,
            w: 16,
            ..frames.with_channels(C)
        },
        window: [2, 2],
        take: Take::Max,
    };
    let marked = MaskLoss {
        n: FRAMES,
        h: FRAME_SIDE,
        w: FRAME_SIDE,
        overlap: Overlap::Sensitive,
    };
    let shrink = Shrink {
        rows: FRAMES,
        len: MAP_LEN,
        rule: Rule::Support(0.13),
    };
    let rms = RowRms {
        rows: FRAMES,
        len: FRAME_LEN,
    };
    let count = RowCount {
        rows: FRAMES,
        len: MAP_LEN,
        scale: 1.0,
    };
    let softplus = Pointwise {
        len: hidden,
        function: Function::Softplus,
    };
    let normalise = Normalise {
        pixels,
        channels: C,
        epsilon: 1e-5,
    };
    let moments = Moments {
        pixels,
        channels: C,
    };
    let total = Total {
        len: hidden,
        scale: 1.0,
    };
    vec![
        case("prelu", Prelu { len: hidden }, &[hidden, 1]),
        case("pointwise, softplus", softplus, &[hidden]),
        case("pixel_shuffle", shuffle, &[shuffle.input.len()]),
        case("pool", halved, &[halved.input.len()]),
        Case {
            constants: &[1],
            ..case("mask_loss", marked, &[FRAMES * FRAME_LEN; 2])
        },
        case("resize", resize, &[resize.input.len()]),
        case("shrink, support", shrink, &[rows; 2]),
        case("row_rms", rms, &[FRAMES * FRAME_LEN]),
        case("row_count", count, &[rows]),
        case("moments", moments, &[hidden]),
        case("normalise", normalise, &[hidden, 2 * C, C, C]),
        case("total", total, &[hidden]),
    ]
}
