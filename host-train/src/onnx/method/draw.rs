//! Each operator of the methods as nodes.

use super::{Drawing, Node};
use crate::autograd::Var;
use crate::backend::Backend;
use crate::onnx::graph::{Constant, Value, ints};
use crate::ops::{Function, Interpolation, Op, Operator, Pool, Resize, Stride, Take};
use crate::tensor::Shape;

/// `(c, h, w)` of a shape.
fn item(shape: Shape) -> [usize; 3] {
    [shape.c, shape.h, shape.w]
}

/// Channels before pixels.
pub(super) fn channels_first(values: &[f32], [c, h, w]: [usize; 3]) -> Vec<f32> {
    let value = |k: usize| values[k % (h * w) * c + k / (h * w)];
    (0..c * h * w).map(value).collect()
}

impl Drawing<'_> {
    /// A constant of ONNX's layout.
    pub(super) fn constant_of(&mut self, var: Var, dims: &[usize]) -> Option<Constant> {
        let Node::Constant(values, name) = self.nodes.get(&var)?.clone() else {
            return None;
        };
        let name = name.unwrap_or_else(|| format!("constants/{var:?}"));
        Some(self.builder.constant(&name, dims, &values))
    }

    /// A value whose items have the shape `(c, h, w)`.
    pub(super) fn value_of(&mut self, var: Var, item: [usize; 3]) -> Option<Value> {
        let Node::Value(value) = self.nodes.get(&var)?.clone() else {
            return None;
        };
        if value.item() == item {
            return Some(value);
        }
        // Rows and maps of one channel have their values in one order, whatever the layout.
        let is_row = |item: &[usize]| item[0] == 1 || item[1..].iter().product::<usize>() == 1;
        let len = |item: &[usize]| item.iter().product::<usize>();
        let as_long = len(value.item()) == len(&item);
        let fits = as_long && is_row(value.item()) && is_row(&item);
        fits.then(|| {
            let name = format!("{var:?}");
            self.builder.reshape(&name, &value, value.batch(), &item)
        })
    }

    /// The items of a value as they are.
    pub(super) fn shape_of(&self, var: Var) -> Option<[usize; 3]> {
        match self.nodes.get(&var)? {
            Node::Value(value) => value.item().try_into().ok(),
            Node::Constant(..) => None,
        }
    }

    /// The nodes of `op`; `None` where it has no counterpart.
    pub(super) fn draw(&mut self, op: &Op, inputs: &[Var]) -> Option<Value> {
        match op {
            Op::Conv2d(op) => {
                let kernel = [op.out_channels, op.input.c, op.kernel, op.kernel];
                let x = self.value_of(inputs[0], self.conv_item(op, inputs[0]))?;
                let weight = self.constant_of(inputs[1], &kernel)?;
                let bias = inputs
                    .get(2)
                    .map(|&b| self.constant_of(b, &[op.out_channels]));
                let bias = bias.map_or(Some(None), |b| b.map(Some))?;
                let weights = (&weight, bias.as_ref());
                Some(self.builder.conv2d("conv", &x, weights, op.activation))
            }
            Op::StridedConv2d(op) => {
                let dims = [op.out_channels, op.input.c, op.by.kernel, op.by.kernel];
                let out = item(op.output());
                self.strided("Conv", inputs, (item(op.input), out), (dims, op.by))
            }
            Op::TransposedConv2d(op) => {
                let dims = [op.input.c, op.out_channels, op.by.kernel, op.by.kernel];
                let out = item(op.output());
                self.strided(
                    "ConvTranspose",
                    inputs,
                    (item(op.input), out),
                    (dims, op.by),
                )
            }
            Op::Add(_) => self.pair("Add", inputs),
            Op::Sub(_) => self.pair("Sub", inputs),
            Op::Mul(_) => self.pair("Mul", inputs),
            Op::GroupScale(op) => self.group_scale(op, inputs),
            Op::Prelu(_) => {
                let shape = self.shape_of(inputs[0])?;
                let x = self.value_of(inputs[0], shape)?;
                let slope = self.constant_of(inputs[1], &[1, 1, 1])?;
                Some(self.builder.with("PRelu", "rectified", &x, &slope))
            }
            Op::Pointwise(op) => self.pointwise(op.function, inputs[0]),
            Op::Concat(op) => {
                let parts = inputs.iter().zip(&op.channels);
                let shapes: Vec<(Var, usize)> = parts.map(|(&v, &c)| (v, c)).collect();
                self.concat(op.pixels, &shapes)
            }
            Op::PixelShuffle(op) => {
                let Shape { h, w, .. } = op.input;
                let (f, c) = (op.factor, op.output().c);
                let x = self.value_of(inputs[0], item(op.input))?;
                let b = &mut self.builder;
                let n = x.batch();
                let x = b.reshape("parts", &x, n, &[c, f, f, h, w]);
                let x = b.transpose("side_by_side", &x, &[0, 1, 4, 2, 5, 3]);
                Some(b.reshape("shuffled", &x, n, &[c, h * f, w * f]))
            }
            Op::Pool(op) => self.pool(op, inputs[0]),
            Op::Resize(op) => self.resize(op, inputs[0]),
            Op::SoftThreshold(_) => {
                let shape = self.shape_of(inputs[0])?;
                let x = self.value_of(inputs[0], shape)?;
                let theta = self.constant_of(inputs[1], &[])?;
                Some(self.builder.soft_threshold(&x, &theta))
            }
            Op::DataStep(op) => {
                let map = [1, op.side, op.side];
                let x = self.value_of(inputs[0], map)?;
                let back = self.value_of(inputs[1], map)?;
                let rho = self.constant_of(inputs[2], &[])?;
                let gram = self.constant_of(inputs[3], &map[1..])?;
                Some(self.builder.data_step((&x, &back), &rho, &gram))
            }
            Op::Normalise(op) => self.normalise(op.epsilon, inputs),
            Op::Gather(op) => self.select(op, inputs[0]),
            Op::Shrink(op) => self.shrink(op.rule, inputs),
            Op::RowRms(_) => self.row_rms(inputs[0]),
            Op::RowCount(op) => self.row_count(op.scale, inputs[0]),
            Op::ChannelStats(op) => {
                let [_, h, w] = self.shape_of(inputs[0])?;
                let x = self.value_of(inputs[0], [op.channels, h, w])?;
                Some(self.builder.channel_stats(&x))
            }
            Op::DeformSample(op) => {
                let x = self.value_of(inputs[0], item(op.input))?;
                let offsets = self.value_of(inputs[1], item(op.offsets()))?;
                Some(self.builder.deform_sample(&x, &offsets, op.groups))
            }
            _ => None,
        }
    }

    fn strided(
        &mut self,
        kind: &str,
        inputs: &[Var],
        (from, to): ([usize; 3], [usize; 3]),
        (dims, by): ([usize; 4], Stride),
    ) -> Option<Value> {
        let x = self.value_of(inputs[0], from)?;
        let weight = self.constant_of(inputs[1], &dims)?;
        let attributes = vec![
            ints("kernel_shape", &[by.kernel as i64; 2]),
            ints("strides", &[by.stride as i64; 2]),
            ints("pads", &[by.padding as i64; 4]),
        ];
        let (node, shape) = ((kind, "conv"), (x.batch(), &to[..]));
        Some(match inputs.get(2) {
            Some(&bias) => {
                let bias = self.constant_of(bias, &to[..1])?;
                self.builder
                    .node(node, &[&x, &weight, &bias], attributes, shape)
            }
            None => self.builder.node(node, &[&x, &weight], attributes, shape),
        })
    }

    /// An operator of two operands of one length, one of which may be a constant.
    fn pair(&mut self, kind: &str, inputs: &[Var]) -> Option<Value> {
        if let (Some(shape), true) = (self.shape_of(inputs[0]), inputs.len() == 2) {
            let x = self.value_of(inputs[0], shape)?;
            if let Some(y) = self.value_of(inputs[1], shape) {
                return Some(self.builder.with(kind, "result", &x, &y));
            }
            return self.with_constant(kind, &x, inputs[1]);
        }
        // A constant less a value would need the other order; sums and products do not.
        let shape = self.shape_of(inputs[1])?;
        let x = self.value_of(inputs[1], shape)?;
        let sum = self.with_constant(kind, &x, inputs[0]);
        sum.filter(|_| kind != "Sub")
    }

    /// A constant map as an operand beside values of `shape`.
    pub(super) fn spread_constant(&mut self, var: Var, shape: [usize; 3]) -> Option<Constant> {
        let Node::Constant(values, _) = self.nodes.get(&var)?.clone() else {
            return None;
        };
        let values = channels_first(&values, shape);
        let name = format!("constants/{var:?}/channels_first");
        Some(self.builder.constant(&name, &shape, &values))
    }

    fn pointwise(&mut self, function: Function, x: Var) -> Option<Value> {
        let shape = self.shape_of(x)?;
        let x = self.value_of(x, shape)?;
        let b = &mut self.builder;
        Some(match function {
            Function::Scale(factor) => {
                let factor = b.scalar(factor);
                b.with("Mul", "scaled", &x, &factor)
            }
            Function::Softplus => b.map("Softplus", "softplus", &x),
            Function::Reciprocal(offset) => {
                let offset = b.scalar(offset);
                let sum = b.with("Add", "offset", &x, &offset);
                b.map("Reciprocal", "reciprocal", &sum)
            }
        })
    }

    /// Parts side by side; a constant one is spread over the batch by way of the first value.
    fn concat(&mut self, pixels: usize, parts: &[(Var, usize)]) -> Option<Value> {
        let sides = parts.iter().find_map(|(var, _)| self.shape_of(*var))?;
        let side = |c: usize| {
            let [_, h, w] = sides;
            pixels.is_multiple_of(h * w).then_some([c, h, w])
        };
        let mut values = Vec::new();
        for (k, &(var, channels)) in parts.iter().enumerate() {
            let shape = side(channels)?;
            let value = match self.value_of(var, shape) {
                Some(value) => value,
                None => {
                    let constant = self.spread_constant(var, shape)?;
                    let zero = self.builder.scalar(0.0);
                    let first = parts
                        .iter()
                        .find(|(v, c)| *c == channels && self.shape_of(*v).is_some())?;
                    let first = self.value_of(first.0, shape)?;
                    let zeros = self
                        .builder
                        .with("Mul", &format!("zeros_{k}"), &first, &zero);
                    self.builder
                        .with("Add", &format!("spread_{k}"), &zeros, &constant)
                }
            };
            values.push(value);
        }
        Some(
            self.builder
                .concat("concat", &values.iter().collect::<Vec<_>>()),
        )
    }

    fn pool(&mut self, op: &Pool, x: Var) -> Option<Value> {
        let x = self.value_of(x, item(op.input))?;
        let window = op.window.map(|side| side as i64);
        let attributes = vec![ints("kernel_shape", &window), ints("strides", &window)];
        let kind = match op.take {
            Take::Mean => "AveragePool",
            Take::Max => "MaxPool",
        };
        let shape = (x.batch(), &item(op.output())[..]);
        Some(
            self.builder
                .node((kind, "pooled"), &[&x], attributes, shape),
        )
    }

    /// Rows and columns blended by matrices.
    fn resize(&mut self, op: &Resize, x: Var) -> Option<Value> {
        let [c, h, w] = item(op.input);
        let x = self.value_of(x, [c, h, w])?;
        let n = x.batch();
        let rows = self.blend(op.interpolation, h, op.h);
        let columns = self.blend(op.interpolation, w, op.w);
        let transposed = |m: &[f32], from: usize, to: usize| -> Vec<f32> {
            (0..from * to)
                .map(|k| m[k % from * to + k / from])
                .collect()
        };
        let b = &mut self.builder;
        let name =
            |axis: &str, from, to| format!("constants/{:?}/{axis}/{from}/{to}", op.interpolation);
        let left = b.constant(
            &name("rows", h, op.h),
            &[op.h, h],
            &transposed(&rows, h, op.h),
        );
        let right = b.constant(&name("columns", w, op.w), &[w, op.w], &columns);
        let x = b.node(
            ("MatMul", "rows"),
            &[&left, &x],
            Vec::new(),
            (n, &[c, op.h, w]),
        );
        Some(b.node(
            ("MatMul", "columns"),
            &[&x, &right],
            Vec::new(),
            (n, &[c, op.h, op.w]),
        ))
    }

    /// How much of each of `from` pixels is in each of `to`, `(from, to)`.
    fn blend(&self, interpolation: Interpolation, from: usize, to: usize) -> Vec<f32> {
        let (h, w, c) = (from, 1, 1);
        let op = Resize {
            input: Shape { n: from, h, w, c },
            h: to,
            w: 1,
            interpolation,
        };
        let identity: Vec<f32> = (0..from * from)
            .map(|k| f32::from(u8::from(k / from == k % from)))
            .collect();
        let mut output = self.cpu.alloc(from * to);
        let identity = self.cpu.upload(&identity);
        op.forward(&self.cpu, &[&identity], &mut output);
        output.to_vec()
    }

    /// By collected moments: a factor and an offset per channel.
    fn normalise(&mut self, epsilon: f32, inputs: &[Var]) -> Option<Value> {
        let mut constants = Vec::new();
        for var in &inputs[1..] {
            let Node::Constant(values, _) = self.nodes.get(var)?.clone() else {
                return None;
            };
            constants.push(values);
        }
        let [moments, gamma, beta] = &constants[..] else {
            return None;
        };
        let (mean, variance) = moments.split_at(gamma.len());
        let factor: Vec<f32> = gamma
            .iter()
            .zip(variance)
            .map(|(g, v)| g / (v + epsilon).sqrt())
            .collect();
        let offsets = beta.iter().zip(mean).zip(&factor);
        let offset: Vec<f32> = offsets.map(|((b, m), f)| b - m * f).collect();
        let shape = self.shape_of(inputs[0])?;
        let x = self.value_of(inputs[0], shape)?;
        let (b, dims) = (&mut self.builder, [gamma.len(), 1, 1]);
        let name = |part: &str| format!("constants/{:?}/{part}", inputs[2]);
        let factor = b.constant(&name("factor"), &dims, &factor);
        let offset = b.constant(&name("offset"), &dims, &offset);
        let x = b.with("Mul", "scaled", &x, &factor);
        Some(b.with("Add", "normalised", &x, &offset))
    }
}
