//! `y[n,i,j,o] = Σ_{k,c} w[o,c,k] · x[n, i+a_k-1+Δr, j+b_k-1+Δc, c]`, bilinear, zero outside.
//!
//! Bilinear interpolation is a sum of hat functions: pixel `r` weighs `max(0, 1 - |position - r|)`.

use derefnet::ops::DeformConv2d;

/// One pixel that a sample reads along one axis: its place, weight and slope of the weight.
#[derive(Clone, Copy)]
struct Hat {
    at: usize,
    weight: f64,
    slope: f64,
}

/// Pixels of an axis of `side` pixels that a sample at `position` reads; slopes are those towards
/// larger positions.
fn hats(side: usize, position: f64) -> Vec<Hat> {
    if position <= -1.0 || position >= side as f64 {
        return Vec::new();
    }
    let hat = |at: usize| {
        let distance = position - at as f64;
        (-1.0..1.0).contains(&distance).then(|| Hat {
            at,
            weight: 1.0 - distance.abs(),
            slope: if distance < 0.0 { 1.0 } else { -1.0 },
        })
    };
    (0..side).filter_map(hat).collect()
}

/// One sample: where it starts reading `x` and `w`, where its offset is, and what it reads.
struct Sample {
    pixel: usize,
    tap: usize,
    offset: usize,
    rows: Vec<Hat>,
    columns: Vec<Hat>,
}

fn samples(op: &DeformConv2d, offsets: &[f64]) -> Vec<Sample> {
    let (h, w) = (op.input.h, op.input.w);
    let mut list = Vec::new();
    for pixel in 0..op.input.n * h * w {
        let (i, j) = (pixel / w % h, pixel % w);
        for tap in 0..9 {
            let offset = (pixel * 9 + tap) * 2;
            let row = i as f64 + (tap / 3) as f64 - 1.0 + offsets[offset];
            let column = j as f64 + (tap % 3) as f64 - 1.0 + offsets[offset + 1];
            list.push(Sample {
                pixel,
                tap,
                offset,
                rows: hats(h, row),
                columns: hats(w, column),
            });
        }
    }
    list
}

impl Sample {
    /// Calls `visit(x, weight, row slope, column slope)` for every pixel read in `channel`.
    fn reads(
        &self,
        op: &DeformConv2d,
        channel: usize,
        mut visit: impl FnMut(usize, f64, f64, f64),
    ) {
        let map = self.pixel / op.input.pixels();
        for r in &self.rows {
            for c in &self.columns {
                let place = (map * op.input.h + r.at) * op.input.w + c.at;
                visit(
                    place * op.input.c + channel,
                    r.weight * c.weight,
                    r.slope * c.weight,
                    r.weight * c.slope,
                );
            }
        }
    }
}

/// The output.
pub fn forward(op: &DeformConv2d, inputs: &[Vec<f64>]) -> Vec<f64> {
    let (x, w) = (&inputs[0], &inputs[2]);
    let mut y = vec![0.0; op.output().len()];
    for sample in samples(op, &inputs[1]) {
        for channel in 0..op.input.c {
            let mut value = 0.0;
            sample.reads(op, channel, |at, weight, _, _| value += weight * x[at]);
            for o in 0..op.out_channels {
                let place = (o * op.input.c + channel) * 9 + sample.tap;
                y[sample.pixel * op.out_channels + o] += w[place] * value;
            }
        }
    }
    y
}

/// Gradients by input, offsets and kernel.
pub fn backward(op: &DeformConv2d, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    adjoint(op, inputs, dy, |slope| slope)
}

/// Sums of the absolute terms of [`backward`] for inputs, kernels and gradients without signs.
pub fn absolute(op: &DeformConv2d, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    adjoint(op, inputs, dy, f64::abs)
}

fn adjoint(
    op: &DeformConv2d,
    inputs: &[Vec<f64>],
    dy: &[f64],
    signed: fn(f64) -> f64,
) -> Vec<Vec<f64>> {
    let (x, w) = (&inputs[0], &inputs[2]);
    let mut dx = vec![0.0; x.len()];
    let mut doffsets = vec![0.0; inputs[1].len()];
    let mut dw = vec![0.0; w.len()];
    for sample in samples(op, &inputs[1]) {
        for channel in 0..op.input.c {
            let mut value = 0.0;
            sample.reads(op, channel, |at, weight, _, _| value += weight * x[at]);
            let mut g = 0.0;
            for o in 0..op.out_channels {
                let place = (o * op.input.c + channel) * 9 + sample.tap;
                let dy = dy[sample.pixel * op.out_channels + o];
                g += w[place] * dy;
                dw[place] += value * dy;
            }
            sample.reads(op, channel, |at, weight, row, column| {
                dx[at] += weight * g;
                doffsets[sample.offset] += signed(row) * x[at] * g;
                doffsets[sample.offset + 1] += signed(column) * x[at] * g;
            });
        }
    }
    vec![dx, doffsets, dw]
}
