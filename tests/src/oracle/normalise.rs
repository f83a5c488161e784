//! Means and variances per channel, and `γ · (x - mean) / √(variance + ε) + β`.

use derefnet::ops::{Moments, Normalise};

/// Means, then variances.
pub fn moments(op: &Moments, inputs: &[Vec<f64>]) -> Vec<f64> {
    let channel = |c: usize| inputs[0].iter().skip(c).step_by(op.channels);
    let n = op.pixels as f64;
    let mean = |c: usize| channel(c).sum::<f64>() / n;
    let variance = |c: usize| {
        let mean = mean(c);
        channel(c).map(|x| (x - mean) * (x - mean)).sum::<f64>() / n
    };
    let means = (0..op.channels).map(mean);
    means.chain((0..op.channels).map(variance)).collect()
}

/// Gradient of the moments by `x`.
pub fn moments_backward(op: &Moments, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let y = moments(op, inputs);
    let value = |(k, x): (usize, &f64)| {
        let c = k % op.channels;
        (dy[c] + 2.0 * dy[op.channels + c] * (x - y[c])) / op.pixels as f64
    };
    vec![inputs[0].iter().enumerate().map(value).collect()]
}

/// The normalised values; inputs `x`, moments, `γ`, `β`.
pub fn forward(op: &Normalise, inputs: &[Vec<f64>]) -> Vec<f64> {
    let [x, moments, gamma, beta] = inputs else {
        panic!("four inputs");
    };
    let value = |(k, x): (usize, &f64)| {
        let c = k % op.channels;
        let deviation = (moments[op.channels + c] + f64::from(op.epsilon)).sqrt();
        gamma[c] * (x - moments[c]) / deviation + beta[c]
    };
    x.iter().enumerate().map(value).collect()
}

/// Gradients by all four inputs.
pub fn backward(op: &Normalise, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let channels = op.channels;
    let mut grads: Vec<Vec<f64>> = inputs.iter().map(|i| vec![0.0; i.len()]).collect();
    for (k, g) in dy.iter().enumerate() {
        let c = k % channels;
        let (mean, variance) = (inputs[1][c], inputs[1][channels + c]);
        let (gamma, centred) = (inputs[2][c], inputs[0][k] - mean);
        let s = 1.0 / (variance + f64::from(op.epsilon)).sqrt();
        grads[0][k] = gamma * s * g;
        grads[1][c] -= gamma * s * g;
        grads[1][channels + c] -= 0.5 * gamma * s * s * s * centred * g;
        grads[2][c] += s * centred * g;
        grads[3][c] += g;
    }
    grads
}
