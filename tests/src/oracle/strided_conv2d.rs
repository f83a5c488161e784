//! Convolutions between a large map and a small one; see [`derefnet::ops::StridedConv2d`].

use derefnet::ops::{Stride, StridedConv2d, TransposedConv2d};
use derefnet::tensor::Shape;

/// Calls `visit(large, small, w)` with the places of every product.
fn products(large: Shape, small: Shape, by: Stride, mut visit: impl FnMut(usize, usize, usize)) {
    let k = by.kernel;
    for n in 0..small.n {
        for i in 0..small.h {
            for j in 0..small.w {
                for tap in 0..k * k {
                    let row = (by.stride * i + tap / k) as isize - by.padding as isize;
                    let column = (by.stride * j + tap % k) as isize - by.padding as isize;
                    let inside = |at: isize, side: usize| at >= 0 && (at as usize) < side;
                    if !inside(row, large.h) || !inside(column, large.w) {
                        continue;
                    }
                    let far = (n * large.h + row as usize) * large.w + column as usize;
                    let near = (n * small.h + i) * small.w + j;
                    for s in 0..small.c {
                        for l in 0..large.c {
                            visit(
                                far * large.c + l,
                                near * small.c + s,
                                (s * large.c + l) * k * k + tap,
                            );
                        }
                    }
                }
            }
        }
    }
}

/// `b` for every pixel, or zero.
fn biased(shape: Shape, bias: Option<&Vec<f64>>) -> Vec<f64> {
    let value = |at: usize| bias.map_or(0.0, |b| b[at % shape.c]);
    (0..shape.len()).map(value).collect()
}

fn bias_gradient(grads: &mut [Vec<f64>], dy: &[f64]) {
    if let Some(db) = grads.get_mut(2) {
        let channels = db.len();
        dy.iter()
            .enumerate()
            .for_each(|(at, g)| db[at % channels] += g);
    }
}

/// The strided convolution.
pub fn strided(op: &StridedConv2d, inputs: &[Vec<f64>]) -> Vec<f64> {
    let mut y = biased(op.output(), inputs.get(2));
    products(op.input, op.output(), op.by, |x, to, w| {
        y[to] += inputs[1][w] * inputs[0][x];
    });
    y
}

/// Its gradients.
pub fn strided_backward(op: &StridedConv2d, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let mut grads: Vec<Vec<f64>> = inputs.iter().map(|i| vec![0.0; i.len()]).collect();
    products(op.input, op.output(), op.by, |x, from, w| {
        grads[0][x] += inputs[1][w] * dy[from];
        grads[1][w] += inputs[0][x] * dy[from];
    });
    bias_gradient(&mut grads, dy);
    grads
}

/// The transposed convolution.
pub fn transposed(op: &TransposedConv2d, inputs: &[Vec<f64>]) -> Vec<f64> {
    let mut y = biased(op.output(), inputs.get(2));
    products(op.output(), op.input, op.by, |to, x, w| {
        y[to] += inputs[1][w] * inputs[0][x];
    });
    y
}

/// Its gradients.
pub fn transposed_backward(
    op: &TransposedConv2d,
    inputs: &[Vec<f64>],
    dy: &[f64],
) -> Vec<Vec<f64>> {
    let mut grads: Vec<Vec<f64>> = inputs.iter().map(|i| vec![0.0; i.len()]).collect();
    products(op.output(), op.input, op.by, |from, x, w| {
        grads[0][x] += inputs[1][w] * dy[from];
        grads[1][w] += inputs[0][x] * dy[from];
    });
    bias_gradient(&mut grads, dy);
    grads
}
