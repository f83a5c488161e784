//! Operators of the integer network in those of ONNX: activations are whole numbers of steps, in f32,
//! which holds 16 bits exactly; weights are kept in 8 bits and come to the scale of their outputs by
//! `DequantizeLinear`. So a layer's sums are in steps of its outputs, and what is left of
//! requantisation is to round and to saturate.
//!
//! `QuantizeLinear` with 16-bit values, which came with operator set 21, would say the same, but tract
//! has it for 8 bits alone. Sums in f32 have 24 bits where the integers have 32: a value next to a tie
//! may come out one step away from that of the integer core.

use derefnet_core::fixed::{SHARE_BITS, WHOLE};
use derefnet_core::weights::Layer;

use super::graph::{Builder, Constant, Operand, Value, int, ints};
use super::proto::INT64;
use crate::ops::Activation;

/// Nodes of the table of the logistic function, one every sixteenth from 0 to 8.
const NODES: usize = 128;
/// Steps between two nodes, for arguments of 12 fraction bits.
const BETWEEN: f32 = 256.0;
/// Greatest argument that the table is read at, a step below 8; at -8 the core's value is the same.
const REACH: f32 = 32_767.0;

/// What follows the sums of a layer.
pub(super) enum Finish<'a> {
    /// Saturation alone.
    Plain,
    /// The positive ones, saturated.
    Relu,
    /// Saturation, then the soft threshold, saturated.
    Shrink(i32),
    /// Another value is added, then saturation.
    Add(&'a Value),
}

impl Builder {
    /// Weights `(outputs, inputs, side, side)` and biases of a layer, in steps of its outputs. To the
    /// biases half a step is added, which rounding needs.
    fn weights(&mut self, name: &str, layer: &Layer, inputs: usize) -> [Constant; 2] {
        let outputs = layer.shape.outputs;
        let taps = layer.weights.len() / (outputs * inputs);
        let side = taps.isqrt();
        let dims = [outputs, inputs, side, side];
        let of_output = layer.weights.chunks_exact(taps * inputs);
        let channels_first = of_output.flat_map(|weights| {
            let channel = move |i: usize| weights.iter().skip(i).step_by(inputs).copied();
            (0..inputs).flat_map(channel)
        });
        let (scales, biases) = scaling(layer);
        let weights = (channels_first.collect(), &scales[..]);
        [
            self.dequantised(&format!("{name}.weight"), &dims, weights),
            self.constant(&format!("{name}.bias"), &[outputs], &biases),
        ]
    }

    /// Convolution with the weights called `key`, stride 1, zeros outside.
    pub(super) fn layer(
        &mut self,
        (name, key): (&str, &str),
        x: &Value,
        layer: &Layer,
        finish: Finish,
    ) -> Value {
        let [weight, bias] = self.weights(key, layer, x.item()[0]);
        let weights = (&weight, Some(&bias));
        let sums = self.conv2d(&format!("{name}/sums"), x, weights, Activation::None);
        self.finished(name, &sums, finish)
    }

    /// `matrix · x` for `x (n, inputs)`; the matrix has `outputs` rows, of which `layer` has those at
    /// `places`, the others being zeros.
    pub(super) fn matrix(
        &mut self,
        (name, key): (&str, &str),
        x: &Value,
        layer: &Layer,
        (outputs, places): (usize, impl Iterator<Item = usize>),
    ) -> Value {
        let inputs = x.item()[0];
        let (mut weights, mut scales) = (vec![0; outputs * inputs], vec![1.0; outputs]);
        let mut biases = vec![0.5; outputs];
        let (known, offsets) = scaling(layer);
        for (output, place) in places.enumerate() {
            let row = &mut weights[place * inputs..][..inputs];
            row.copy_from_slice(layer.weights_of(output));
            (scales[place], biases[place]) = (known[output], offsets[output]);
        }
        let dims = [outputs, inputs];
        let weight = self.dequantised(&format!("{key}.weight"), &dims, (weights, &scales));
        let bias = self.constant(&format!("{key}.bias"), &[outputs], &biases);
        let (node, shape) = (format!("{name}/sums"), (x.batch(), &[outputs][..]));
        let transposed = vec![int("transB", 1)];
        let sums = self.node(("Gemm", &node), &[x, &weight, &bias], transposed, shape);
        self.finished(name, &sums, Finish::Plain)
    }

    /// Sums with half a step on top, rounded, finished and saturated.
    fn finished(&mut self, name: &str, sums: &Value, finish: Finish) -> Value {
        let whole = self.map("Floor", &format!("{name}/whole"), sums);
        let least = f32::from(i16::MIN);
        match finish {
            Finish::Plain => self.clip(name, &whole, least),
            Finish::Relu => self.clip(name, &whole, 0.0),
            Finish::Add(x) => {
                let sum = self.with("Add", &format!("{name}/sum"), &whole, x);
                self.clip(name, &sum, least)
            }
            Finish::Shrink(theta) => {
                let values = self.clip(&format!("{name}/values"), &whole, least);
                let theta = self.scalar(theta as f32);
                let shrunk = self.within(name, |b| b.soft_threshold(&values, &theta));
                self.clip(name, &shrunk, least)
            }
        }
    }

    /// `x` held between `least` and the greatest number of 16 bits.
    fn clip(&mut self, name: &str, x: &Value, least: f32) -> Value {
        let (least, most) = (self.scalar(least), self.scalar(f32::from(i16::MAX)));
        let shape = (x.batch(), x.item());
        self.node(("Clip", name), &[x, &least, &most], Vec::new(), shape)
    }

    /// `x` at the nearest whole number, ties up.
    fn whole(&mut self, name: &str, x: &Value) -> Value {
        let half = self.scalar(0.5);
        let above = self.with("Add", &format!("{name}/half"), x, &half);
        self.map("Floor", name, &above)
    }

    /// `x` at the nearest whole number of 16 bits.
    pub(super) fn rounded(&mut self, name: &str, x: &Value) -> Value {
        let whole = self.whole(&format!("{name}/whole"), x);
        self.clip(name, &whole, f32::from(i16::MIN))
    }

    /// Counts as steps of which `2^bits` are one.
    pub(super) fn counts(&mut self, name: &str, x: &Value, bits: u8) -> Value {
        let whole = self.whole(&format!("{name}/whole"), x);
        let steps = self.scalar(f32::from(1u16 << bits));
        let steps = self.with("Mul", &format!("{name}/steps"), &whole, &steps);
        self.clip(name, &steps, f32::from(i16::MIN))
    }

    /// Product of a table and a map, at their places as in `MatMul`, times `factor`.
    pub(super) fn table(
        &mut self,
        name: &str,
        [left, right]: [&dyn Operand; 2],
        factor: f64,
        shape: (usize, &[usize]),
    ) -> Value {
        let sums = format!("{name}/sums");
        let sums = self.node(("MatMul", &sums), &[left, right], Vec::new(), shape);
        let factor = self.scalar(factor as f32);
        let scaled = self.with("Mul", &format!("{name}/scaled"), &sums, &factor);
        self.rounded(name, &scaled)
    }

    /// `x` times `gates`, which are parts of 1 with 14 fraction bits, rounded.
    pub(super) fn weighed(&mut self, name: &str, x: &Value, gates: &Constant) -> Value {
        let product = self.with("Mul", &format!("{name}/product"), x, gates);
        self.whole(name, &product)
    }

    /// [`Self::channel_stats`] in whole steps.
    pub(super) fn whole_stats(&mut self, x: &Value) -> Value {
        let statistics = self.within("exact", |b| b.channel_stats(x));
        self.whole("statistics", &statistics)
    }

    /// [`Self::group_scale`] in whole steps.
    pub(super) fn whole_scale(&mut self, x: &Value, scale: &Value) -> Value {
        let scaled = self.within("exact", |b| b.group_scale(x, scale));
        self.whole("scaled", &scaled)
    }

    /// The core's logistic function of arguments with 12 fraction bits: parts of 1 with 14 of them.
    pub fn gates(&mut self, name: &str, x: &Value) -> Value {
        self.within(name, |b| {
            let reach = b.scalar(REACH);
            let size = b.map("Abs", "size", x);
            let size = b.with("Min", "size/to", &size, &reach);
            let between = b.scalar(BETWEEN);
            let node = b.with("Div", "nodes", &size, &between);
            let node = b.map("Floor", "node", &node);
            let before = b.with("Mul", "before", &node, &between);
            let share = b.with("Sub", "share", &size, &before);
            let [above, part, slope] = b.logistic(&node);
            let rise = b.with("Mul", "rise", &slope, &share);
            let part = b.with("Add", "part/line", &part, &rise);
            let part = b.map("Floor", "part/whole", &part);
            let value = b.with("Add", "above_half", &part, &above);
            let sign = b.map("Sign", "sign", x);
            let value = b.with("Mul", "beside_half", &value, &sign);
            let half = b.scalar((WHOLE / 2) as f32);
            let value = b.with("Add", "steps", &value, &half);
            let unit = b.scalar(1.0 / WHOLE as f32);
            b.with("Mul", "gates", &value, &unit)
        })
    }

    /// The line behind `node` of the table (`core/FORMAT.md`, §4): whole steps above one half there, the
    /// part of a step beyond them with half a one on top, and how much each step of the argument adds.
    /// Whole and part together have more bits than an f32.
    fn logistic(&mut self, node: &Value) -> [Value; 3] {
        let unit = f64::from(WHOLE << 4);
        let exact = |k: usize| (unit / (1.0 + (-(k as f64) / 16.0).exp()) + 0.5).floor();
        let steps = |k: usize| exact(k) / 16.0 + 0.5;
        let half = f64::from(WHOLE / 2);
        let tables = [
            self.table_of("above", |k| steps(k).floor() - half),
            self.table_of("part", |k| steps(k).fract()),
            self.table_of("slope", |k| {
                (exact(k + 1) - exact(k)) / (16.0 * f64::from(BETWEEN))
            }),
        ];
        let to = vec![int("to", i64::from(INT64))];
        let shape = (node.batch(), node.item());
        let index = self.typed_node(("Cast", "index"), &[node], to, shape, INT64);
        tables
            .map(|(name, table)| self.node(("Gather", name), &[&table, &index], Vec::new(), shape))
    }

    /// A table of the logistic function's lines, with its name.
    fn table_of(
        &mut self,
        name: &'static str,
        value: impl Fn(usize) -> f64,
    ) -> (&'static str, Constant) {
        let values: Vec<f32> = (0..NODES).map(|k| value(k) as f32).collect();
        let full = format!("constants/logistic_{name}");
        (name, self.constant(&full, &[NODES], &values))
    }

    /// [`Self::deform_conv2d`] in steps: `offsets` have `bits` fraction bits, samples and the weights of
    /// their corners are rounded.
    pub(super) fn deform_layer(
        &mut self,
        (name, key): (&str, &str),
        (x, offsets): (&Value, &Value),
        layer: &Layer,
        bits: u8,
    ) -> Value {
        let samples = self.within(name, |b| {
            let unit = b.scalar(1.0 / f32::from(1u16 << bits));
            let cells = b.with("Mul", "cells", offsets, &unit);
            let exact = b.within("exact", |b| b.samples(x, &cells, Self::rounded_shares));
            b.whole("samples", &exact)
        });
        let [weight, bias] = self.weights(key, layer, x.item()[0]);
        let attributes = vec![ints("kernel_shape", &[3; 2]), ints("strides", &[3; 2])];
        let item = [weight.dims()[0], x.item()[1], x.item()[2]];
        let (node, shape) = (format!("{name}/sums"), (x.batch(), &item[..]));
        let inputs: [&dyn Operand; 3] = [&samples, &weight, &bias];
        let sums = self.node(("Conv", &node), &inputs, attributes, shape);
        self.finished(name, &sums, Finish::Plain)
    }

    /// Weights of the four corners, row by row, with 14 fraction bits that add up to 1.
    fn rounded_shares(&mut self, down: &Value, right: &Value) -> [Value; 4] {
        let unit = f32::from(1u16 << SHARE_BITS);
        let (one, steps, unit) = (self.scalar(1.0), self.scalar(unit), self.scalar(1.0 / unit));
        let both = self.with("Mul", "both/exact", down, right);
        let both = self.with("Mul", "both/steps", &both, &steps);
        let both = self.whole("both/whole", &both);
        let both = self.with("Mul", "bottom_right/share", &both, &unit);
        let right = self.with("Sub", "top_right/share", right, &both);
        let shape = (down.batch(), down.item());
        let up = self.node(("Sub", "up"), &[&one, down], Vec::new(), shape);
        let left = self.with("Sub", "top_left/share", &up, &right);
        let down = self.with("Sub", "bottom_left/share", down, &both);
        [left, right, down, both]
    }
}

/// Steps of outputs that one of a layer's sums is worth, and its biases in steps and a half.
fn scaling(layer: &Layer) -> (Vec<f32>, Vec<f32>) {
    let both = layer.scaling().map(|(bias, factor)| {
        let factor = factor.factor();
        (factor as f32, (f64::from(bias) * factor + 0.5) as f32)
    });
    both.unzip()
}
