//! Operators of the network in those of ONNX, one function each. Maps are `(n, c, h, w)`: channels
//! before pixels, unlike in [`crate::ops`].

use super::graph::{Builder, Constant, Operand, Value, int, ints};
use super::proto::INT64;
use crate::ops::Activation;

/// Taps of a deformable convolution.
const TAPS: usize = 9;

/// Constants of an unfolded stage.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Step length `ρ (1)`.
    pub rho: Constant,
    /// `AᵀA`.
    pub gram: Constant,
    /// Kernels from the map to features.
    pub forward: [Constant; 2],
    /// Threshold `θ (1)`.
    pub theta: Constant,
    /// Kernels from features to the map.
    pub backward: [Constant; 2],
}

/// Constants of a residual block, first layer first.
#[derive(Clone, Debug)]
pub struct Block {
    /// Kernels.
    pub weights: [Constant; 2],
    /// Biases.
    pub biases: [Constant; 2],
}

impl Builder {
    /// [`Conv2d`](crate::ops::Conv2d): kernel `(out, c, k, k)`, bias `(out)`.
    pub fn conv2d(
        &mut self,
        name: &str,
        x: &Value,
        (weight, bias): (&Constant, Option<&Constant>),
        activation: Activation,
    ) -> Value {
        let (out, side) = (weight.dims()[0], weight.dims()[2]);
        let pad = (side as i64 - 1) / 2;
        let attributes = vec![
            ints("kernel_shape", &[side as i64; 2]),
            ints("pads", &[pad; 4]),
        ];
        let item = [out, x.item()[1], x.item()[2]];
        let shape = (x.batch(), &item[..]);
        let y = match bias {
            Some(bias) => self.node(("Conv", name), &[x, weight, bias], attributes, shape),
            None => self.node(("Conv", name), &[x, weight], attributes, shape),
        };
        match activation {
            Activation::None => y,
            Activation::Relu => self.map("Relu", &format!("{name}/relu"), &y),
            Activation::Sigmoid => self.map("Sigmoid", &format!("{name}/sigmoid"), &y),
        }
    }

    /// [`DeformConv2d`](crate::ops::DeformConv2d): offsets `(n, 18, h, w)`, kernel `(out, c, 3, 3)`.
    ///
    /// ONNX has this operator from version 19 on, and few runtimes have it at all. Here the samples of
    /// a pixel's nine taps are laid out as a square of 3×3 on a map three times as large, over which
    /// the kernel steps by 3. `GridSample` would do the sampling in one node, but takes positions in
    /// units of the map, which rounds them; and runtimes spend a call on each of its values.
    pub fn deform_conv2d(
        &mut self,
        name: &str,
        x: &Value,
        offsets: &Value,
        weight: &Constant,
    ) -> Value {
        let samples = self.within(name, |b| b.samples(x, offsets, Self::exact_shares));
        let attributes = vec![ints("kernel_shape", &[3; 2]), ints("strides", &[3; 2])];
        let item = [weight.dims()[0], x.item()[1], x.item()[2]];
        let shape = (x.batch(), &item[..]);
        self.node(("Conv", name), &[&samples, weight], attributes, shape)
    }

    /// Samples of all taps as squares, `(n, c, 3h, 3w)`: bilinear, zero outside; `shares` makes the
    /// corners' weights of how far a position lies below and right of its first corner.
    pub(super) fn samples(
        &mut self,
        x: &Value,
        offsets: &Value,
        shares: fn(&mut Self, &Value, &Value) -> [Value; 4],
    ) -> Value {
        let (n, [c, h, w]) = (x.batch(), [x.item()[0], x.item()[1], x.item()[2]]);
        let samples = self.by_tap(x, offsets, shares);
        let samples = self.reshape("by_tap", &samples, n, &[3, 3, h, w, c]);
        let samples = self.transpose("squares", &samples, &[0, 5, 3, 1, 4, 2]);
        self.reshape("samples", &samples, n, &[c, 3 * h, 3 * w])
    }

    /// [`DeformSample`](crate::ops::DeformSample): offsets `(n, 18·groups, h, w)`.
    pub fn deform_sample(&mut self, x: &Value, offsets: &Value, groups: usize) -> Value {
        let (n, [c, h, w]) = (x.batch(), [x.item()[0], x.item()[1], x.item()[2]]);
        let (parts, moves) = (
            self.split("channels", x, groups),
            self.split("offsets", offsets, groups),
        );
        let pairs = parts.iter().zip(&moves).enumerate();
        let sampled: Vec<Value> = pairs
            .map(|(k, (part, moves))| {
                self.within(&format!("group_{k}"), |b| {
                    let samples = b.by_tap(part, moves, Self::exact_shares);
                    b.reshape("by_tap", &samples, n, &[TAPS, h, w, c / groups])
                })
            })
            .collect();
        let parts: Vec<&Value> = sampled.iter().collect();
        let joined = self.concat_along("joined", &parts, 3);
        let first = self.transpose("channels_first", &joined, &[0, 1, 4, 2, 3]);
        self.reshape("samples", &first, n, &[TAPS * c, h, w])
    }

    /// Samples of all taps, `(n, 9·h·w, c)`.
    fn by_tap(
        &mut self,
        x: &Value,
        offsets: &Value,
        shares: fn(&mut Self, &Value, &Value) -> [Value; 4],
    ) -> Value {
        let (n, [c, h, w]) = (x.batch(), [x.item()[0], x.item()[1], x.item()[2]]);
        let positions = self.positions(offsets, [h, w]);
        let [row, column] = [(0, "row"), (1, "column")].map(|(axis, name)| {
            let (axis, shape) = (self.index(axis), (n, &[TAPS, h * w][..]));
            let gather = ("Gather", name);
            let x = self.node(gather, &[&positions, &axis], vec![int("axis", 2)], shape);
            self.reshape(&format!("{name}/list"), &x, n, &[TAPS * h * w, 1])
        });
        let [top, left] = [(&row, "top"), (&column, "left")].map(|(x, n)| self.map("Floor", n, x));
        let down = self.with("Sub", "down", &row, &top);
        let right = self.with("Sub", "right", &column, &left);
        // A border of one zero pixel before the map and of two behind it: wherever a position is
        // held, its four corners exist.
        let stride = w + 3;
        let map = self.transpose("channels_last", x, &[0, 2, 3, 1]);
        let pads = self.indices(&[0, 1, 1, 0, 0, 2, 2, 0]);
        let bordered = (n, &[h + 3, stride, c][..]);
        let map = self.node(("Pad", "border"), &[&map, &pads], Vec::new(), bordered);
        let map = self.reshape("pixels", &map, n, &[(h + 3) * stride, c]);
        let stride = self.scalar(stride as f32);
        let index = self.with("Mul", "line", &top, &stride);
        let index = self.with("Add", "place", &index, &left);
        let shares = shares(self, &down, &right);
        self.interpolate(&map, &index, &shares, w + 3)
    }

    /// Rows and columns at which the taps lie, `(n, 9, 2, h·w)`, held to where the map ends: at `-1`
    /// and at its side a sample is zero.
    fn positions(&mut self, offsets: &Value, [h, w]: [usize; 2]) -> Value {
        let n = offsets.batch();
        let offsets = self.reshape("offsets", offsets, n, &[TAPS, 2, h * w]);
        let pixels = || (0..h * w).map(|p| [p / w, p % w]);
        let taps = (0..TAPS).flat_map(|tap| {
            let axis = move |k: usize| {
                let step = [tap / 3, tap % 3][k] as f32 - 1.0;
                pixels().map(move |pixel| pixel[k] as f32 + step)
            };
            axis(0).chain(axis(1))
        });
        let name = format!("constants/taps_{h}x{w}");
        let taps = self.constant(&name, &[1, TAPS, 2, h * w], &taps.collect::<Vec<_>>());
        let sides = [h as f32, w as f32];
        let sides = self.constant(&format!("constants/sides_{h}x{w}"), &[1, 1, 2, 1], &sides);
        let first = self.scalar(-1.0);
        let x = self.with("Add", "positions", &offsets, &taps);
        let x = self.with("Max", "positions/from", &x, &first);
        self.with("Min", "positions/to", &x, &sides)
    }

    /// Weights of the four corners, row by row.
    fn exact_shares(&mut self, down: &Value, right: &Value) -> [Value; 4] {
        let one = self.scalar(1.0);
        let shape = (down.batch(), down.item());
        let rest = |b: &mut Self, name: &str, of: &Value| {
            b.node(("Sub", name), &[&one, of], Vec::new(), shape)
        };
        let (up, left) = (rest(self, "up", down), rest(self, "left_share", right));
        let corners = [
            ("top_left", &up, &left),
            ("top_right", &up, right),
            ("bottom_left", down, &left),
            ("bottom_right", down, right),
        ];
        corners.map(|(name, row, column)| self.with("Mul", &format!("{name}/share"), row, column))
    }

    /// Bilinear samples `(n, taps, c)` of `map (n, pixels, c)` at top-left corners of `index`, whose
    /// border is one line of `stride` and one pixel away.
    fn interpolate(
        &mut self,
        map: &Value,
        index: &Value,
        shares: &[Value; 4],
        stride: usize,
    ) -> Value {
        let [a, b, c, d] = shares;
        let corners = [
            ("top_left", stride + 1, a),
            ("top_right", stride + 2, b),
            ("bottom_left", 2 * stride + 1, c),
            ("bottom_right", 2 * stride + 2, d),
        ];
        let parts = corners
            .map(|(name, step, share)| self.within(name, |b| b.corner(map, index, step, share)));
        let [mut sum, rest @ ..] = parts;
        for (k, part) in rest.iter().enumerate() {
            sum = self.with("Add", &format!("sum/{k}"), &sum, part);
        }
        sum
    }

    /// What the corner `step` pixels behind `index` adds to the samples.
    fn corner(&mut self, map: &Value, index: &Value, step: usize, share: &Value) -> Value {
        let (n, places) = (index.batch(), index.item());
        let step = self.scalar(step as f32);
        let index = self.with("Add", "place", index, &step);
        let to = vec![int("to", i64::from(INT64))];
        let index = self.typed_node(("Cast", "index"), &[&index], to, (n, places), INT64);
        let shape = [places[0], map.item()[1]];
        let batched = vec![int("batch_dims", 1)];
        let gather = ("GatherND", "values");
        let values = self.node(gather, &[map, &index], batched, (n, &shape));
        self.with("Mul", "part", &values, share)
    }

    /// [`DataStep`](crate::ops::DataStep): `ρ ()`, `G (side, side)`.
    pub fn data_step(
        &mut self,
        (h, back): (&Value, &Value),
        rho: &Constant,
        gram: &Constant,
    ) -> Value {
        let shape = (h.batch(), h.item());
        let g = self.node(("MatMul", "AtA_H"), &[gram, h], Vec::new(), shape);
        let g = self.with("MatMul", "AtA_H_AtA", &g, gram);
        let gradient = self.with("Sub", "gradient", &g, back);
        let step = self.with("Mul", "step", &gradient, rho);
        self.with("Sub", "residual", h, &step)
    }

    /// [`SoftThreshold`](crate::ops::SoftThreshold) with `θ ()`, or of the shape of an item.
    pub fn soft_threshold(&mut self, x: &Value, theta: &dyn Operand) -> Value {
        let size = self.map("Abs", "magnitude", x);
        let size = self.with("Sub", "above", &size, theta);
        let size = self.map("Relu", "shrunk", &size);
        let sign = self.map("Sign", "sign", x);
        self.with("Mul", "thresholded", &sign, &size)
    }

    /// [`TimeCode`](crate::ops::TimeCode), whose gates are constants by now: `x (n, times, h, w)`,
    /// `gates (times, h, w)`.
    pub fn time_code(&mut self, x: &Value, gates: &Constant) -> Value {
        self.with("Mul", "coded", x, gates)
    }

    /// [`ChannelStats`](crate::ops::ChannelStats): mean and maximum over channels.
    pub fn channel_stats(&mut self, x: &Value) -> Value {
        let item = [1, x.item()[1], x.item()[2]];
        let mut reduce = |kind: &str, name: &str| {
            let attributes = vec![ints("axes", &[1]), int("keepdims", 1)];
            self.node((kind, name), &[x], attributes, (x.batch(), &item))
        };
        let (mean, most) = (reduce("ReduceMean", "mean"), reduce("ReduceMax", "max"));
        self.concat("statistics", &[&mean, &most])
    }

    /// [`GroupScale`](crate::ops::GroupScale): one group of channels to each channel of `scale`.
    pub fn group_scale(&mut self, x: &Value, scale: &Value) -> Value {
        let groups = scale.item()[0];
        let (parts, scales) = (
            self.split("groups", x, groups),
            self.split("scales", scale, groups),
        );
        let pairs = parts.iter().zip(&scales).enumerate();
        let scaled: Vec<Value> = pairs
            .map(|(k, (part, scale))| self.with("Mul", &format!("scaled/{k}"), part, scale))
            .collect();
        self.concat("scaled", &scaled.iter().collect::<Vec<_>>())
    }

    /// An unfolded stage of maps `h` with their `ΦᵀL` in `back`, all `(n, 1, 33, 33)`.
    pub fn stage(&mut self, maps: (&Value, &Value), stage: &Stage) -> Value {
        let (linear, relu) = (Activation::None, Activation::Relu);
        let r = self.data_step(maps, &stage.rho, &stage.gram);
        let [first, second] = &stage.forward;
        let f = self.conv2d("conv1_forward", &r, (first, None), relu);
        let f = self.conv2d("conv2_forward", &f, (second, None), linear);
        let s = self.soft_threshold(&f, &stage.theta);
        let [first, second] = &stage.backward;
        let g = self.conv2d("conv1_backward", &s, (first, None), relu);
        self.conv2d("conv2_backward", &g, (second, None), linear)
    }

    /// `x + conv(relu(conv(x)))`.
    pub fn residual_block(&mut self, x: &Value, block: &Block) -> Value {
        let [first, second] = &block.weights;
        let [before, after] = &block.biases;
        let y = self.conv2d("conv1", x, (first, Some(before)), Activation::Relu);
        let y = self.conv2d("conv2", &y, (second, Some(after)), Activation::None);
        self.with("Add", "sum", x, &y)
    }
}
