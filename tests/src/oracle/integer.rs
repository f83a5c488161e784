//! The integer network, written from `core/FORMAT.md` layer by layer: whole maps, 64-bit sums, every
//! sum anew, divisions where the core shifts.

use std::collections::BTreeMap;

use derefnet_core::net::Tensor;
use derefnet_core::weights::{HeadNetwork, Layer, MapNetwork, Stage};

/// Everything that a run shows, as `(row, column, channel)`; displacements row after row.
pub type Seen = BTreeMap<Tensor, Vec<i16>>;

/// `floor(numerator / 2^bits + 1/2)`.
fn rounded(numerator: i128, bits: u32) -> i64 {
    let unit = 1i128 << bits;
    (2 * numerator + unit).div_euclid(2 * unit) as i64
}

fn saturated(value: i64) -> i16 {
    value.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// A map `(side, side, channels)`.
#[derive(Clone)]
struct Map {
    side: i64,
    channels: usize,
    values: Vec<i16>,
}

impl Map {
    fn new(side: usize, channels: usize, values: Vec<i16>) -> Self {
        assert_eq!(values.len(), side * side * channels);
        let side = side as i64;
        Self {
            side,
            channels,
            values,
        }
    }

    /// Zero outside.
    fn at(&self, row: i64, column: i64, channel: usize) -> i64 {
        let inside = (0..self.side).contains(&row) && (0..self.side).contains(&column);
        if !inside {
            return 0;
        }
        let pixel = (row * self.side + column) as usize;
        self.values[pixel * self.channels + channel].into()
    }

    fn from_fn(side: i64, channels: usize, f: impl Fn(i64, i64, usize) -> i16) -> Self {
        let f = &f;
        let pixels = (0..side).flat_map(|r| (0..side).map(move |c| (r, c)));
        let values = pixels.flat_map(|(r, c)| (0..channels).map(move |o| f(r, c, o)));
        Self {
            side,
            channels,
            values: values.collect(),
        }
    }
}

fn requantised(layer: &Layer, output: usize, sum: i64) -> i64 {
    let (bias, factor) = layer.scaling().nth(output).expect("an output");
    let product = i128::from(sum + i64::from(bias)) * i128::from(factor.multiplier());
    rounded(product, factor.shift().into())
}

/// Sums of a convolution with kernel side 3 or 1, requantised and then finished.
fn conv2d(layer: &Layer, x: &Map, finish: impl Fn(i64, (i64, i64, usize)) -> i16) -> Map {
    let per_output = layer.weights.len() / layer.shape.outputs;
    let side = if per_output == x.channels { 1 } else { 3 };
    Map::from_fn(x.side, layer.shape.outputs, |row, column, output| {
        let weights = &layer.weights[output * per_output..][..per_output];
        let mut sum = 0;
        for (index, &weight) in weights.iter().enumerate() {
            let (tap, channel) = (index / x.channels, index % x.channels);
            let (a, b) = ((tap / side) as i64, (tap % side) as i64);
            let reach = side as i64 / 2;
            let value = x.at(row + a - reach, column + b - reach, channel);
            sum += i64::from(weight as i8) * value;
        }
        finish(requantised(layer, output, sum), (row, column, output))
    })
}

fn plain(layer: &Layer, x: &Map) -> Map {
    conv2d(layer, x, |v, _| saturated(v))
}

fn relu(layer: &Layer, x: &Map) -> Map {
    conv2d(layer, x, |v, _| saturated(v.max(0)))
}

fn shrunk(layer: &Layer, x: &Map, theta: i32) -> Map {
    conv2d(layer, x, |v, _| {
        let v = i64::from(saturated(v));
        saturated((v.abs() - i64::from(theta)).max(0) * v.signum())
    })
}

/// The network's answers and everything on the way.
pub struct Integer {
    /// Tensors so far.
    pub seen: Seen,
}

impl Integer {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self { seen: Seen::new() }
    }

    fn see(&mut self, tensor: Tensor, map: &Map) {
        self.seen.insert(tensor, map.values.clone());
    }

    /// Output of the last stage.
    pub fn unfold(&mut self, network: &MapNetwork, frame: &[i16]) -> Vec<i16> {
        let frame = Map::new(11, 1, frame.to_vec());
        let [top, bottom, left, right] = network.header.cells.map(i64::from);
        let mut h = Map::from_fn(33, 1, |row, column, _| {
            if !(top..bottom).contains(&row) || !(left..right).contains(&column) {
                return 0;
            }
            let output = ((row - top) * (right - left) + column - left) as usize;
            let weights = &network.start.weights[output * 121..][..121];
            let terms = weights.iter().zip(&frame.values);
            let sum = terms
                .map(|(&w, &x)| i64::from(w as i8) * i64::from(x))
                .sum();
            saturated(requantised(&network.start, output, sum))
        });
        let back = back_projection(network, &frame);
        self.see(Tensor::Start, &h);
        self.see(Tensor::Back, &back);
        for (k, stage) in (0..).zip(&network.stages) {
            let r = data_step(network, stage, &h, &back);
            let a = relu(&stage.layers[0], &r);
            let b = shrunk(&stage.layers[1], &a, stage.theta);
            let c = relu(&stage.layers[2], &b);
            h = plain(&stage.layers[3], &c);
            self.see(Tensor::Step(k), &r);
            for (layer, map) in (0..).zip([&a, &b, &c]) {
                self.see(Tensor::Hidden(k, layer), map);
            }
            self.see(Tensor::Stage(k), &h);
        }
        h.values
    }

    /// The map from five stage outputs.
    pub fn unmix(&mut self, network: &MapNetwork, stages: &[Vec<i16>]) -> Vec<i16> {
        let coded: Vec<Map> = (0..)
            .zip(stages)
            .map(|(t, h)| code(network, h, t))
            .collect();
        let mut stack = coded.clone();
        for time in [0, 1, 3, 4] {
            stack[time] = self.pair(network, time as u8, [&coded[2], &coded[time]]);
        }
        for (time, map) in (0..).zip(&coded) {
            self.see(Tensor::Coded(time), map);
        }
        let stack = Map::from_fn(33, 5, |r, c, o| stack[o].at(r, c, 0) as i16);
        self.see(Tensor::Stack, &stack);
        let x = self.trunk(
            [&network.tail],
            &network.blocks,
            &stack,
            Tensor::Tail,
            Tensor::Block,
        );
        let map = plain(&network.answer, &x);
        self.see(Tensor::Map, &map);
        map.values
    }

    fn pair(&mut self, network: &MapNetwork, time: u8, [centre, reference]: [&Map; 2]) -> Map {
        let features = [centre, reference].map(|map| relu(&network.feature, map));
        let halves: Vec<Map> = network
            .halves
            .iter()
            .zip(&features)
            .map(|(layer, x)| plain(layer, x))
            .collect();
        let half = halves[0].channels;
        let joined = Map::from_fn(33, 2 * half, |r, c, o| {
            halves[o / half].at(r, c, o % half) as i16
        });
        let aggregate = attend(network, &joined);
        let offsets = [0, 1].map(|n| &network.deforms[n][0]);
        let kernels = [0, 1].map(|n| &network.deforms[n][1]);
        let bits = network.header.offset_bits;
        let guide = plain(offsets[0], &aggregate);
        let first = deformed(kernels[0], &features[1], &guide, bits[0]);
        let guide_again = plain(offsets[1], &first);
        let second = deformed(kernels[1], &first, &guide_again, bits[1]);
        self.see(Tensor::Feature(time), &features[1]);
        self.see(Tensor::Aggregate(time), &aggregate);
        self.see(Tensor::Offsets(time, 0), &guide);
        self.see(Tensor::Deformed(time, 0), &first);
        self.see(Tensor::Offsets(time, 1), &guide_again);
        self.see(Tensor::Deformed(time, 1), &second);
        plain(&network.merge, &second)
    }

    fn trunk(
        &mut self,
        [first]: [&Layer; 1],
        blocks: &[[Layer; 2]],
        input: &Map,
        start: Tensor,
        block: fn(u8, u8) -> Tensor,
    ) -> Map {
        let mut x = relu(first, input);
        self.see(start, &x);
        for (index, [one, two]) in (0..).zip(blocks) {
            let inner = relu(one, &x);
            let out = conv2d(two, &inner, |v, (r, c, o)| saturated(v + x.at(r, c, o)));
            self.see(block(index, 0), &inner);
            self.see(block(index, 1), &out);
            x = out;
        }
        x
    }

    /// The head's answer for five frames.
    pub fn answer(&mut self, head: &HeadNetwork, frames: &[Vec<i16>]) -> Vec<i16> {
        let frames: Vec<Map> = frames.iter().map(|f| Map::new(11, 1, f.clone())).collect();
        let input = Map::from_fn(11, 5, |r, c, o| frames[o].at(r, c, 0) as i16);
        let blocks = &head.blocks;
        let x = self.trunk(
            [&head.input],
            blocks,
            &input,
            Tensor::HeadInput,
            Tensor::HeadBlock,
        );
        let answer = plain(&head.output, &x);
        self.see(Tensor::HeadAnswer, &answer);
        answer.values
    }
}

impl Default for Integer {
    fn default() -> Self {
        Self::new()
    }
}

fn table(table: &[[u8; 2]]) -> Vec<i64> {
    table
        .iter()
        .map(|&v| i16::from_le_bytes(v).into())
        .collect()
}

/// `Aᵀ(LA)`, rounded after each product.
fn back_projection(network: &MapNetwork, frame: &Map) -> Map {
    let a = table(network.response);
    let round = |sum: i64| saturated(rounded(sum.into(), 15));
    let half: Vec<i64> = (0..11 * 33)
        .map(|k| {
            let (row, cell) = (k / 33, k % 33);
            let sum = (0..11)
                .map(|p| frame.at(row, p, 0) * a[(p * 33 + cell) as usize])
                .sum();
            round(sum).into()
        })
        .collect();
    Map::from_fn(33, 1, |row, column, _| {
        let term = |p: i64| a[(p * 33 + row) as usize] * half[(p * 33 + column) as usize];
        round((0..11).map(term).sum())
    })
}

/// `H - ρ(GHG - ΦᵀL)`.
fn data_step(network: &MapNetwork, stage: &Stage, h: &Map, back: &Map) -> Map {
    let g = table(network.gram);
    let factor = |sum: i64, factor: derefnet_core::fixed::Requant| {
        let product = i128::from(sum) * i128::from(factor.multiplier());
        saturated(rounded(product, factor.shift().into()))
    };
    let across = Map::from_fn(33, 1, |row, column, _| {
        let term = |k: i64| h.at(row, k, 0) * g[(k * 33 + column) as usize];
        factor((0..33).map(term).sum(), stage.across)
    });
    Map::from_fn(33, 1, |row, column, _| {
        let term = |k: i64| g[(row * 33 + k) as usize] * across.at(k, column, 0);
        let down = factor((0..33).map(term).sum(), stage.down);
        let distance = i128::from(down) - i128::from(back.at(row, column, 0));
        let step = i128::from(h.at(row, column, 0)) * i128::from(stage.keep)
            - distance * i128::from(stage.pull);
        saturated(rounded(step, stage.shift.into()))
    })
}

/// The sigmoid's table, from the exponential function itself.
fn sigmoid(z: i64) -> i64 {
    let node = |k: i64| (262_144.0 / (1.0 + (-(k as f64) / 16.0).exp()) + 0.5).floor() as i64;
    let size = z.abs().min((8 << 16) - 1);
    let (k, share) = (size / 4096, size % 4096);
    let line = node(k) * (4096 - share) + node(k + 1) * share;
    let value = rounded(line.into(), 16);
    if z < 0 { 16_384 - value } else { value }
}

fn weighed(value: i64, share: i64) -> i16 {
    rounded((value * share).into(), 14) as i16
}

fn code(network: &MapNetwork, stage: &[i16], time: i64) -> Map {
    let stage = Map::new(33, 1, stage.to_vec());
    let [bias, slope] = network.gates.map(table);
    Map::from_fn(33, 1, |row, column, _| {
        let cell = (row * 33 + column) as usize;
        let z = (bias[cell] + time * slope[cell]) * (1 << (16 - network.header.gate_bits));
        weighed(stage.at(row, column, 0), sigmoid(z))
    })
}

fn attend(network: &MapNetwork, joined: &Map) -> Map {
    let n = joined.channels as i64;
    let statistics = Map::from_fn(33, 2, |row, column, o| {
        let all = (0..joined.channels).map(|k| joined.at(row, column, k));
        if o == 1 {
            return all.max().expect("channels") as i16;
        }
        rounded(i128::from(all.sum::<i64>() * ((1 << 32) / n)), 32) as i16
    });
    let gates = plain(&network.squeeze, &statistics);
    Map::from_fn(33, joined.channels, |row, column, o| {
        let gate = gates.at(row, column, 2 * o / joined.channels);
        weighed(joined.at(row, column, o), sigmoid(gate << 4))
    })
}

/// Bilinear samples, then products.
fn deformed(kernel: &Layer, x: &Map, guide: &Map, bits: u8) -> Map {
    let unit = 1i64 << bits;
    let c = x.channels;
    let sample = |row: i64, column: i64, tap: i64, channel: usize| {
        let place =
            |at: i64, offset: usize| at * unit + guide.at(row, column, 2 * tap as usize + offset);
        let (down, right) = (place(row + tap / 3 - 1, 0), place(column + tap % 3 - 1, 1));
        let share = |p: i64| p.rem_euclid(unit) * (16_384 / unit);
        let (r, s) = (down.div_euclid(unit), right.div_euclid(unit));
        let (v, w) = (share(down), share(right));
        let both = rounded((v * w).into(), 14);
        let sum = x.at(r, s, channel) * (16_384 - v - w + both)
            + x.at(r, s + 1, channel) * (w - both)
            + x.at(r + 1, s, channel) * (v - both)
            + x.at(r + 1, s + 1, channel) * both;
        rounded(sum.into(), 14)
    };
    let pixels = x.side * x.side;
    let patches: Vec<i64> = (0..pixels)
        .flat_map(|p| (0..9).flat_map(move |tap| (0..c).map(move |k| (p, tap, k))))
        .map(|(p, tap, k)| sample(p / x.side, p % x.side, tap, k))
        .collect();
    Map::from_fn(x.side, kernel.shape.outputs, |row, column, output| {
        let weights = &kernel.weights[output * 9 * c..][..9 * c];
        let patch = &patches[(row * x.side + column) as usize * 9 * c..][..9 * c];
        let terms = weights.iter().zip(patch);
        let sum = terms.map(|(&w, &x)| i64::from(w as i8) * x).sum();
        saturated(requantised(kernel, output, sum))
    })
}
