//! `R = H - ρ · (G H G - B)` for symmetric `G`.

use derefnet::ops::DataStep;

/// `(A B)[i,j] = Σ_k A[i,k] · B[k,j]`, all square.
fn product(side: usize, a: &[f64], b: &[f64]) -> Vec<f64> {
    let element = |at: usize| {
        let (i, j) = (at / side, at % side);
        (0..side).map(|k| a[i * side + k] * b[k * side + j]).sum()
    };
    (0..side * side).map(element).collect()
}

/// `G X G` of every map.
fn sandwich(op: &DataStep, g: &[f64], x: &[f64]) -> Vec<f64> {
    let side = op.side;
    let maps = x.chunks(side * side);
    maps.flat_map(|x| product(side, &product(side, g, x), g))
        .collect()
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
