//! Layers with tensors.

use super::{Map, Net};
use crate::autograd::Var;
use crate::methods::tensors::{Init, Role};
use crate::ops::{
    Activation, Conv2d, DeformSample, Moments, Normalise, Prelu, Stride, StridedConv2d,
    TransposedConv2d,
};
use crate::tensor::Shape;

/// A convolution with square kernel.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    out: usize,
    kernel: usize,
    init: Init,
    bias: Bias,
    activation: Activation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bias {
    None,
    Zero,
    Uniform,
}

impl Layer {
    /// `out` channels, kernel of side `kernel`, bias, both uniform in `±1/√fan_in`.
    pub const fn new(out: usize, kernel: usize) -> Self {
        Self {
            out,
            kernel,
            init: Init::Uniform,
            bias: Bias::Uniform,
            activation: Activation::None,
        }
    }

    /// Without bias.
    pub const fn bare(mut self) -> Self {
        self.bias = Bias::None;
        self
    }

    /// Kernel by `init`; a bias starts at zero.
    pub const fn init(mut self, init: Init) -> Self {
        self.init = init;
        if !matches!(self.bias, Bias::None) {
            self.bias = Bias::Zero;
        }
        self
    }

    /// The bias uniform, however the kernel begins.
    pub const fn uniform_bias(mut self) -> Self {
        self.bias = Bias::Uniform;
        self
    }

    /// Followed by a ReLU.
    pub const fn relu(mut self) -> Self {
        self.activation = Activation::Relu;
        self
    }

    /// Followed by a sigmoid.
    pub const fn sigmoid(mut self) -> Self {
        self.activation = Activation::Sigmoid;
        self
    }
}

impl Net<'_> {
    /// Every row of `x` times `matrix (out, in)`, plus `bias`.
    pub fn product(&mut self, x: Map, matrix: Var, bias: Option<Var>, out: usize) -> Map {
        // The rows of a matrix product are the pixels of one map.
        let op = Conv2d {
            input: Shape {
                n: 1,
                h: 1,
                w: x.shape.n,
                c: x.shape.item(),
            },
            out_channels: out,
            kernel: 1,
            bias: bias.is_some(),
            activation: Activation::None,
        };
        let inputs: Vec<Var> = [x.var, matrix].into_iter().chain(bias).collect();
        let var = self.apply(op, &inputs);
        let shape = Shape {
            n: x.shape.n,
            h: 1,
            w: 1,
            c: out,
        };
        Map { var, shape }
    }

    /// A trained linear layer with bias on every row of `x`.
    pub fn linear(&mut self, name: &str, x: Map, out: usize) -> Map {
        let inputs = x.shape.item();
        self.within(name, |net| {
            let matrix = net.parameter("weight", &[out, inputs], Init::Uniform);
            let bias = net.parameter("bias", &[out], Init::UniformOf(inputs));
            net.product(x, matrix, Some(bias), out)
        })
    }

    fn weights(&mut self, shape: [usize; 4], layer: Layer, out: usize) -> Vec<Var> {
        let mut inputs = vec![self.parameter("weight", &shape, layer.init)];
        let bias = match layer.bias {
            Bias::None => return inputs,
            Bias::Zero => Init::Constant(0.0),
            Bias::Uniform => Init::UniformOf(shape[1] * layer.kernel * layer.kernel),
        };
        inputs.push(self.parameter("bias", &[out], bias));
        inputs
    }

    /// A convolution of stride 1 that keeps the map's sides; its kernel's side is odd.
    pub fn conv(&mut self, name: &str, x: Map, layer: Layer) -> Map {
        let (out, kernel) = (layer.out, layer.kernel);
        let shape = [out, x.shape.c, kernel, kernel];
        let weights = self.within(name, |net| net.weights(shape, layer, out));
        self.conv_by(x, &weights, layer)
    }

    /// The same with given kernel and, if there are two, bias.
    pub fn conv_by(&mut self, x: Map, weights: &[Var], layer: Layer) -> Map {
        let op = Conv2d {
            input: x.shape,
            out_channels: layer.out,
            kernel: layer.kernel,
            bias: weights.len() == 2,
            activation: layer.activation,
        };
        let inputs: Vec<Var> = [x.var].iter().chain(weights).copied().collect();
        let var = self.apply(op, &inputs);
        Map {
            var,
            shape: op.output(),
        }
    }

    /// A convolution with a stride; an activation of `layer` is not applied.
    pub fn strided(&mut self, name: &str, x: Map, layer: Layer, by: Stride) -> Map {
        let (out, kernel) = (layer.out, layer.kernel);
        let shape = [out, x.shape.c, kernel, kernel];
        let weights = self.within(name, |net| net.weights(shape, layer, out));
        self.strided_by(x, &weights, layer, by)
    }

    /// The same with given kernel and, if there are two, bias.
    pub fn strided_by(&mut self, x: Map, weights: &[Var], layer: Layer, by: Stride) -> Map {
        let op = StridedConv2d {
            input: x.shape,
            out_channels: layer.out,
            by,
            bias: weights.len() == 2,
        };
        let inputs: Vec<Var> = [x.var].iter().chain(weights).copied().collect();
        let var = self.apply(op, &inputs);
        Map {
            var,
            shape: op.output(),
        }
    }

    /// A transposed convolution; an activation of `layer` is not applied.
    pub fn transposed(&mut self, name: &str, x: Map, layer: Layer, by: Stride) -> Map {
        let (out, kernel) = (layer.out, layer.kernel);
        let shape = [x.shape.c, out, kernel, kernel];
        let weights = self.within(name, |net| net.weights(shape, layer, out));
        let op = TransposedConv2d {
            input: x.shape,
            out_channels: out,
            by,
            bias: weights.len() == 2,
        };
        let inputs: Vec<Var> = [x.var].into_iter().chain(weights).collect();
        let var = self.apply(op, &inputs);
        Map {
            var,
            shape: op.output(),
        }
    }

    /// A deformable 3×3 convolution of `x` without bias, by `groups` sets of `offsets`.
    pub fn deformable(&mut self, x: Map, offsets: Map, groups: usize, out: usize) -> Map {
        let op = DeformSample {
            input: x.shape,
            groups,
        };
        let samples = Map {
            var: self.apply(op, &[x.var, offsets.var]),
            shape: op.output(),
        };
        self.conv(
            "kernel",
            samples,
            Layer::new(out, 1).bare().init(Init::Deformable),
        )
    }

    /// Leaky rectifier with one learned slope, 0.2 at first.
    pub fn prelu(&mut self, name: &str, x: Map) -> Map {
        let slope = self.parameter(&format!("{name}.slope"), &[1], Init::Constant(0.2));
        let len = x.shape.len();
        let var = self.apply(Prelu { len }, &[x.var, slope]);
        Map { var, ..x }
    }

    /// Batch normalisation: of the batch in training, by collected moments afterwards.
    pub fn batch_norm(&mut self, name: &str, x: Map) -> Map {
        const EPSILON: f32 = 1e-5;
        const MOMENTUM: f32 = 0.1;
        let channels = x.shape.c;
        let pixels = x.shape.n * x.shape.pixels();
        self.within(name, |net| {
            let gamma = net.parameter("weight", &[channels], Init::Constant(1.0));
            let beta = net.parameter("bias", &[channels], Init::Constant(0.0));
            let collected = net.tensor("moments", &[2, channels], Init::Moments, Role::State);
            let moments = if net.training() {
                let moments = net.apply(Moments { pixels, channels }, &[x.var]);
                let unbiased = pixels as f32 / (pixels - 1).max(1) as f32;
                net.follow("moments", moments, MOMENTUM, unbiased);
                moments
            } else {
                collected
            };
            let op = Normalise {
                pixels,
                channels,
                epsilon: EPSILON,
            };
            let var = net.apply(op, &[x.var, moments, gamma, beta]);
            Map { var, ..x }
        })
    }
}
