//! `R = H - ρ · (G H G - B)` for symmetric `G`.

use derefnet::ops::DataStep;

/// `(G X G)[i,j] = Σ_{a,b} G[i,a] · X[a,b] · G[b,j]` of every map.
fn sandwich(op: &DataStep, g: &[f64], x: &[f64]) -> Vec<f64> {
    let s = op.side;
    let mut out = vec![0.0; x.len()];
    for (x, out) in x.chunks(s * s).zip(out.chunks_mut(s * s)) {
        for i in 0..s {
            for j in 0..s {
                for a in 0..s {
                    for b in 0..s {
                        out[i * s + j] += g[i * s + a] * x[a * s + b] * g[b * s + j];
                    }
                }
            }
        }
    }
    out
}

/// The output; inputs `H`, `B`, `ρ`, `G`.
pub fn forward(op: &DataStep, inputs: &[Vec<f64>]) -> Vec<f64> {
    let (h, b, rho) = (&inputs[0], &inputs[1], inputs[2][0]);
    let ghg = sandwich(op, &inputs[3], h);
    (0..h.len()).map(|k| h[k] - rho * (ghg[k] - b[k])).collect()
}

/// Gradients by `H` and `ρ`; those of the constants are empty.
pub fn backward(op: &DataStep, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let (h, b, rho) = (&inputs[0], &inputs[1], inputs[2][0]);
    let ghg = sandwich(op, &inputs[3], h);
    let gdg = sandwich(op, &inputs[3], dy);
    let dh = (0..h.len()).map(|k| dy[k] - rho * gdg[k]).collect();
    let drho = (0..h.len()).map(|k| -dy[k] * (ghg[k] - b[k])).sum();
    vec![dh, vec![], vec![drho], vec![]]
}
