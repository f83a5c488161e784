//! The language in which methods describe their networks.
//!
//! One description serves all ends: recorded on a tape it computes, on a
//! [`Counting`](crate::backend::counting::Counting) backend it declares its tensors and counts its
//! work. Values are maps `(n, h, w, c)`; vectors per frame are maps of one pixel.

use std::fmt::Display;

use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, MAP_LEN, MAP_SIDE};

use super::sensor::Sensor;
use super::tensors::{Init, Role, Spec};
use crate::autograd::Var;
use crate::ops::{
    AbsoluteError, Activation, Add, Concat, Conv2d, DataStep, DeformSample, Function, Gather,
    GroupScale, Interpolation, Moments, Mul, Normalise, Op, PixelShuffle, Pointwise, Prelu, Resize,
    Rule, Shrink, SoftThreshold, SquaredError, Stride, StridedConv2d, Sub, TransposedConv2d,
};
use crate::tensor::Shape;

/// A value on the tape with its shape.
#[derive(Clone, Copy, Debug)]
pub struct Map {
    /// The value.
    pub var: Var,
    /// Its shape.
    pub shape: Shape,
}

/// Takes down what a network does.
pub trait Recorder {
    /// Applies an operator.
    fn apply(&mut self, op: Op, inputs: &[Var]) -> Var;
    /// A constant.
    fn constant(&mut self, values: &[f32]) -> Var;
    /// A tensor of the method; the same name is the same tensor.
    fn tensor(&mut self, spec: Spec) -> Var;
}

/// A batch of trajectories as a method sees it.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Counts `(frames, 121)`, trajectory after trajectory.
    pub counts: &'a [f32],
    /// Frames per trajectory, at least 5.
    pub length: usize,
    /// The sensor.
    pub sensor: &'a Sensor,
}

/// Which of a method's forms is meant.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Name of a variant.
    pub variant: &'static str,
    /// Few channels and blocks, for checks.
    pub small: bool,
    /// With what only training needs: symmetric branches, batch moments.
    pub training: bool,
}

/// A new value of a [`Role::State`] tensor, known after the pass.
#[derive(Clone, Debug)]
pub struct Update {
    /// The tensor.
    pub name: String,
    /// Where its new values are: the first ones of this value.
    pub value: Var,
    /// Share that the new values get; 1 replaces the old ones.
    pub share: f32,
    /// Factor of the second half of the new values.
    pub second_half: f32,
}

/// A convolution with square kernel.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    out: usize,
    kernel: usize,
    init: Init,
    bias: Bias,
    relu: bool,
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
            relu: false,
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
        self.relu = true;
        self
    }
}

/// A network under description.
pub struct Net<'r> {
    recorder: &'r mut dyn Recorder,
    input: Input<'r>,
    form: Form,
    scope: String,
    updates: Vec<Update>,
}

impl<'r> Net<'r> {
    /// Begins the description of a network of `form` on `input`.
    pub fn new(recorder: &'r mut dyn Recorder, input: Input<'r>, form: Form) -> Self {
        Self {
            recorder,
            input,
            form,
            scope: String::new(),
            updates: Vec::new(),
        }
    }

    /// New values of state tensors.
    pub fn into_updates(self) -> Vec<Update> {
        self.updates
    }

    /// Whether training follows.
    pub fn training(&self) -> bool {
        self.form.training
    }

    /// Whether the variant called `name` is meant.
    pub fn is(&self, name: &str) -> bool {
        self.form.variant == name
    }

    /// `full`, or `small` where the network is a small one for checks.
    pub fn pick(&self, full: usize, small: usize) -> usize {
        if self.form.small { small } else { full }
    }

    /// Frames in the batch.
    pub fn frame_count(&self) -> usize {
        self.input.counts.len() / FRAME_LEN
    }

    /// Frames per trajectory.
    pub fn length(&self) -> usize {
        self.input.length
    }

    /// Names what `build` adds below `scope`.
    pub fn within<T>(&mut self, scope: impl Display, build: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.scope.len();
        self.scope.push_str(&format!("{scope}."));
        let built = build(self);
        self.scope.truncate(outer);
        built
    }

    /// Applies an operator.
    pub fn apply(&mut self, op: impl Into<Op>, inputs: &[Var]) -> Var {
        self.recorder.apply(op.into(), inputs)
    }

    fn tensor(&mut self, name: &str, shape: &[usize], init: Init, role: Role) -> Var {
        self.recorder.tensor(Spec {
            name: format!("{}{name}", self.scope),
            shape: shape.to_vec(),
            init,
            role,
        })
    }

    /// A trained tensor.
    pub fn parameter(&mut self, name: &str, shape: &[usize], init: Init) -> Var {
        self.tensor(name, shape, init, Role::Trained)
    }

    /// A tensor of the published network that never runs.
    pub fn unused(&mut self, name: &str, shape: &[usize], init: Init) {
        self.tensor(name, shape, init, Role::Unused);
    }

    /// A constant.
    pub fn constant(&mut self, shape: Shape, values: &[f32]) -> Map {
        debug_assert_eq!(shape.len(), values.len());
        let var = self.recorder.constant(values);
        Map { var, shape }
    }

    fn pixels(&mut self, n: usize, c: usize, values: &[f32]) -> Map {
        let shape = Shape { n, h: 1, w: 1, c };
        self.constant(shape, values)
    }

    /// A constant of one value.
    pub fn scalar(&mut self, value: f32) -> Map {
        self.pixels(1, 1, &[value])
    }

    /// The frames `(n, 11, 11, 1)`, counts.
    pub fn frames(&mut self) -> Map {
        let counts = self.input.counts;
        let shape = Shape {
            n: counts.len() / FRAME_LEN,
            h: FRAME_SIDE,
            w: FRAME_SIDE,
            c: 1,
        };
        self.constant(shape, counts)
    }

    /// `Q_init y (n, 33, 33, 1)`.
    pub fn start(&mut self) -> Map {
        let frames = self.frames();
        let map = self.times(frames, &self.input.sensor.operators.qinit, MAP_LEN);
        self.as_map(map)
    }

    /// `Φᵀ y (n, 33, 33, 1)`.
    pub fn back_projection(&mut self) -> Map {
        let (frames, matrix) = (self.frames(), self.input.sensor.transposed_phi());
        let map = self.times(frames, &matrix, MAP_LEN);
        self.as_map(map)
    }

    /// `Φ x (n, 1, 1, 121)`.
    pub fn seen(&mut self, x: Map) -> Map {
        self.times(x, &self.input.sensor.phi, FRAME_LEN)
    }

    /// A map per row of 1,089 values.
    pub fn as_map(&self, x: Map) -> Map {
        let (h, w) = (MAP_SIDE, MAP_SIDE);
        let shape = Shape {
            n: x.shape.n,
            h,
            w,
            c: 1,
        };
        Map { shape, ..x }
    }

    /// A row per map.
    pub fn as_rows(&self, x: Map) -> Map {
        let shape = Shape {
            n: x.shape.n,
            h: 1,
            w: 1,
            c: x.shape.item(),
        };
        Map { shape, ..x }
    }

    /// Every row of `x` times a constant `matrix (out, in)`.
    pub fn times(&mut self, x: Map, matrix: &[f32], out: usize) -> Map {
        let matrix = self.recorder.constant(matrix);
        self.product(x, matrix, None, out)
    }

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
            activation: if layer.relu {
                Activation::Relu
            } else {
                Activation::None
            },
        };
        let inputs: Vec<Var> = [x.var].iter().chain(weights).copied().collect();
        let var = self.apply(op, &inputs);
        Map {
            var,
            shape: op.output(),
        }
    }

    /// A convolution with a stride; a ReLU of `layer` is not applied.
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

    /// A transposed convolution; a ReLU of `layer` is not applied.
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

    /// `a + b`.
    pub fn add(&mut self, a: Map, b: Map) -> Map {
        let len = a.shape.len();
        let var = self.apply(Add { len }, &[a.var, b.var]);
        Map { var, ..a }
    }

    /// `a - b`.
    pub fn sub(&mut self, a: Map, b: Map) -> Map {
        let len = a.shape.len();
        let var = self.apply(Sub { len }, &[a.var, b.var]);
        Map { var, ..a }
    }

    /// `a · b`, element by element.
    pub fn mul(&mut self, a: Map, b: Map) -> Map {
        let len = a.shape.len();
        let var = self.apply(Mul { len }, &[a.var, b.var]);
        Map { var, ..a }
    }

    /// A function of every value.
    pub fn map(&mut self, x: Map, function: Function) -> Map {
        let len = x.shape.len();
        let var = self.apply(Pointwise { len, function }, &[x.var]);
        Map { var, ..x }
    }

    /// `factor · x`.
    pub fn scale(&mut self, x: Map, factor: f32) -> Map {
        self.map(x, Function::Scale(factor))
    }

    /// `s · x` for one value `s` on the tape.
    pub fn times_scalar(&mut self, x: Map, s: Var) -> Map {
        let channels = x.shape.len();
        let op = GroupScale {
            pixels: 1,
            channels,
            groups: 1,
        };
        let var = self.apply(op, &[x.var, s]);
        Map { var, ..x }
    }

    /// Every row of `x` times its value in `s (n)`.
    pub fn times_rows(&mut self, x: Map, s: Map) -> Map {
        let op = GroupScale {
            pixels: x.shape.n,
            channels: x.shape.item(),
            groups: 1,
        };
        let var = self.apply(op, &[x.var, s.var]);
        Map { var, ..x }
    }

    /// Leaky rectifier with a constant slope.
    pub fn leaky(&mut self, x: Map, slope: f32) -> Map {
        let slope = self.scalar(slope);
        let len = x.shape.len();
        let var = self.apply(Prelu { len }, &[x.var, slope.var]);
        Map { var, ..x }
    }

    /// Leaky rectifier with one learned slope, 0.2 at first.
    pub fn prelu(&mut self, name: &str, x: Map) -> Map {
        let slope = self.parameter(&format!("{name}.slope"), &[1], Init::Constant(0.2));
        let len = x.shape.len();
        let var = self.apply(Prelu { len }, &[x.var, slope]);
        Map { var, ..x }
    }

    /// Channels of all `parts`, one after the other.
    pub fn concat(&mut self, parts: &[Map]) -> Map {
        let shape = parts[0].shape;
        let channels: Vec<usize> = parts.iter().map(|p| p.shape.c).collect();
        let c = channels.iter().sum();
        let op = Concat {
            pixels: shape.n * shape.pixels(),
            channels,
        };
        let inputs: Vec<Var> = parts.iter().map(|p| p.var).collect();
        Map {
            var: self.apply(op, &inputs),
            shape: shape.with_channels(c),
        }
    }

    /// Maps `index` of the batch.
    pub fn select(&mut self, x: Map, index: Vec<usize>) -> Map {
        let shape = Shape {
            n: index.len(),
            ..x.shape
        };
        let op = Gather {
            index,
            sources: x.shape.n,
            item: x.shape.item(),
        };
        let var = self.apply(op, &[x.var]);
        Map { var, shape }
    }

    /// Value number `index` of `x`.
    pub fn pick_value(&mut self, x: Map, index: usize) -> Var {
        let op = Gather {
            index: vec![index],
            sources: x.shape.len(),
            item: 1,
        };
        self.apply(op, &[x.var])
    }

    /// A map of `shape` that has value `index` of `x` everywhere.
    pub fn spread(&mut self, x: Map, index: usize, shape: Shape) -> Map {
        let op = Gather {
            index: vec![index; shape.len()],
            sources: x.shape.len(),
            item: 1,
        };
        let var = self.apply(op, &[x.var]);
        Map { var, shape }
    }

    /// Channels as sub-pixels.
    pub fn shuffle(&mut self, x: Map, factor: usize) -> Map {
        let op = PixelShuffle {
            input: x.shape,
            factor,
        };
        Map {
            var: self.apply(op, &[x.var]),
            shape: op.output(),
        }
    }

    /// Maps of other sides.
    pub fn resize(&mut self, x: Map, side: usize, interpolation: Interpolation) -> Map {
        let op = Resize {
            input: x.shape,
            h: side,
            w: side,
            interpolation,
        };
        Map {
            var: self.apply(op, &[x.var]),
            shape: op.output(),
        }
    }

    /// `x - ρ · (G x G - B)` with `G (side, side)` and `B` like `x`; see [`DataStep`].
    pub fn data_step(&mut self, x: Map, back: Map, rho: Var, gram: &[f32]) -> Map {
        let gram = self.recorder.constant(gram);
        let op = DataStep {
            n: x.shape.n,
            side: x.shape.h,
        };
        let var = self.apply(op, &[x.var, back.var, rho, gram]);
        Map { var, ..x }
    }

    /// `x - ρ · (ΦᵀΦ x - B)`.
    pub fn gradient_step(&mut self, x: Map, back: Map, rho: Var) -> Map {
        let sensor = self.input.sensor;
        self.data_step(x, back, rho, &sensor.operators.gram)
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

    /// A tensor that training collects; see [`Net::follow`].
    pub fn state(&mut self, name: &str, shape: &[usize], init: Init) -> Var {
        self.tensor(name, shape, init, Role::State)
    }

    /// Lets the state tensor `name` follow `value`; see [`Update`].
    pub fn follow(&mut self, name: &str, value: Var, share: f32, second_half: f32) {
        self.updates.push(Update {
            name: format!("{}{name}", self.scope),
            value,
            share,
            second_half,
        });
    }

    /// Mean of the squares of `x`, or of `x - target`.
    pub fn mean_square(&mut self, x: Map, target: Option<Map>) -> Var {
        let len = x.shape.len();
        let inputs: Vec<Var> = [x].into_iter().chain(target).map(|m| m.var).collect();
        let scale = 1.0 / len as f32;
        self.apply(SquaredError { len, scale }, &inputs)
    }

    /// Mean of the magnitudes of `x`.
    pub fn mean_magnitude(&mut self, x: Map) -> Var {
        let zeros = self.constant(x.shape, &vec![0.0; x.shape.len()]);
        let len = x.shape.len();
        let scale = 1.0 / len as f32;
        self.apply(AbsoluteError { len, scale }, &[x.var, zeros.var])
    }

    /// Soft threshold of all values by one.
    pub fn soft(&mut self, x: Map, theta: Var) -> Map {
        let len = x.shape.len();
        let var = self.apply(SoftThreshold { len }, &[x.var, theta]);
        Map { var, ..x }
    }

    /// Threshold of every row of `x` by a row of thresholds `(1, len)` or one per row.
    pub fn shrink(&mut self, x: Map, theta: Map, rule: Rule) -> Map {
        let (rows, len) = (x.shape.n, x.shape.item());
        let theta = if theta.shape.n == rows {
            theta
        } else {
            self.select(theta, vec![0; rows])
        };
        let var = self.apply(Shrink { rows, len, rule }, &[x.var, theta.var]);
        Map { var, ..x }
    }

    /// Values of a tensor as one row.
    pub fn row(&mut self, name: &str, len: usize, init: Init) -> Map {
        let var = self.parameter(name, &[len], init);
        let (n, h, w) = (1, 1, 1);
        let shape = Shape { n, h, w, c: len };
        Map { var, shape }
    }

    /// Rectifier.
    pub fn relu(&mut self, x: Map) -> Map {
        self.leaky(x, 0.0)
    }

    /// The frames of each trajectory that are scored, all but two at either end.
    pub fn scored(&mut self, x: Map) -> Map {
        let index = scored_frames(x.shape.n, self.input.length);
        self.select(x, index)
    }
}

/// Frames of a batch, all but two at either end of each trajectory.
pub fn scored_frames(frames: usize, length: usize) -> Vec<usize> {
    let inside = |frame: &usize| (2..length - 2).contains(&(frame % length));
    (0..frames).filter(inside).collect()
}
