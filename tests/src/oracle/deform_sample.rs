//! `y[n,i,j,(k,c)] = x[n, i+a-1+Δr, j+b-1+Δc, c]`, bilinear, zero outside; offsets by groups.

use derefnet::ops::DeformSample;

/// Calls `visit(y, offset, x, weight, slopes by row and column)` for every corner inside the map of
/// every sample.
fn corners(
    op: &DeformSample,
    offsets: &[f64],
    mut visit: impl FnMut(usize, usize, usize, f64, [f64; 2]),
) {
    let (n, h, w, c) = (op.input.n, op.input.h, op.input.w, op.input.c);
    for pixel in 0..n * h * w {
        let (map, i, j) = (pixel / (h * w), pixel / w % h, pixel % w);
        for k in 0..9 {
            for channel in 0..c {
                let group = channel / (c / op.groups);
                let at = (pixel * op.groups + group) * 18 + 2 * k;
                let row = (i + k / 3) as f64 - 1.0 + offsets[at];
                let column = (j + k % 3) as f64 - 1.0 + offsets[at + 1];
                if row <= -1.0 || column <= -1.0 || row >= h as f64 || column >= w as f64 {
                    continue;
                }
                for (a, b) in [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)] {
                    let (r, s) = (row.floor() + a, column.floor() + b);
                    if r < 0.0 || s < 0.0 || r >= h as f64 || s >= w as f64 {
                        continue;
                    }
                    // Shares of the corner, and whether they grow with the position.
                    let share = |place: f64, side: f64| {
                        let rest = place - place.floor();
                        if side > 0.0 {
                            (rest, 1.0)
                        } else {
                            (1.0 - rest, -1.0)
                        }
                    };
                    let ((p, dp), (q, dq)) = (share(row, a), share(column, b));
                    let x = ((map * h + r as usize) * w + s as usize) * c + channel;
                    visit(
                        (pixel * 9 + k) * c + channel,
                        at,
                        x,
                        p * q,
                        [dp * q, p * dq],
                    );
                }
            }
        }
    }
}

/// The output; inputs `x` and offsets.
pub fn forward(op: &DeformSample, inputs: &[Vec<f64>]) -> Vec<f64> {
    let mut y = vec![0.0; op.output().len()];
    corners(op, &inputs[1], |to, _, from, weight, _| {
        y[to] += weight * inputs[0][from];
    });
    y
}

/// Gradients by `x` and offsets; with `signs` false, slopes count by magnitude.
pub fn gradients(op: &DeformSample, inputs: &[Vec<f64>], dy: &[f64], signs: bool) -> Vec<Vec<f64>> {
    let mut grads = vec![vec![0.0; inputs[0].len()], vec![0.0; inputs[1].len()]];
    corners(op, &inputs[1], |from, offset, to, weight, slopes| {
        grads[0][to] += weight * dy[from];
        for (axis, slope) in slopes.into_iter().enumerate() {
            let slope = if signs { slope } else { slope.abs() };
            grads[1][offset + axis] += slope * inputs[0][to] * dy[from];
        }
    });
    grads
}

/// Gradients by `x` and offsets.
pub fn backward(op: &DeformSample, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    gradients(op, inputs, dy, true)
}
