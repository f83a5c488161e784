//! `y[n,i,j,c] = Σ R[i,k] · C[j,l] · x[n,k,l,c]`, pixel centres at half-integers or corners aligned.

use derefnet::ops::{Interpolation, Resize};

/// Adds what a place between two inputs has of either.
fn between(row: &mut [f64], place: f64) {
    let (first, rest) = (place.floor() as usize, place - place.floor());
    row[first] += 1.0 - rest;
    row[(first + 1).min(row.len() - 1)] += rest;
}

/// `(to, from)`: how much of each input an output is.
fn matrix(interpolation: Interpolation, from: usize, to: usize) -> Vec<Vec<f64>> {
    let row = |i: usize| {
        let mut row = vec![0.0; from];
        match interpolation {
            Interpolation::Nearest => row[i * from / to] = 1.0,
            Interpolation::Bilinear => {
                let ratio = from as f64 / to as f64;
                between(
                    &mut row,
                    ((i as f64 + 0.5) * ratio - 0.5).clamp(0.0, from as f64 - 1.0),
                );
            }
            Interpolation::Aligned if to == 1 => row[0] = 1.0,
            Interpolation::Aligned => {
                between(&mut row, (i * (from - 1)) as f64 / (to as f64 - 1.0));
            }
        }
        row
    };
    (0..to).map(row).collect()
}

/// Calls `visit(y, x, weight)` for every pair of values.
fn pairs(op: &Resize, mut visit: impl FnMut(usize, usize, f64)) {
    let (from, to) = (op.input, op.output());
    let rows = matrix(op.interpolation, from.h, to.h);
    let columns = matrix(op.interpolation, from.w, to.w);
    for n in 0..to.n {
        for (i, row) in rows.iter().enumerate() {
            for (j, column) in columns.iter().enumerate() {
                for (k, r) in row.iter().enumerate().filter(|(_, r)| **r != 0.0) {
                    for (l, s) in column.iter().enumerate().filter(|(_, s)| **s != 0.0) {
                        for c in 0..to.c {
                            visit(
                                ((n * to.h + i) * to.w + j) * to.c + c,
                                ((n * from.h + k) * from.w + l) * from.c + c,
                                r * s,
                            );
                        }
                    }
                }
            }
        }
    }
}

/// The output.
pub fn forward(op: &Resize, inputs: &[Vec<f64>]) -> Vec<f64> {
    let mut y = vec![0.0; op.output().len()];
    pairs(op, |to, from, weight| y[to] += weight * inputs[0][from]);
    y
}

/// Gradient by `x`.
pub fn backward(op: &Resize, dy: &[f64]) -> Vec<Vec<f64>> {
    let mut dx = vec![0.0; op.input.len()];
    pairs(op, |from, to, weight| dx[to] += weight * dy[from]);
    vec![dx]
}
