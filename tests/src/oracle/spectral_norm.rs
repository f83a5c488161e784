//! A step of power iteration, and a matrix over `uᵀ W v`.

use derefnet::ops::{PowerIteration, SpectralNorm};

fn over_norm(v: Vec<f64>) -> Vec<f64> {
    let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-12);
    v.iter().map(|x| x / norm).collect()
}

/// `u'` and `v`; inputs `W` and `u`.
pub fn power(op: &PowerIteration, inputs: &[Vec<f64>]) -> Vec<f64> {
    let (w, u) = (&inputs[0], &inputs[1]);
    let at = |i: usize, j: usize| w[i * op.columns + j];
    let down = |j: usize| (0..op.rows).map(|i| at(i, j) * u[i]).sum();
    let v = over_norm((0..op.columns).map(down).collect());
    let across = |i: usize| (0..op.columns).map(|j| at(i, j) * v[j]).sum();
    let u = over_norm((0..op.rows).map(across).collect());
    [u, v].concat()
}

fn sigma(op: &SpectralNorm, inputs: &[Vec<f64>]) -> f64 {
    let (u, v) = inputs[1].split_at(op.rows);
    let term = |(k, w): (usize, &f64)| u[k / op.columns] * w * v[k % op.columns];
    inputs[0].iter().enumerate().map(term).sum()
}

/// `W / (uᵀ W v)`; inputs `W` and `(u, v)`.
pub fn forward(op: &SpectralNorm, inputs: &[Vec<f64>]) -> Vec<f64> {
    let sigma = sigma(op, inputs);
    inputs[0].iter().map(|w| w / sigma).collect()
}

/// Gradient by `W`, `u` and `v` held; none by those.
pub fn backward(op: &SpectralNorm, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let sigma = sigma(op, inputs);
    let (u, v) = inputs[1].split_at(op.rows);
    let product: f64 = inputs[0].iter().zip(dy).map(|(w, g)| w * g).sum();
    let value = |(k, g): (usize, &f64)| {
        g / sigma - product / (sigma * sigma) * u[k / op.columns] * v[k % op.columns]
    };
    vec![
        dy.iter().enumerate().map(value).collect(),
        vec![0.0; inputs[1].len()],
    ]
}
