//! `scale · Σ a`.

use derefnet::ops::Total;

/// The total.
pub fn forward(op: &Total, inputs: &[Vec<f64>]) -> Vec<f64> {
    vec![f64::from(op.scale) * inputs[0].iter().sum::<f64>()]
}

/// Its gradient.
pub fn backward(op: &Total, dy: &[f64]) -> Vec<Vec<f64>> {
    vec![vec![f64::from(op.scale) * dy[0]; op.len]]
}
