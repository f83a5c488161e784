//! The same problems on an ONNX runtime: the operator as the exporter writes it, weights inside.

use derefnet::backend::Backend;
use derefnet::backend::cpu::Cpu;
use derefnet::onnx::{Block, Builder, Constant, Stage, Value, encode};
use derefnet::tensor::Shape;

use super::check::compare;
use super::{Case, per_item, wide};
use super::{
    channel_stats, conv2d, data_step, deform_conv2d, group_scale, soft_threshold, time_code,
};
use crate::cases::unsigned;
use crate::tract::Tract;

/// A graph of one operator and what goes into it.
#[derive(Debug)]
pub struct Export {
    builder: Builder,
    items: Vec<Vec<usize>>,
    batch: usize,
    inputs: Vec<Vec<f32>>,
}

/// `(n, h, w, c)` to `(n, c, h, w)`.
fn channels_first(shape: Shape, values: &[f32]) -> Vec<f32> {
    let Shape { n, h, w, c } = shape;
    let places = (0..n * c * h * w).map(|at| {
        let (item, channel, pixel) = (at / (c * h * w), at / (h * w) % c, at % (h * w));
        (item * h * w + pixel) * c + channel
    });
    places.map(|at| values[at]).collect()
}

/// `(n, c, h, w)` to `(n, h, w, c)`, for the shape behind the arrow.
fn channels_last(shape: Shape, values: &[f32]) -> Vec<f32> {
    let Shape { n, h, w, c } = shape;
    let places = (0..n * c * h * w).map(|at| {
        let (item, pixel, channel) = (at / (c * h * w), at / c % (h * w), at % c);
        (item * c + channel) * h * w + pixel
    });
    places.map(|at| values[at]).collect()
}

impl Export {
    fn new() -> Self {
        Self {
            builder: Builder::new("operator"),
            items: Vec::new(),
            batch: 0,
            inputs: Vec::new(),
        }
    }

    /// An input of maps, given as `(n, h, w, c)`.
    fn maps(&mut self, shape: Shape, values: &[f32]) -> Value {
        let Shape { n, h, w, c } = shape;
        let name = format!("input/{}", self.inputs.len());
        self.items.push(vec![c, h, w]);
        self.batch = n;
        self.inputs.push(channels_first(shape, values));
        self.builder.input(&name, "", 1, &[c, h, w])
    }

    fn constant(&mut self, name: &str, dims: &[usize], values: &[f32]) -> Constant {
        self.builder.constant(name, dims, values)
    }

    /// What tract makes of it, for an output of `shape`, as `(n, h, w, c)`.
    fn run(mut self, output: &Value, shape: Shape) -> Vec<f32> {
        self.builder.output(output, "");
        let file = encode(self.builder.finish(), &[]);
        let values = Tract::new(&file, &self.items, Some(self.batch)).run(&self.inputs);
        channels_last(shape, &values[0])
    }
}

/// A problem that can be exported.
pub trait Exported: Case {
    /// Output on tract, in the layout of [`Case::forward`].
    fn on_tract(&self, inputs: &[Vec<f32>]) -> Vec<f32>;

    /// Compares tract with the oracle.
    ///
    /// # Errors
    /// Says which value is wrong, and how.
    fn check_export(&self) -> Result<(), String> {
        let inputs = self.inputs();
        let exact: Vec<Vec<f64>> = inputs.iter().map(|i| wide(i)).collect();
        let want = self.forward(&exact);
        let magnitudes: Vec<Vec<f64>> = exact.iter().map(|i| unsigned(i)).collect();
        let dy = wide(&self.output_gradient(want.len()));
        let sizes = self.sizes(&magnitudes, &unsigned(&dy)).output;
        let got = self.on_tract(&inputs);
        compare("output", &got, &want, &sizes, self.tolerance())
    }
}

impl Exported for conv2d::Problem {
    fn on_tract(&self, inputs: &[Vec<f32>]) -> Vec<f32> {
        let (op, mut export) = (self.op, Export::new());
        let x = export.maps(op.input, &inputs[0]);
        let dims = [op.out_channels, op.input.c, op.kernel, op.kernel];
        let weight = export.constant("weight", &dims, &inputs[1]);
        let bias = inputs.get(2);
        let bias = bias.map(|bias| export.constant("bias", &[op.out_channels], bias));
        let weights = (&weight, bias.as_ref());
        let y = export.builder.conv2d("conv", &x, weights, op.activation);
        export.run(&y, op.output())
    }
}

impl Exported for deform_conv2d::Problem {
    fn on_tract(&self, inputs: &[Vec<f32>]) -> Vec<f32> {
        let (op, mut export) = (self.op, Export::new());
        let x = export.maps(op.input, &inputs[0]);
        let offsets = export.maps(op.input.with_channels(18), &inputs[1]);
        let dims = [op.out_channels, op.input.c, 3, 3];
        let weight = export.constant("weight", &dims, &inputs[2]);
        let y = export
            .builder
            .deform_conv2d("deform", &x, &offsets, &weight);
        export.run(&y, op.output())
    }
}

impl Exported for data_step::Problem {
    fn on_tract(&self, inputs: &[Vec<f32>]) -> Vec<f32> {
        let (n, side) = (self.op.n, self.op.side);
        let (shape, mut export) = (square(n, side), Export::new());
        let (h, back) = (
            export.maps(shape, &inputs[0]),
            export.maps(shape, &inputs[1]),
        );
        let rho = export.constant("rho", &[1], &inputs[2]);
        let gram = export.constant("AtA", &[side, side], &inputs[3]);
        let y = export.builder.data_step((&h, &back), &rho, &gram);
        export.run(&y, shape)
    }
}

/// Shape of `n` maps of one channel.
fn square(n: usize, side: usize) -> Shape {
    let (h, w, c) = (side, side, 1);
    Shape { n, h, w, c }
}

/// Shape of a list of pixels with channels.
fn list(pixels: usize, c: usize) -> Shape {
    let (n, h, w) = (1, pixels, 1);
    Shape { n, h, w, c }
}

impl Exported for soft_threshold::Problem {
    fn on_tract(&self, inputs: &[Vec<f32>]) -> Vec<f32> {
        let (shape, mut export) = (list(self.len, 1), Export::new());
        let x = export.maps(shape, &inputs[0]);
        let theta = export.constant("theta", &[1], &inputs[1]);
        let y = export.builder.soft_threshold(&x, &theta);
        export.run(&y, shape)
    }
}

impl Exported for time_code::Problem {
    /// Gates of ones are the gates themselves; the exporter computes them by the operator.
    fn on_tract(&self, inputs: &[Vec<f32>]) -> Vec<f32> {
        let cpu = Cpu::new();
        let buffers: Vec<_> = inputs.iter().map(|i| cpu.upload(i)).collect();
        let mut gates = cpu.alloc(self.times * self.len);
        let operator = cpu.kernels(self.op());
        operator.forward(&cpu, &buffers.iter().collect::<Vec<_>>(), &mut gates);
        let gates = cpu.download(&gates);
        let mut export = Export::new();
        let shape = Shape {
            n: 1,
            h: self.len,
            w: 1,
            c: self.times,
        };
        let x = export.maps(shape, &vec![1.0; gates.len()]);
        let gates = export.constant("gates", &[self.times, self.len, 1], &gates);
        let y = export.builder.time_code(&x, &gates);
        // Times first, as the operator has them.
        let frames = Shape {
            n: self.times,
            c: 1,
            ..shape
        };
        export.run(&y, frames)
    }
}

impl Exported for channel_stats::Problem {
    fn on_tract(&self, inputs: &[Vec<f32>]) -> Vec<f32> {
        let mut export = Export::new();
        let x = export.maps(list(self.op.pixels, self.op.channels), &inputs[0]);
        let y = export.builder.channel_stats(&x);
        export.run(&y, list(self.op.pixels, 2))
    }
}

impl Exported for group_scale::Problem {
    fn on_tract(&self, inputs: &[Vec<f32>]) -> Vec<f32> {
        let (op, mut export) = (self.op, Export::new());
        let x = export.maps(list(op.pixels, op.channels), &inputs[0]);
        let scale = export.maps(list(op.pixels, op.groups), &inputs[1]);
        let y = export.builder.group_scale(&x, &scale);
        export.run(&y, list(op.pixels, op.channels))
    }
}

impl Exported for per_item::Problem {
    /// Those graphs that the network has; others are not exported.
    fn on_tract(&self, inputs: &[Vec<f32>]) -> Vec<f32> {
        match self.kind {
            per_item::Kind::Block => self.block_on_tract(inputs),
            per_item::Kind::Stage { symmetric: false } => self.stage_on_tract(inputs),
            kind => panic!("{kind:?} is never exported"),
        }
    }
}

impl per_item::Problem {
    fn stage_on_tract(&self, inputs: &[Vec<f32>]) -> Vec<f32> {
        let (shape, c, mut export) = (square(self.n, self.side), self.channels, Export::new());
        let (h, back) = (
            export.maps(shape, &inputs[0]),
            export.maps(shape, &inputs[1]),
        );
        let mut constant =
            |name: &str, dims: &[usize], k: usize| export.constant(name, dims, &inputs[k]);
        let (kernel, side) = ([c, c, 3, 3], [self.side; 2]);
        let stage = Stage {
            rho: constant("rho", &[1], 2),
            gram: constant("AtA", &side, 3),
            forward: [constant("f1", &[c, 1, 3, 3], 4), constant("f2", &kernel, 5)],
            theta: constant("theta", &[1], 8),
            backward: [constant("g1", &kernel, 6), constant("g2", &[1, c, 3, 3], 7)],
        };
        let y = export.builder.stage((&h, &back), &stage);
        export.run(&y, shape)
    }

    fn block_on_tract(&self, inputs: &[Vec<f32>]) -> Vec<f32> {
        let (c, mut export) = (self.channels, Export::new());
        let shape = square(self.n, self.side).with_channels(c);
        let x = export.maps(shape, &inputs[0]);
        let kernel = [c, c, 3, 3];
        let block = Block {
            weights: [
                export.constant("w1", &kernel, &inputs[1]),
                export.constant("w2", &kernel, &inputs[2]),
            ],
            biases: [
                export.constant("b1", &[c], &inputs[3]),
                export.constant("b2", &[c], &inputs[4]),
            ],
        };
        let y = export.builder.residual_block(&x, &block);
        export.run(&y, shape)
    }
}
