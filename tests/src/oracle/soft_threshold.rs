//! `y = sign(x) · max(|x| - θ, 0)`.

use super::sign;

/// The output.
pub fn forward(inputs: &[Vec<f64>]) -> Vec<f64> {
    let theta = inputs[1][0];
    let y = inputs[0].iter();
    y.map(|&x| sign(x) * (x.abs() - theta).max(0.0)).collect()
}

/// Gradients by `x` and `θ`.
pub fn backward(inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let theta = inputs[1][0];
    let mut grads = vec![vec![0.0; dy.len()], vec![0.0]];
    for (at, (&x, &g)) in inputs[0].iter().zip(dy).enumerate() {
        if x.abs() > theta {
            grads[0][at] = g;
            grads[1][0] -= sign(x) * g;
        }
    }
    grads
}
