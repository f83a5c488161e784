//! Losses of masks on the CPU, in f64.

use std::f64::consts::PI;

use rayon::prelude::*;

use super::{MaskLoss, Overlap};
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::{Operator, Saved};

/// Keeps quotients of centres from being those of zeros.
const SMALL: f64 = 1e-8;
/// Weight of the squared difference of angles: they lie a right angle apart at most.
const ANGLE: f64 = 4.0 / (PI * PI);

/// What a loss asks of one frame.
#[derive(Clone, Copy, Default)]
struct Sums {
    /// `Σ p·t`.
    shared: f64,
    /// `Σ p`.
    marked: f64,
    /// `Σ t`.
    wanted: f64,
    /// Mean of `p` times row and column.
    centre: [f64; 2],
    /// The same of `t`.
    wanted_centre: [f64; 2],
}

/// A value, and the factors `[1, t, row, column]` of its slope by `p`.
type Sloped = (f64, [f64; 4]);

fn sigmoid(z: f32) -> f64 {
    1.0 / (1.0 + (-f64::from(z)).exp())
}

impl MaskLoss {
    /// Row and column of a pixel, as shares of the sides.
    fn place(&self, at: usize) -> [f64; 2] {
        [
            (at / self.w) as f64 / self.h as f64,
            (at % self.w) as f64 / self.w as f64,
        ]
    }

    fn sums(&self, z: &[f32], t: &[f32]) -> Sums {
        let mut sums = Sums::default();
        let pixels = self.pixels() as f64;
        for (at, (&z, &t)) in z.iter().zip(t).enumerate() {
            let (p, t) = (sigmoid(z), f64::from(t));
            sums.shared += p * t;
            sums.marked += p;
            sums.wanted += t;
            for (axis, place) in self.place(at).into_iter().enumerate() {
                sums.centre[axis] += p * place / pixels;
                sums.wanted_centre[axis] += t * place / pixels;
            }
        }
        sums
    }

    /// The loss, and per frame the factors of its slope.
    fn judged(&self, inputs: &[&Buffer]) -> (f64, Vec<[f64; 4]>) {
        let frames = inputs[0].par_chunks(self.pixels());
        let frames = frames.zip(inputs[1].par_chunks(self.pixels()));
        let sums: Vec<Sums> = frames.map(|(z, t)| self.sums(z, t)).collect();
        match self.overlap {
            Overlap::Soft => {
                let all = sums.iter().fold(Sums::default(), |all, frame| Sums {
                    shared: all.shared + frame.shared,
                    marked: all.marked + frame.marked,
                    wanted: all.wanted + frame.wanted,
                    ..all
                });
                let (share, slope) = overlap(&all, 1.0);
                (1.0 - share, vec![slope.map(|s| -s); self.n])
            }
            Overlap::Sensitive => {
                let pixels = self.pixels() as f64;
                let frames = sums.iter().map(|sums| sensitive(sums, pixels));
                let (values, slopes): (Vec<f64>, Vec<[f64; 4]>) = frames.unzip();
                let n = self.n as f64;
                let slopes = slopes.iter().map(|slope| slope.map(|s| s / n)).collect();
                (values.iter().sum::<f64>() / n, slopes)
            }
        }
    }
}

/// `(I + s) / (P + T - I + s)`.
fn overlap(sums: &Sums, smooth: f64) -> Sloped {
    let part = sums.shared + smooth;
    let whole = sums.marked + sums.wanted - sums.shared + smooth;
    let square = whole * whole;
    let slope = [-part / square, (whole + part) / square, 0.0, 0.0];
    (part / whole, slope)
}

/// `α` and its slope by `P`.
fn scale(sums: &Sums) -> [f64; 2] {
    let apart = sums.marked - sums.wanted;
    let (d, slope) = (0.25 * apart * apart, 0.5 * apart);
    let (small, large) = (sums.marked + d, sums.wanted + d);
    if apart < 0.0 {
        let by = (1.0 + slope) * large - slope * small;
        [small / large, by / (large * large)]
    } else {
        let by = slope * small - (1.0 + slope) * large;
        [large / small, by / (small * small)]
    }
}

/// `1 - l + (4/π²)·(θ - θ')²` and its slopes by row and column of the centre.
fn location(centre: [f64; 2], wanted: [f64; 2]) -> (f64, [f64; 2]) {
    let length = |[row, column]: [f64; 2]| (row * row + column * column + SMALL).sqrt();
    let angle = |[row, column]: [f64; 2]| (row / (column + SMALL)).atan();
    let (own, other) = (length(centre), length(wanted));
    let (share, by_length) = if own < other {
        (own / (other + SMALL), 1.0 / (other + SMALL))
    } else {
        let larger = own + SMALL;
        (other / larger, -other / (larger * larger))
    };
    let turn = angle(centre) - angle(wanted);
    let [row, column] = centre;
    let reach = column + SMALL;
    let by_turn = 2.0 * ANGLE * turn / (reach * reach + row * row);
    let slopes = [
        by_turn * reach - by_length * row / own,
        -by_turn * row - by_length * column / own,
    ];
    (1.0 - share + ANGLE * turn * turn, slopes)
}

/// The loss of one frame of `pixels` pixels.
fn sensitive(sums: &Sums, pixels: f64) -> Sloped {
    let (share, [flat, marked, ..]) = overlap(sums, 0.0);
    let [weight, by_marked] = scale(sums);
    let (apart, by_centre) = location(sums.centre, sums.wanted_centre);
    let slope = [
        -by_marked * share - weight * flat,
        -weight * marked,
        by_centre[0] / pixels,
        by_centre[1] / pixels,
    ];
    (1.0 - weight * share + apart, slope)
}

impl Operator<Cpu> for MaskLoss {
    fn name(&self) -> &'static str {
        "mask_loss"
    }

    fn output_len(&self) -> usize {
        1
    }

    fn forward(&self, _: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        output[0] = self.judged(inputs).0 as f32;
    }

    fn backward(&self, _: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let Some(dz) = &mut grads[0] else { return };
        let (_, slopes) = self.judged(saved.inputs);
        let dy = f64::from(saved.grad[0]);
        let frames = dz.par_chunks_mut(self.pixels()).zip(slopes);
        let inputs = saved.inputs[0].par_chunks(self.pixels());
        let inputs = inputs.zip(saved.inputs[1].par_chunks(self.pixels()));
        frames
            .zip(inputs)
            .for_each(|((dz, [flat, by_mask, by_row, by_column]), (z, t))| {
                for (at, (dz, (&z, &t))) in dz.iter_mut().zip(z.iter().zip(t)).enumerate() {
                    let p = sigmoid(z);
                    let [row, column] = self.place(at);
                    let by_p = flat + by_mask * f64::from(t) + by_row * row + by_column * column;
                    *dz = (dy * p * (1.0 - p) * by_p) as f32;
                }
            });
    }
}
