//! `y[p, c] = x[p, c] · s[p, c / (channels / groups)]`.

use derefnet::ops::GroupScale;

/// Calls `visit(x, s)` with the places of every product.
fn products(op: &GroupScale, mut visit: impl FnMut(usize, usize)) {
    for p in 0..op.pixels {
        for c in 0..op.channels {
            let group = c / (op.channels / op.groups);
            visit(p * op.channels + c, p * op.groups + group);
        }
    }
}

/// The output; inputs `x` and `s`.
pub fn forward(op: &GroupScale, inputs: &[Vec<f64>]) -> Vec<f64> {
    let mut y = vec![0.0; inputs[0].len()];
    products(op, |x, s| y[x] = inputs[0][x] * inputs[1][s]);
    y
}

/// Gradients by `x` and `s`.
pub fn backward(op: &GroupScale, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let mut grads = vec![vec![0.0; inputs[0].len()], vec![0.0; inputs[1].len()]];
    products(op, |x, s| {
        grads[0][x] = inputs[1][s] * dy[x];
        grads[1][s] += inputs[0][x] * dy[x];
    });
    grads
}
