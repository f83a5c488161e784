//! USRNet: exact data steps and a shared denoiser, by turns.

//!
//! The data step `argmin |y - Hx|² + α|x - x₀|²` is published as a quotient of spectra. Its `H = h ⊗ h`
//! takes every third cell of a circular convolution with three taps `g`: rows of `h` share no cell, so
//! `HHᵀ = (Σg²)² I`, and by Woodbury `x = x₀ - (HᵀHx₀ - Hᵀy) / ((Σg²)² + α)` exactly: a
//! [`DataStep`](crate::ops::DataStep) without any transform.
//!
//! The blur that the authors give it is not the sensor's: a third as wide, without the pixels'
//! integration, and centred on a pixel's first cell.

use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, MAP_LEN, MAP_SIDE};

use super::blocks::residuals;
use super::loss::{SCORED, Training};
use super::net::{Layer, Map, Net};
use super::{AS_PUBLISHED, Answer, Method, Network, Published, Reference, Solution};
use crate::backend::counting::Steps;
use crate::ops::{Function, Interpolation, Stride};

/// Registry entry.
pub const METHOD: Method = Method {
    name: "USRNet",
    key: "usr-net",
    about: "exact data steps and a shared denoiser, by turns",
    reference: Reference {
        authors: "Zhang, Van Gool and Timofte",
        title: "Deep unfolding network for image super-resolution",
        venue: "CVPR 2020",
    },
    published: Some(Published {
        fps: 622.0,
        parameters: Some("1.07 M"),
        flops: "11.26 G",
        cso_map: 49.25,
        average_precisions: [0.7, 9.8, 46.6, 91.2, 98.9],
    }),
    variants: AS_PUBLISHED,
    foreign_parameters: 0,
    solution: Solution::Network(&UsrNet),
};

struct UsrNet;

/// Standard deviation of the blur, cells.
const SIGMA: f64 = 0.5;
/// Cells per pixel and axis.
const SCALE: usize = 3;
/// Added to what the small network says.
const LEAST: f32 = 1e-6;

const HALVE: Stride = Stride {
    kernel: 2,
    stride: 2,
    padding: 0,
};

/// `h (11, 33)` and `(Σg²)²`.
fn blur() -> (Vec<f64>, f64) {
    let raw = [-1.0, 0.0, 1.0].map(|d: f64| libm::exp(-d * d / (2.0 * SIGMA * SIGMA)));
    let sum: f64 = raw.iter().sum();
    let taps = raw.map(|v| v / sum);
    let mut h = vec![0.0; FRAME_SIDE * MAP_SIDE];
    for (pixel, row) in h.chunks_exact_mut(MAP_SIDE).enumerate() {
        for (tap, value) in taps.iter().enumerate() {
            row[(SCALE * pixel + tap + MAP_SIDE - 1) % MAP_SIDE] = *value;
        }
    }
    let power: f64 = taps.iter().map(|v| v * v).sum();
    (h, power * power)
}

/// `hᵀh (33, 33)`.
fn gram(h: &[f64]) -> Vec<f32> {
    let at = |i: usize, j: usize| {
        let rows = h.chunks_exact(MAP_SIDE);
        rows.map(|row| row[i] * row[j]).sum::<f64>() as f32
    };
    (0..MAP_LEN)
        .map(|k| at(k / MAP_SIDE, k % MAP_SIDE))
        .collect()
}

/// `Hᵀ (1089, 121)`.
fn transposed(h: &[f64]) -> Vec<f32> {
    let at = |pixel: usize, cell: usize| h[pixel * MAP_SIDE + cell];
    let value = |k: usize| {
        let (cell, pixel) = (k / FRAME_LEN, k % FRAME_LEN);
        let rows = at(pixel / FRAME_SIDE, cell / MAP_SIDE);
        (rows * at(pixel % FRAME_SIDE, cell % MAP_SIDE)) as f32
    };
    (0..MAP_LEN * FRAME_LEN).map(value).collect()
}

impl Network for UsrNet {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let iterations = net.pick(8, 2);
        let (h, power) = blur();
        let gram = gram(&h);
        let frames = net.frames();
        let back = net.times(frames, &transposed(&h), MAP_LEN);
        let back = net.as_map(back);
        let mut x = net.resize(frames, MAP_SIDE, Interpolation::Nearest);
        let settings = net.within("hyper", |net| hyper(net, 2 * iterations));
        for k in 0..iterations {
            let alpha = Map {
                var: net.pick_value(settings, k),
                ..net.scalar(0.0)
            };
            let rho = net.map(alpha, Function::Reciprocal(power as f32));
            let solved = net.data_step(x, back, rho.var, &gram);
            let level = net.spread(settings, iterations + k, solved.shape);
            let both = net.concat(&[solved, level]);
            x = net.within("denoiser", |net| denoise(net, both));
        }
        x.into()
    }

    fn training(&self, _: &str) -> Training {
        Training::usual(SCORED)
    }

    /// Published as transforms, which nobody counts.
    fn steps(&self) -> Steps {
        Steps::Separable
    }
}

/// Weights of the data steps and levels of the denoiser, from a noise of 0 and the scale.
fn hyper(net: &mut Net<'_>, out: usize) -> Map {
    let width = net.pick(64, 8);
    let [noise, scale] = [0.0, SCALE as f32].map(|value| net.scalar(value));
    let x = net.concat(&[noise, scale]);
    let x = net.linear("1", x, width);
    let x = net.relu(x);
    let x = net.linear("2", x, width);
    let x = net.relu(x);
    let x = net.linear("3", x, out);
    let x = net.map(x, Function::Softplus);
    let least = net.constant(x.shape, &vec![LEAST; out]);
    net.add(x, least)
}

/// Two residual blocks.
fn pair(net: &mut Net<'_>, name: &str, x: Map) -> Map {
    residuals(net, name, 2, x, Layer::new(x.shape.c, 3).bare())
}

/// Residual blocks at four sizes, down and up again.
fn denoise(net: &mut Net<'_>, x: Map) -> Map {
    let channels = [16, 32, 64, 128].map(|c| net.pick(c, c / 8));
    let first = net.conv("head", x, Layer::new(channels[0], 3).bare());
    let mut passed = vec![first];
    let mut x = first;
    for (k, &wider) in channels[1..].iter().enumerate() {
        x = pair(net, &format!("down{k}.blocks"), x);
        let layer = Layer::new(wider, HALVE.kernel).bare();
        x = net.strided(&format!("down{k}.halve"), x, layer, HALVE);
        passed.push(x);
    }
    x = pair(net, "body", x);
    for k in (0..3).rev() {
        if let Some(skip) = passed.pop() {
            x = net.add(x, skip);
        }
        let layer = Layer::new(channels[k], HALVE.kernel).bare();
        x = net.transposed(&format!("up{k}.double"), x, layer, HALVE);
        x = pair(net, &format!("up{k}.blocks"), x);
    }
    let x = net.resize(x, MAP_SIDE, Interpolation::Bilinear);
    let x = net.add(x, first);
    net.conv("tail", x, Layer::new(1, 3).bare())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Complex = (f64, f64);

    fn times(a: Complex, b: Complex) -> Complex {
        (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
    }

    /// Two-dimensional discrete Fourier transform of 33×33 values; `sign` -1 there, 1 back.
    fn transform(x: &[Complex], sign: f64) -> Vec<Complex> {
        let along = |x: &[Complex], stride: usize| -> Vec<Complex> {
            let value = |at: usize| {
                let place = at / stride % MAP_SIDE;
                let first = at - place * stride;
                (0..MAP_SIDE).fold((0.0, 0.0), |sum: Complex, k| {
                    let turns = (place * k % MAP_SIDE) as f64 / MAP_SIDE as f64;
                    let angle = sign * core::f64::consts::TAU * turns;
                    let term = times(x[first + k * stride], (libm::cos(angle), libm::sin(angle)));
                    (sum.0 + term.0, sum.1 + term.1)
                })
            };
            (0..MAP_LEN).map(value).collect()
        };
        along(&along(x, 1), MAP_SIDE)
    }

    /// Mean over the nine blocks of 11×11 of a spectrum, in the place of each.
    fn folded(x: &[Complex]) -> Vec<Complex> {
        let value = |at: usize| {
            let (i, j) = (at / MAP_SIDE % FRAME_SIDE, at % MAP_SIDE % FRAME_SIDE);
            (0..9).fold((0.0, 0.0), |sum: Complex, block| {
                let (a, b) = (i + block / 3 * FRAME_SIDE, j + block % 3 * FRAME_SIDE);
                let v = x[a * MAP_SIDE + b];
                (sum.0 + v.0 / 9.0, sum.1 + v.1 / 9.0)
            })
        };
        (0..MAP_LEN).map(value).collect()
    }

    /// The published quotient of spectra: with `F` the blur's and `R = F̄ Y + αX`,
    /// `(R - F̄ · fold(F R) / (fold(|F|²) + α)) / α`.
    fn published(y: &[f64], x: &[f64], alpha: f64) -> Vec<f64> {
        let (h, _) = blur();
        // The middle tap of the first pixel's row lies on cell 0.
        let kernel: Vec<Complex> = (0..MAP_LEN)
            .map(|k| (h[k / MAP_SIDE] * h[k % MAP_SIDE], 0.0))
            .collect();
        let blur = transform(&kernel, -1.0);
        let mut inserted = vec![(0.0, 0.0); MAP_LEN];
        for (pixel, &value) in y.iter().enumerate() {
            let (a, b) = (pixel / FRAME_SIDE, pixel % FRAME_SIDE);
            inserted[SCALE * a * MAP_SIDE + SCALE * b] = (value, 0.0);
        }
        let frame = transform(&inserted, -1.0);
        let start = transform(&x.iter().map(|&v| (v, 0.0)).collect::<Vec<_>>(), -1.0);
        let conjugate = |v: Complex| (v.0, -v.1);
        let right: Vec<Complex> = (0..MAP_LEN)
            .map(|k| {
                let g = times(conjugate(blur[k]), frame[k]);
                (g.0 + alpha * start[k].0, g.1 + alpha * start[k].1)
            })
            .collect();
        let both = blur.iter().zip(&right).map(|(&f, &r)| times(f, r));
        let both = folded(&both.collect::<Vec<_>>());
        let power = folded(
            &blur
                .iter()
                .map(|f| (f.0 * f.0 + f.1 * f.1, 0.0))
                .collect::<Vec<_>>(),
        );
        let spectrum: Vec<Complex> = (0..MAP_LEN)
            .map(|k| {
                let share = 1.0 / (power[k].0 + alpha);
                let e = (both[k].0 * share, both[k].1 * share);
                let back = times(conjugate(blur[k]), e);
                ((right[k].0 - back.0) / alpha, (right[k].1 - back.1) / alpha)
            })
            .collect();
        let n = MAP_LEN as f64;
        transform(&spectrum, 1.0).iter().map(|v| v.0 / n).collect()
    }

    /// `x - ρ · (G x G - Hᵀy)`.
    fn ours(y: &[f64], x: &[f64], alpha: f64) -> Vec<f64> {
        let (h, power) = blur();
        let gram: Vec<f64> = gram(&h).iter().map(|&v| f64::from(v)).collect();
        let back = transposed(&h);
        let product = |a: &[f64], b: &[f64]| -> Vec<f64> {
            let value = |at: usize| {
                let (i, j) = (at / MAP_SIDE, at % MAP_SIDE);
                (0..MAP_SIDE)
                    .map(|k| a[i * MAP_SIDE + k] * b[k * MAP_SIDE + j])
                    .sum()
            };
            (0..MAP_LEN).map(value).collect()
        };
        let seen = product(&product(&gram, x), &gram);
        let rho = 1.0 / (power + alpha);
        let value = |(cell, x): (usize, &f64)| {
            let row = &back[cell * FRAME_LEN..(cell + 1) * FRAME_LEN];
            let wanted: f64 = row.iter().zip(y).map(|(&b, y)| f64::from(b) * y).sum();
            x - rho * (seen[cell] - wanted)
        };
        x.iter().enumerate().map(value).collect()
    }

    #[test]
    fn the_data_step_is_the_published_one() {
        let y: Vec<f64> = (0..FRAME_LEN).map(|k| (k * 37 % 101) as f64).collect();
        let x: Vec<f64> = (0..MAP_LEN).map(|k| (k * 53 % 97) as f64).collect();
        for alpha in [0.01, 0.7] {
            let (a, b) = (published(&y, &x, alpha), ours(&y, &x, alpha));
            for (cell, (a, b)) in a.iter().zip(&b).enumerate() {
                // Matrices are rounded to f32.
                assert!((a - b).abs() < 1e-3, "cell {cell}: {a}, ours {b}");
            }
        }
    }
}
