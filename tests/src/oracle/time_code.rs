//! `gate[t] = sigmoid(b + W · (t, …, t))`.

use derefnet::ops::TimeCode;

use super::sigmoid;

/// The gates; inputs `W` and `b`.
pub fn forward(op: &TimeCode, inputs: &[Vec<f64>]) -> Vec<f64> {
    let mut gates = Vec::new();
    for &t in &op.times {
        for i in 0..op.len {
            let row = &inputs[0][i * op.len..(i + 1) * op.len];
            let dot: f64 = row.iter().map(|w| w * f64::from(t)).sum();
            gates.push(sigmoid(inputs[1][i] + dot));
        }
    }
    gates
}

/// Gradients by `W` and `b`.
pub fn backward(op: &TimeCode, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let gates = forward(op, inputs);
    let mut grads = vec![vec![0.0; inputs[0].len()], vec![0.0; op.len]];
    for (k, &t) in op.times.iter().enumerate() {
        for i in 0..op.len {
            let at = k * op.len + i;
            let d = dy[at] * gates[at] * (1.0 - gates[at]);
            grads[1][i] += d;
            for w in &mut grads[0][i * op.len..(i + 1) * op.len] {
                *w += d * f64::from(t);
            }
        }
    }
    grads
}
