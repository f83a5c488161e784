//! Root mean square of rows, and counts of their entries that are not zero.

use derefnet::ops::{RowCount, RowRms};

/// Root mean squares.
pub fn rms(op: &RowRms, inputs: &[Vec<f64>]) -> Vec<f64> {
    let rows = inputs[0].chunks(op.len);
    let mean = |row: &[f64]| row.iter().map(|v| v * v).sum::<f64>() / op.len as f64;
    rows.map(|row| mean(row).sqrt()).collect()
}

/// Gradient of the root mean squares, zero for rows of zeros.
pub fn rms_backward(op: &RowRms, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let y = rms(op, inputs);
    let value = |(k, v): (usize, &f64)| match y[k / op.len] {
        0.0 => 0.0,
        y => dy[k / op.len] * v / (op.len as f64 * y),
    };
    vec![inputs[0].iter().enumerate().map(value).collect()]
}

/// Counts.
pub fn count(op: &RowCount, inputs: &[Vec<f64>]) -> Vec<f64> {
    let rows = inputs[0].chunks(op.len);
    let count = |row: &[f64]| row.iter().filter(|v| **v != 0.0).count();
    rows.map(|row| f64::from(op.scale) * count(row) as f64)
        .collect()
}
