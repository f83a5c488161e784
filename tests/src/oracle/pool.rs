//! One value per window of a map and channel: its mean, or its maximum.

use derefnet::ops::{Pool, Take};

/// Calls `visit(y, xs)` with the values of every window, row by row.
fn windows(op: &Pool, mut visit: impl FnMut(usize, &[usize])) {
    let (from, to, [rows, columns]) = (op.input, op.output(), op.window);
    for n in 0..to.n {
        for i in 0..to.h {
            for j in 0..to.w {
                for c in 0..to.c {
                    let mut inside = Vec::new();
                    for a in 0..rows {
                        for b in 0..columns {
                            let (row, column) = (i * rows + a, j * columns + b);
                            inside.push(((n * from.h + row) * from.w + column) * from.c + c);
                        }
                    }
                    visit(((n * to.h + i) * to.w + j) * to.c + c, &inside);
                }
            }
        }
    }
}

fn max(values: &[f64], at: &[usize]) -> f64 {
    at.iter().fold(f64::NEG_INFINITY, |m, &k| m.max(values[k]))
}

/// The output.
pub fn forward(op: &Pool, inputs: &[Vec<f64>]) -> Vec<f64> {
    let x = &inputs[0];
    let mut y = vec![0.0; op.output().len()];
    windows(op, |to, inside| {
        y[to] = match op.take {
            Take::Mean => inside.iter().map(|&k| x[k]).sum::<f64>() / inside.len() as f64,
            Take::Max => max(x, inside),
        };
    });
    y
}

/// Gradient by `x`; that of a maximum goes to the first value that attains it.
pub fn backward(op: &Pool, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let x = &inputs[0];
    let mut dx = vec![0.0; x.len()];
    windows(op, |to, inside| match op.take {
        Take::Mean => {
            for &k in inside {
                dx[k] = dy[to] / inside.len() as f64;
            }
        }
        Take::Max => {
            let most = max(x, inside);
            if let Some(&first) = inside.iter().find(|&&k| x[k] == most) {
                dx[first] = dy[to];
            }
        }
    });
    vec![dx]
}
