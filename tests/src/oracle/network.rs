//! The network and its loss, window by window, composed of the naive operators.
//!
//! Nothing is shared between windows or frames: every map is computed anew wherever it is read.

use std::collections::BTreeMap;

use derefnet::model::{DeRefNet, Frames, TimeConvention};
use derefnet::ops::{
    Activation, ChannelStats, Concat, Conv2d, DataStep, DeformConv2d, GroupScale, TimeCode,
};
use derefnet::tensor::Shape;
use derefnet::train::{LossConfig, LossVariant};
use derefnet_core::physics::{
    FRAME_LEN, FRAME_SIDE, MAP_LEN, MAP_SIDE, PSF_SIGMA, RATIO, WINDOW, cell_centre, pixel_response,
};

use super::arithmetic::{self, Arithmetic};
use super::{
    channel_stats, concat, conv2d, data_step, deform_conv2d, group_scale, soft_threshold, time_code,
};

/// Parameters by name.
pub type Values = BTreeMap<String, Vec<f64>>;

/// A network in f64.
#[derive(Clone, Debug)]
pub struct Network<'a> {
    /// Sizes, conventions and `Q_init`.
    pub net: &'a DeRefNet,
    /// Parameters.
    pub values: Values,
}

/// The unweighted terms of the loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// Weighted sum.
    pub total: f64,
    /// Mean square of the symmetric residual of each stage.
    pub constraint: Vec<f64>,
    /// Alignment term.
    pub align: f64,
    /// Regression term.
    pub regression: f64,
}

/// Maps of one frame after the stages, with the symmetric residuals.
struct Unfolded {
    map: Vec<f64>,
    residuals: Vec<Vec<f64>>,
}

/// What one window adds to the loss.
struct Window {
    aligned: Vec<Vec<f64>>,
    coded_centre: Vec<f64>,
    output: Vec<f64>,
}

/// `A (11, 33)`.
fn response() -> Vec<f64> {
    let element = |k: usize| {
        let centre = cell_centre(k % MAP_SIDE, RATIO);
        pixel_response((k / MAP_SIDE) as f64, centre, PSF_SIGMA)
    };
    (0..FRAME_SIDE * MAP_SIDE).map(element).collect()
}

/// `AᵀA (33, 33)`.
fn gram(a: &[f64]) -> Vec<f64> {
    let element = |k: usize| {
        let column = |p: usize, j: usize| a[p * MAP_SIDE + j];
        (0..FRAME_SIDE)
            .map(|p| column(p, k / MAP_SIDE) * column(p, k % MAP_SIDE))
            .sum()
    };
    (0..MAP_LEN).map(element).collect()
}

/// `ΦᵀL` of one frame, with `Φ[(p, q), (i, j)] = A[p, i] · A[q, j]`.
fn back_project(a: &[f64], frame: &[f64]) -> Vec<f64> {
    let element = |k: usize| {
        let phi = |pixel: usize| {
            let row = a[pixel / FRAME_SIDE * MAP_SIDE + k / MAP_SIDE];
            row * a[pixel % FRAME_SIDE * MAP_SIDE + k % MAP_SIDE]
        };
        (0..FRAME_LEN).map(|pixel| phi(pixel) * frame[pixel]).sum()
    };
    (0..MAP_LEN).map(element).collect()
}

fn mean_square(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64
}

fn distance(a: &[f64], b: &[f64], of: fn(f64) -> f64) -> f64 {
    a.iter().zip(b).map(|(a, b)| of(a - b)).sum()
}

impl<'a> Network<'a> {
    /// The network with its own parameters.
    pub fn new(net: &'a DeRefNet) -> Self {
        let tensors = net.parameters.tensors.iter();
        let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect();
        Self {
            net,
            values: tensors.map(|t| (t.name.clone(), wide(&t.values))).collect(),
        }
    }

    /// The convolution called `name` of one map; its output channels follow from its kernel.
    fn conv(&self, x: &[f64], name: &str, kernel: usize, activation: Activation) -> Vec<f64> {
        let weight = self
            .values
            .get(name)
            .unwrap_or_else(|| &self.values[&format!("{name}.weight")]);
        let bias = self.values.get(&format!("{name}.bias"));
        let c = x.len() / MAP_LEN;
        let op = Conv2d {
            input: one_map(c),
            out_channels: weight.len() / (c * kernel * kernel),
            kernel,
            bias: bias.is_some(),
            activation,
        };
        let inputs: Vec<Vec<f64>> = [x.to_vec(), weight.clone()]
            .into_iter()
            .chain(bias.cloned())
            .collect();
        conv2d::forward(&op, &inputs)
    }

    /// Eq. 8 and 15 of one frame, in the network's units.
    fn unfold(&self, counts: &[f32]) -> Unfolded {
        let a = response();
        let scale = f64::from(self.net.config.intensity_scale);
        let frame: Vec<f64> = counts.iter().map(|&l| f64::from(l) / scale).collect();
        let start = |cell: &[f32]| {
            cell.iter()
                .zip(&frame)
                .map(|(&q, l)| f64::from(q) * l)
                .sum()
        };
        let mut map: Vec<f64> = self
            .net
            .operators
            .qinit
            .chunks(FRAME_LEN)
            .map(start)
            .collect();
        let (back, gram) = (back_project(&a, &frame), gram(&a));
        let mut residuals = Vec::new();
        for k in 0..self.net.config.stages {
            let name = |part: &str| format!("fcs.{k}.{part}");
            let rho = self.values[&name("lambda_step")].clone();
            let op = DataStep {
                n: 1,
                side: MAP_SIDE,
            };
            let r = data_step::forward(&op, &[map, back.clone(), rho, gram.clone()]);
            let f = self.conv(&r, &name("conv1_forward"), 3, Activation::Relu);
            let f = self.conv(&f, &name("conv2_forward"), 3, Activation::None);
            let inverse = |x: &[f64]| {
                let g = self.conv(x, &name("conv1_backward"), 3, Activation::Relu);
                self.conv(&g, &name("conv2_backward"), 3, Activation::None)
            };
            let theta = self.values[&name("soft_thr")].clone();
            let symmetric = inverse(&f);
            map = inverse(&soft_threshold::forward(&[f, theta]));
            residuals.push(arithmetic::forward(Arithmetic::Sub, &[symmetric, r]));
        }
        Unfolded { map, residuals }
    }

    /// Gates of the position code for `times` frames, Eq. 16.
    fn gates(&self, times: usize) -> Vec<Vec<f64>> {
        let op = TimeCode {
            times: (0..times).map(|t| t as f32 / 20.0).collect(),
            len: MAP_LEN,
        };
        let layer = ["weight", "bias"].map(|part| self.values[&format!("TDDA.mlp.{part}")].clone());
        time_code::forward(&op, &layer)
            .chunks(MAP_LEN)
            .map(<[f64]>::to_vec)
            .collect()
    }

    /// TDFA: the map of one frame, aligned to the centre; both position-coded.
    fn align(&self, centre: &[f64], reference: &[f64]) -> Vec<f64> {
        let c = self.net.config.channels;
        let feature = |x: &[f64]| self.conv(x, "TDDA.feat_extract.0.conv", 3, Activation::Relu);
        let half = |x: &[f64], part: &str| {
            self.conv(
                x,
                &format!("TDDA.feat_aggregate.{part}"),
                1,
                Activation::None,
            )
        };
        let feature_of_reference = feature(reference);
        let halves = [
            half(&feature(centre), "conv0_s"),
            half(&feature_of_reference, "conv1_s"),
        ];
        let (pixels, channels, groups) = (MAP_LEN, c, 2);
        let joined = concat::forward(
            &Concat {
                pixels,
                channels: vec![c / 2; 2],
            },
            &halves,
        );
        let stats = channel_stats::forward(
            &ChannelStats { pixels, channels },
            std::slice::from_ref(&joined),
        );
        let squeeze = "TDDA.feat_aggregate.conv_squeeze";
        let weights = self.conv(&stats, squeeze, 3, Activation::Sigmoid);
        let op = GroupScale {
            pixels,
            channels,
            groups,
        };
        let aggregate = group_scale::forward(&op, &[joined, weights]);
        let first = self.deform(&feature_of_reference, &aggregate, "TDDA.align_1");
        let second = self.deform(&first, &first, "TDDA.align_2");
        self.conv(&second, "TDDA.conv", 3, Activation::None)
    }

    fn deform(&self, x: &[f64], guide: &[f64], name: &str) -> Vec<f64> {
        let offsets = self.conv(guide, &format!("{name}.conv_offset"), 3, Activation::None);
        let c = self.net.config.channels;
        let op = DeformConv2d {
            input: one_map(c),
            out_channels: c,
        };
        let weight = self.values[&format!("{name}.weight")].clone();
        deform_conv2d::forward(&op, &[x.to_vec(), offsets, weight])
    }

    /// Everything after the stages, for the frames of one window and their gates.
    fn window(&self, maps: &[&[f64]], gates: &[&[f64]]) -> Window {
        let code = |k: usize| {
            let factors = [maps[k].to_vec(), gates[k].to_vec()];
            arithmetic::forward(Arithmetic::Mul, &factors)
        };
        let coded_centre = code(WINDOW / 2);
        let neighbours = (0..WINDOW).filter(|&k| k != WINDOW / 2);
        let aligned: Vec<Vec<f64>> = neighbours
            .map(|k| self.align(&coded_centre, &code(k)))
            .collect();
        let mut stack = aligned.clone();
        stack.insert(WINDOW / 2, coded_centre.clone());
        let op = Concat {
            pixels: MAP_LEN,
            channels: vec![1; WINDOW],
        };
        let stack = concat::forward(&op, &stack);
        let mut x = self.conv(&stack, "TDDA.tail_conv.0.conv", 3, Activation::Relu);
        for block in 0..self.net.config.residual_blocks {
            let name = |conv: &str| format!("TDDA.tail_conv.1.{block}.{conv}");
            let y = self.conv(&x, &name("conv1"), 3, Activation::Relu);
            let y = self.conv(&y, &name("conv2"), 3, Activation::None);
            x = arithmetic::forward(Arithmetic::Add, &[x, y]);
        }
        Window {
            aligned,
            coded_centre,
            output: self.conv(&x, "TDDA.tail_conv.2", 3, Activation::None),
        }
    }

    /// Sums of the alignment and of the regression over all windows of one trajectory.
    fn distances(&self, maps: &[Unfolded], labels: &[f32], variant: LossVariant) -> (f64, f64) {
        let gates = self.gates(maps.len());
        let (mut align, mut regression) = (0.0, 0.0);
        for (start, label) in labels.chunks(MAP_LEN).enumerate() {
            let maps: Vec<&[f64]> = (0..WINDOW).map(|k| &maps[start + k].map[..]).collect();
            let first = match self.net.config.time {
                TimeConvention::Window => 0,
                TimeConvention::Trajectory => start,
            };
            let gates: Vec<&[f64]> = (0..WINDOW).map(|k| &gates[first + k][..]).collect();
            let window = self.window(&maps, &gates);
            let target = match variant {
                LossVariant::Paper => &window.coded_centre[..],
                LossVariant::Released => maps[WINDOW / 2],
            };
            for aligned in &window.aligned {
                align += distance(aligned, target, f64::abs);
            }
            let label: Vec<f64> = label.iter().map(|&v| f64::from(v)).collect();
            regression += distance(&window.output, &label, |d| d * d);
        }
        (align, regression)
    }

    /// The loss against `labels (windows, 1089)`, Eq. 22–25.
    pub fn loss(&self, frames: &Frames, labels: &[f32], config: &LossConfig) -> Terms {
        let unfolded: Vec<Unfolded> = frames
            .counts
            .chunks(FRAME_LEN)
            .map(|f| self.unfold(f))
            .collect();
        let residual = |k: usize| unfolded.iter().map(move |u| mean_square(&u.residuals[k]));
        let constraint: Vec<f64> = (0..self.net.config.stages)
            .map(|k| residual(k).sum::<f64>() / unfolded.len() as f64)
            .collect();
        let (mut align, mut regression) = (0.0, 0.0);
        let labels = labels.chunks(frames.windows() * MAP_LEN);
        for (maps, labels) in unfolded.chunks(frames.length).zip(labels) {
            let (a, r) = self.distances(maps, labels, config.variant);
            align += a;
            regression += r;
        }
        let trajectories = frames.trajectories() as f64;
        let cells = MAP_LEN as f64;
        let windows = trajectories * frames.windows() as f64;
        (align, regression) = match config.variant {
            LossVariant::Paper => (
                align / (windows * 4.0 * cells),
                regression / (windows * cells),
            ),
            LossVariant::Released => (align / trajectories, regression / (trajectories * cells)),
        };
        let total = f64::from(config.constraint) * constraint.iter().sum::<f64>()
            + f64::from(config.align) * align / f64::from(self.net.config.intensity_scale)
            + f64::from(config.regression) * regression;
        Terms {
            total,
            constraint,
            align,
            regression,
        }
    }
}

fn one_map(c: usize) -> Shape {
    Shape {
        n: 1,
        h: MAP_SIDE,
        w: MAP_SIDE,
        c,
    }
}
