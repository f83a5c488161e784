//! `factor · x`, `ln(1 + exp(x))`, `1 / (x + offset)`.

use derefnet::ops::{Function, Pointwise};

use super::sigmoid;

/// The output.
pub fn forward(op: &Pointwise, inputs: &[Vec<f64>]) -> Vec<f64> {
    let of = |&x: &f64| match op.function {
        Function::Scale(factor) => f64::from(factor) * x,
        Function::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        Function::Reciprocal(offset) => 1.0 / (x + f64::from(offset)),
    };
    inputs[0].iter().map(of).collect()
}

/// Gradient by `x`.
pub fn backward(op: &Pointwise, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let slope = |x: f64| match op.function {
        Function::Scale(factor) => f64::from(factor),
        Function::Softplus => sigmoid(x),
        Function::Reciprocal(offset) => -(x + f64::from(offset)).powi(-2),
    };
    let pairs = inputs[0].iter().zip(dy);
    vec![pairs.map(|(&x, g)| g * slope(x)).collect()]
}
