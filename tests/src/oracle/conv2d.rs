//! `y[n,i,j,o] = act(b[o] + Σ_{a,b,c} w[o,c,a,b] · x[n, i+a-p, j+b-p, c])`, zero outside.

use derefnet::ops::{Activation, Conv2d};

use super::sigmoid;

/// Calls `visit(y, x, w)` with the places of every product.
fn products(op: &Conv2d, mut visit: impl FnMut(usize, usize, usize)) {
    let (h, w, c, k) = (op.input.h, op.input.w, op.input.c, op.kernel);
    let pad = (k - 1) / 2;
    for n in 0..op.input.n {
        for i in 0..h {
            for j in 0..w {
                for a in 0..k {
                    for b in 0..k {
                        let (row, column) = (i + a, j + b);
                        if row < pad || column < pad || row - pad >= h || column - pad >= w {
                            continue;
                        }
                        for o in 0..op.out_channels {
                            for ch in 0..c {
                                visit(
                                    ((n * h + i) * w + j) * op.out_channels + o,
                                    ((n * h + row - pad) * w + column - pad) * c + ch,
                                    ((o * c + ch) * k + a) * k + b,
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Sums before the activation.
pub fn sums(op: &Conv2d, inputs: &[Vec<f64>]) -> Vec<f64> {
    let (x, w) = (&inputs[0], &inputs[1]);
    let mut y: Vec<f64> = (0..op.output().len())
        .map(|at| {
            if op.bias {
                inputs[2][at % op.out_channels]
            } else {
                0.0
            }
        })
        .collect();
    products(op, |yi, xi, wi| y[yi] += w[wi] * x[xi]);
    y
}

/// The output.
pub fn forward(op: &Conv2d, inputs: &[Vec<f64>]) -> Vec<f64> {
    let act = |v: f64| match op.activation {
        Activation::None => v,
        Activation::Relu => v.max(0.0),
        Activation::Sigmoid => sigmoid(v),
    };
    sums(op, inputs).into_iter().map(act).collect()
}

/// Gradients by input, kernel and, where there is one, bias.
pub fn backward(op: &Conv2d, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let (x, w) = (&inputs[0], &inputs[1]);
    let slope = |v: f64| match op.activation {
        Activation::None => 1.0,
        Activation::Relu => f64::from(v > 0.0),
        Activation::Sigmoid => sigmoid(v) * (1.0 - sigmoid(v)),
    };
    let sums = sums(op, inputs);
    let dv: Vec<f64> = dy.iter().zip(sums).map(|(g, v)| g * slope(v)).collect();
    let mut grads: Vec<Vec<f64>> = inputs.iter().map(|i| vec![0.0; i.len()]).collect();
    products(op, |yi, xi, wi| {
        grads[0][xi] += w[wi] * dv[yi];
        grads[1][wi] += x[xi] * dv[yi];
    });
    if op.bias {
        for (at, g) in dv.iter().enumerate() {
            grads[2][at % op.out_channels] += g;
        }
    }
    grads
}
