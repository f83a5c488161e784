//! `y[n, f·i+a, f·j+b, c] = x[n, i, j, c·f² + f·a + b]`.

use derefnet::ops::PixelShuffle;

/// Place in `x` of every value of `y`, in order.
fn places(op: &PixelShuffle) -> Vec<usize> {
    let (f, from, to) = (op.factor, op.input, op.output());
    let mut places = Vec::new();
    for n in 0..to.n {
        for row in 0..to.h {
            for column in 0..to.w {
                for c in 0..to.c {
                    let (i, j, a, b) = (row / f, column / f, row % f, column % f);
                    places.push(((n * from.h + i) * from.w + j) * from.c + c * f * f + f * a + b);
                }
            }
        }
    }
    places
}

/// The output.
pub fn forward(op: &PixelShuffle, inputs: &[Vec<f64>]) -> Vec<f64> {
    places(op).into_iter().map(|k| inputs[0][k]).collect()
}

/// Gradient by `x`.
pub fn backward(op: &PixelShuffle, dy: &[f64]) -> Vec<Vec<f64>> {
    let mut dx = vec![0.0; dy.len()];
    for (k, g) in places(op).into_iter().zip(dy) {
        dx[k] = *g;
    }
    vec![dx]
}
