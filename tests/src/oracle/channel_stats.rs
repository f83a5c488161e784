//! Mean and maximum over the channels of each pixel.

use derefnet::ops::ChannelStats;

fn max(pixel: &[f64]) -> f64 {
    pixel.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// The output `(pixels, [mean, max])`.
pub fn forward(op: &ChannelStats, inputs: &[Vec<f64>]) -> Vec<f64> {
    let pixels = inputs[0].chunks(op.channels);
    pixels
        .flat_map(|p| [p.iter().sum::<f64>() / p.len() as f64, max(p)])
        .collect()
}

/// Gradient by `x`; that of the maximum goes to the first channel that attains it.
pub fn backward(op: &ChannelStats, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let mut dx = Vec::new();
    for (pixel, dy) in inputs[0].chunks(op.channels).zip(dy.chunks(2)) {
        let first = pixel.iter().position(|&v| v == max(pixel));
        for channel in 0..op.channels {
            let won = if Some(channel) == first { dy[1] } else { 0.0 };
            dx.push(dy[0] / op.channels as f64 + won);
        }
    }
    vec![dx]
}
