//! `scale · Σ (a - b)²`, `scale · Σ |a - b|`, `scale · Σ a` and `Σ weights[i] · input[i]`.

use derefnet::ops::{AbsoluteError, SquaredError, Total, WeightedSum};

use super::sign;

/// `a - b`; a missing `b` stands for zero.
fn differences(inputs: &[Vec<f64>]) -> Vec<f64> {
    let b = |k: usize| inputs.get(1).map_or(0.0, |b| b[k]);
    (0..inputs[0].len()).map(|k| inputs[0][k] - b(k)).collect()
}

/// Gradients by `a` and, where there is one, `b`, given `da`.
fn by_inputs(count: usize, da: Vec<f64>) -> Vec<Vec<f64>> {
    let db = da.iter().map(|g| -g).collect();
    vec![da, db].into_iter().take(count).collect()
}

/// The squared error.
pub fn squared(op: &SquaredError, inputs: &[Vec<f64>]) -> Vec<f64> {
    let sum: f64 = differences(inputs).iter().map(|d| d * d).sum();
    vec![f64::from(op.scale) * sum]
}

/// Gradients of the squared error.
pub fn squared_backward(op: &SquaredError, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let da = differences(inputs)
        .iter()
        .map(|d| 2.0 * f64::from(op.scale) * dy[0] * d)
        .collect();
    by_inputs(inputs.len(), da)
}

/// The absolute error.
pub fn absolute(op: &AbsoluteError, inputs: &[Vec<f64>]) -> Vec<f64> {
    let sum: f64 = differences(inputs).iter().map(|d| d.abs()).sum();
    vec![f64::from(op.scale) * sum]
}

/// Gradients of the absolute error, zero where it is zero.
pub fn absolute_backward(op: &AbsoluteError, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let da = differences(inputs)
        .iter()
        .map(|&d| f64::from(op.scale) * dy[0] * sign(d))
        .collect();
    by_inputs(inputs.len(), da)
}

/// The weighted sum.
pub fn weighted(op: &WeightedSum, inputs: &[Vec<f64>]) -> Vec<f64> {
    let terms = op.weights.iter().zip(inputs);
    vec![terms.map(|(&w, x)| f64::from(w) * x[0]).sum()]
}

/// Gradients of the weighted sum.
pub fn weighted_backward(op: &WeightedSum, dy: &[f64]) -> Vec<Vec<f64>> {
    op.weights
        .iter()
        .map(|&w| vec![f64::from(w) * dy[0]])
        .collect()
}

/// The total.
pub fn total(op: &Total, inputs: &[Vec<f64>]) -> Vec<f64> {
    vec![f64::from(op.scale) * inputs[0].iter().sum::<f64>()]
}

/// Gradient of the total.
pub fn total_backward(op: &Total, dy: &[f64]) -> Vec<Vec<f64>> {
    vec![vec![f64::from(op.scale) * dy[0]; op.len]]
}
