//! Losses of masks: soft intersection over union, and MSHNet's with size and centre.

use std::f64::consts::PI;

use derefnet::ops::{MaskLoss, Overlap};

/// What the authors' program adds to quotients and roots of centres.
const SMOOTH: f64 = 1e-8;

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// `(Σ a·b, Σ a, Σ b)`.
fn sums(a: &[f64], b: &[f64]) -> (f64, f64, f64) {
    let shared = a.iter().zip(b).map(|(a, b)| a * b).sum();
    (shared, a.iter().sum(), b.iter().sum())
}

/// Row and column of pixel `at`, as shares of the sides.
fn place(op: &MaskLoss, at: usize) -> (f64, f64) {
    let (row, column) = (at / op.w, at % op.w);
    (row as f64 / op.h as f64, column as f64 / op.w as f64)
}

/// Mean over pixels of `p` times row and column.
fn centre(op: &MaskLoss, p: &[f64]) -> (f64, f64) {
    let mut centre = (0.0, 0.0);
    for (at, p) in p.iter().enumerate() {
        let (row, column) = place(op, at);
        centre.0 += p * row / p_count(op);
        centre.1 += p * column / p_count(op);
    }
    centre
}

fn p_count(op: &MaskLoss) -> f64 {
    (op.h * op.w) as f64
}

fn length((row, column): (f64, f64)) -> f64 {
    (row * row + column * column + SMOOTH).sqrt()
}

fn angle((row, column): (f64, f64)) -> f64 {
    (row / (column + SMOOTH)).atan()
}

/// The loss of one frame.
fn frame(op: &MaskLoss, p: &[f64], t: &[f64]) -> f64 {
    let (shared, marked, wanted) = sums(p, t);
    let d = ((marked - wanted) / 2.0).powi(2);
    let weight = (marked.min(wanted) + d) / (marked.max(wanted) + d);
    let share = shared / (marked + wanted - shared);
    let (own, other) = (centre(op, p), centre(op, t));
    let lengths = (length(own), length(other));
    let ratio = lengths.0.min(lengths.1) / (lengths.0.max(lengths.1) + SMOOTH);
    let turn = angle(own) - angle(other);
    1.0 - weight * share + 1.0 - ratio + 4.0 / (PI * PI) * turn * turn
}

/// The loss.
pub fn forward(op: &MaskLoss, inputs: &[Vec<f64>]) -> Vec<f64> {
    let p: Vec<f64> = inputs[0].iter().map(|&z| sigmoid(z)).collect();
    let t = &inputs[1];
    let loss = match op.overlap {
        Overlap::Soft => {
            let (shared, marked, wanted) = sums(&p, t);
            1.0 - (shared + 1.0) / (marked + wanted - shared + 1.0)
        }
        Overlap::Sensitive => {
            let area = op.h * op.w;
            let frames = p.chunks(area).zip(t.chunks(area));
            frames.map(|(p, t)| frame(op, p, t)).sum::<f64>() / op.n as f64
        }
    };
    vec![loss]
}

/// Slopes of [`frame`] by every `p`: each term by the product rule.
fn frame_slopes(op: &MaskLoss, p: &[f64], t: &[f64]) -> Vec<f64> {
    let (shared, marked, wanted) = sums(p, t);
    let whole = marked + wanted - shared;
    let d = ((marked - wanted) / 2.0).powi(2);
    let d_slope = (marked - wanted) / 2.0;
    let (small, large) = (marked.min(wanted) + d, marked.max(wanted) + d);
    let marked_is_small = marked < wanted;
    let small_slope = d_slope + f64::from(u8::from(marked_is_small));
    let large_slope = d_slope + f64::from(u8::from(!marked_is_small));
    let weight_slope = small_slope / large - small * large_slope / (large * large);
    let (own, other) = (centre(op, p), centre(op, t));
    let (own_length, other_length) = (length(own), length(other));
    let ratio_slope = if own_length < other_length {
        1.0 / (other_length + SMOOTH)
    } else {
        -other_length / (own_length + SMOOTH).powi(2)
    };
    let turn = angle(own) - angle(other);
    let tangent = own.0 / (own.1 + SMOOTH);
    let angle_slope = 1.0 / (1.0 + tangent * tangent) / (own.1 + SMOOTH);
    let slope = |(at, t): (usize, &f64)| {
        let (row, column) = place(op, at);
        let (row, column) = (row / p_count(op), column / p_count(op));
        let share_slope = t / whole - shared * (1.0 - t) / (whole * whole);
        let length_slope = (own.0 * row + own.1 * column) / own_length;
        let turn_slope = angle_slope * (row - tangent * column);
        -weight_slope * shared / whole - small / large * share_slope - ratio_slope * length_slope
            + 8.0 / (PI * PI) * turn * turn_slope
    };
    t.iter().enumerate().map(slope).collect()
}

/// Gradient by the logits; none by the masks.
pub fn backward(op: &MaskLoss, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let p: Vec<f64> = inputs[0].iter().map(|&z| sigmoid(z)).collect();
    let t = &inputs[1];
    let by_p: Vec<f64> = match op.overlap {
        Overlap::Soft => {
            let (shared, marked, wanted) = sums(&p, t);
            let (part, whole) = (shared + 1.0, marked + wanted - shared + 1.0);
            let slope = |t: &f64| -(t / whole - part * (1.0 - t) / (whole * whole));
            t.iter().map(slope).collect()
        }
        Overlap::Sensitive => {
            let area = op.h * op.w;
            let frames = p.chunks(area).zip(t.chunks(area));
            let slopes = frames.flat_map(|(p, t)| frame_slopes(op, p, t));
            slopes.map(|slope| slope / op.n as f64).collect()
        }
    };
    let dz = p
        .iter()
        .zip(by_p)
        .map(|(p, by_p)| dy[0] * p * (1.0 - p) * by_p);
    vec![dz.collect(), vec![0.0; t.len()]]
}
