//! `y[i] = x[index[i]]`, item by item.

use derefnet::ops::Gather;

/// The output.
pub fn forward(op: &Gather, inputs: &[Vec<f64>]) -> Vec<f64> {
    let value = |k: usize| inputs[0][op.index[k / op.item] * op.item + k % op.item];
    (0..op.index.len() * op.item).map(value).collect()
}

/// Gradient by `x`.
pub fn backward(op: &Gather, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let mut dx = vec![0.0; inputs[0].len()];
    for (k, g) in dy.iter().enumerate() {
        dx[op.index[k / op.item] * op.item + k % op.item] += g;
    }
    vec![dx]
}
