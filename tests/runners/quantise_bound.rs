//! Layers of a quantised network against the f64 oracle on the integers that enter them: none strays
//! farther than the quantiser proved.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use std::collections::BTreeMap;
use std::path::Path;

use derefnet::backend::cpu::Cpu;
use derefnet::dataset::Split;
use derefnet::model::DeRefNet;
use derefnet::ops::{Activation, Conv2d};
use derefnet::quantize::{CalibrationData, Folded, Quantised, calibrate, fold};
use derefnet::scene::{SceneConfig, generate};
use derefnet::tensor::Shape;
use derefnet_core::net::{Picture, Probe, Tensor};
use derefnet_core::physics::{FRAME_LEN, WINDOW};
use derefnet_core::weights::Model;
use derefnet_tests::oracle::conv2d;

/// Every tensor of one window with its rows, columns and channels.
#[derive(Default)]
struct Seen(BTreeMap<Tensor, ([usize; 3], Vec<i16>)>);

impl Probe for Seen {
    fn see(&mut self, tensor: Tensor, picture: Picture<'_>) {
        // Tensors of frames come once for each; the first is as good as any.
        let values = || (picture.shape(), picture.values().collect());
        self.0.entry(tensor).or_insert_with(values);
    }
}

/// A layer between two tensors that a probe sees.
struct Layer {
    name: String,
    input: Tensor,
    output: Tensor,
    activation: Activation,
    /// Added to the layer's output.
    skip: Option<Tensor>,
}

impl Layer {
    fn new(name: &str, input: Tensor, output: Tensor, activation: Activation) -> Self {
        Self {
            name: name.to_owned(),
            input,
            output,
            activation,
            skip: None,
        }
    }
}

/// All layers whose input and output are tensors, of a network with `blocks` residual blocks in the
/// tail and `head` in the head.
fn layers(stages: usize, blocks: usize, head: usize) -> Vec<Layer> {
    use Activation::{None, Relu};
    let mut all = Vec::new();
    for k in 0..stages as u8 {
        let name = |part| format!("fcs.{k}.{part}");
        let first = name("conv1_forward");
        all.push(Layer::new(
            &first,
            Tensor::Step(k),
            Tensor::Hidden(k, 0),
            Relu,
        ));
        let (thresholded, hidden) = (Tensor::Hidden(k, 1), Tensor::Hidden(k, 2));
        all.push(Layer::new(
            &name("conv1_backward"),
            thresholded,
            hidden,
            Relu,
        ));
        all.push(Layer::new(
            &name("conv2_backward"),
            hidden,
            Tensor::Stage(k),
            None,
        ));
    }
    all.push(Layer::new(
        "TDDA.tail_conv.0.conv",
        Tensor::Stack,
        Tensor::Tail,
        Relu,
    ));
    let mut last = Tensor::Tail;
    for b in 0..blocks as u8 {
        last = block(
            &mut all,
            &format!("TDDA.tail_conv.1.{b}"),
            last,
            b,
            Tensor::Block,
        );
    }
    all.push(Layer::new("TDDA.tail_conv.2", last, Tensor::Map, None));
    last = Tensor::HeadInput;
    for b in 0..head as u8 {
        last = block(
            &mut all,
            &format!("head.blocks.{b}"),
            last,
            b,
            Tensor::HeadBlock,
        );
    }
    all.push(Layer::new("head.output", last, Tensor::HeadAnswer, None));
    all
}

/// Both layers of a residual block on `input`; returns its output.
fn block(
    all: &mut Vec<Layer>,
    name: &str,
    input: Tensor,
    index: u8,
    of: fn(u8, u8) -> Tensor,
) -> Tensor {
    let (inner, output) = (of(index, 0), of(index, 1));
    all.push(Layer::new(
        &format!("{name}.conv1"),
        input,
        inner,
        Activation::Relu,
    ));
    let mut second = Layer::new(&format!("{name}.conv2"), inner, output, Activation::None);
    second.skip = Some(input);
    all.push(second);
    output
}

/// Values of the integers of `tensor`.
fn values(seen: &Seen, folded: &Folded<'_>, tensor: Tensor) -> ([usize; 3], Vec<f64>) {
    let (shape, integers) = seen.0.get(&tensor).expect("every tensor is seen");
    let value = |(index, &v): (usize, &i16)| {
        f64::from(v)
            * folded
                .steps
                .of(tensor, index)
                .expect("every tensor has a step")
    };
    (*shape, integers.iter().enumerate().map(value).collect())
}

/// The oracle's output of `layer` on the integers that entered it.
fn expected(network: &DeRefNet, layer: &Layer, seen: &Seen, folded: &Folded<'_>) -> Vec<f64> {
    let ([h, w, c], input) = values(seen, folded, layer.input);
    let (shape, _) = values(seen, folded, layer.output);
    let parameter = |name: &str| -> Option<Vec<f64>> {
        let tensor = network.parameters.get(name)?;
        Some(tensor.values.iter().map(|&v| v.into()).collect())
    };
    let weight = parameter(&layer.name).or_else(|| parameter(&format!("{}.weight", layer.name)));
    let bias = parameter(&format!("{}.bias", layer.name));
    let op = Conv2d {
        input: Shape { n: 1, h, w, c },
        out_channels: shape[2],
        kernel: 3,
        bias: bias.is_some(),
        activation: layer.activation,
    };
    let inputs = [Some(input), weight, bias];
    let mut output = conv2d::forward(&op, &inputs.into_iter().flatten().collect::<Vec<_>>());
    if let Some(skip) = layer.skip {
        let (_, skip) = values(seen, folded, skip);
        output.iter_mut().zip(skip).for_each(|(v, s)| *v += s);
    }
    output
}

/// Of every pixel and channel, the greatest magnitude among the inputs of a 3×3 kernel.
fn greatest([h, w, c]: [usize; 3], input: &[f64]) -> Vec<f64> {
    let around = |at: usize, end: usize| at.saturating_sub(1)..(at + 2).min(end);
    let of_value = |index: usize| {
        let (i, j, channel) = (index / c / w, index / c % w, index % c);
        let rows = around(i, h).flat_map(|row| around(j, w).map(move |column| row * w + column));
        rows.fold(0.0, |most: f64, at| most.max(input[at * c + channel].abs()))
    };
    (0..input.len()).map(of_value).collect()
}

/// Greatest error of `layer` as a share of its bound.
fn share(network: &DeRefNet, layer: &Layer, seen: &Seen, folded: &Folded<'_>) -> f64 {
    let wanted = expected(network, layer, seen, folded);
    let (shape, input) = values(seen, folded, layer.input);
    let greatest = greatest(shape, &input);
    let (_, got) = values(seen, folded, layer.output);
    let bound = folded.bounds.iter().find(|b| b.layer == layer.name);
    let bound = bound.expect("every layer has a bound");
    let outputs = bound.rests.len();
    let error = |(index, (w, g)): (usize, (&f64, &f64))| {
        let greatest = &greatest[index / outputs * shape[2]..][..shape[2]];
        let at = bound.at(index % outputs, greatest);
        (w - g).abs() / at
    };
    let errors = wanted.iter().zip(&got).enumerate().map(error);
    errors.fold(0.0, f64::max)
}

fn check(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host-train/models");
    let (mut network, provenance) = DeRefNet::load(&folder.join(name)).unwrap();
    if network.config.head.is_none() {
        network = network
            .with_head_of(&DeRefNet::shipped().unwrap().0)
            .unwrap();
    }
    let data = CalibrationData {
        seed: 3,
        trajectories: 4,
        noise: [0.0, 5.0],
    };
    let cpu = Cpu::new();
    let ranges = calibrate(&network, &cpu, &data, |_| Ok(())).unwrap();
    let folded = fold(&network, &ranges, &provenance, &data).unwrap();
    let file = folded.file(None).unwrap();
    let quantised = Quantised::new(Model::load(&file).unwrap());
    let config = &network.config;
    let head = config.head.as_ref().unwrap().blocks;
    let layers = layers(config.stages, config.residual_blocks, head);
    for (index, sigma) in [0.0, 2.0, 5.0].into_iter().enumerate() {
        let scene = SceneConfig {
            noise: [sigma; 2],
            ..SceneConfig::default()
        };
        let scene = generate(&scene, 1, Split::Validation, index as u64);
        let counts = scene.frames.iter().take(WINDOW * FRAME_LEN);
        let window: Vec<f32> = counts.map(|&c| c as f32).collect();
        let mut seen = Seen::default();
        quantised.see(&window, &mut seen).unwrap();
        for layer in &layers {
            let share = share(&network, layer, &seen, &folded);
            assert!(share <= 1.0 + 1e-9, "{name}, {}: {share}", layer.name);
            println!("{name}, {}: {share:.3} of the bound", layer.name);
            // A bound that nothing comes near says nothing. Some 150 misses of random signs add up to a
            // tenth of their sum; ReLUs that are mostly shut hide all of it.
            let hidden = layer.activation == Activation::Relu;
            assert!(hidden || share > 0.02, "{name}, {}: {share}", layer.name);
        }
    }
}

#[test]
fn no_layer_of_edge_strays_farther_than_proved() {
    check("edge.safetensors");
}

#[test]
fn no_layer_of_paper_strays_farther_than_proved() {
    check("paper.safetensors");
}
