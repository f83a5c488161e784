//! Channels of all inputs, one input after the other, per pixel.

use derefnet::ops::Concat;

/// The output.
pub fn forward(op: &Concat, inputs: &[Vec<f64>]) -> Vec<f64> {
    let mut y = Vec::new();
    for pixel in 0..op.pixels {
        for (x, &c) in inputs.iter().zip(&op.channels) {
            y.extend(&x[pixel * c..(pixel + 1) * c]);
        }
    }
    y
}

/// Gradients by all inputs.
pub fn backward(op: &Concat, dy: &[f64]) -> Vec<Vec<f64>> {
    let mut grads = vec![Vec::new(); op.channels.len()];
    let mut dy = dy.iter();
    for _ in 0..op.pixels {
        for (grad, &c) in grads.iter_mut().zip(&op.channels) {
            grad.extend(dy.by_ref().take(c));
        }
    }
    grads
}
