//! Cholesky factors of small dense matrices, in `f64` and in one fixed order of operations.

use ndarray::Array2;

/// Lower factor `L` with `L Lᵀ = matrix`, or nothing if a pivot vanishes to working precision.
///
/// Only the lower triangle of `matrix` is read; what lies above the diagonal of the result has no
/// meaning.
pub fn factor(mut matrix: Array2<f64>) -> Option<Array2<f64>> {
    let n = matrix.nrows();
    let floor = 1e-14 * matrix.diag().fold(0.0, |most: f64, &entry| most.max(entry));
    for j in 0..n {
        for i in j..n {
            let known: f64 = (0..j).map(|k| matrix[(i, k)] * matrix[(j, k)]).sum();
            let rest = matrix[(i, j)] - known;
            matrix[(i, j)] = match i == j {
                // A NaN is no pivot either.
                true if rest.is_nan() || rest <= floor => return None,
                true => libm::sqrt(rest),
                false => rest / matrix[(j, j)],
            };
        }
    }
    Some(matrix)
}

/// Solves `X Lᵀ = rows` for `X`, row by row.
pub fn solve_half(lower: &Array2<f64>, mut rows: Array2<f64>) -> Array2<f64> {
    let n = lower.nrows();
    for mut x in rows.outer_iter_mut() {
        for i in 0..n {
            let known: f64 = (0..i).map(|k| lower[(i, k)] * x[k]).sum();
            x[i] = (x[i] - known) / lower[(i, i)];
        }
    }
    rows
}

/// Solves `X L Lᵀ = rows` for `X`, row by row.
pub fn solve_rows(lower: &Array2<f64>, rows: Array2<f64>) -> Array2<f64> {
    let n = lower.nrows();
    let mut rows = solve_half(lower, rows);
    for mut x in rows.outer_iter_mut() {
        for i in (0..n).rev() {
            let known: f64 = (i + 1..n).map(|k| lower[(k, i)] * x[k]).sum();
            x[i] = (x[i] - known) / lower[(i, i)];
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn factors_and_solves() {
        // By hand: rows 2; 1, 3; -1, 2, 1 of L.
        let matrix = array![[4.0, 2.0, -2.0], [2.0, 10.0, 5.0], [-2.0, 5.0, 6.0]];
        let lower = factor(matrix.clone()).unwrap();
        assert_eq!(
            [lower[(0, 0)], lower[(1, 0)], lower[(1, 1)]],
            [2.0, 1.0, 3.0]
        );
        assert_eq!(
            [lower[(2, 0)], lower[(2, 1)], lower[(2, 2)]],
            [-1.0, 2.0, 1.0]
        );
        let inverse = solve_rows(&lower, Array2::eye(3));
        let residue = inverse.dot(&matrix) - Array2::<f64>::eye(3);
        assert!(residue.iter().all(|r| r.abs() < 1e-13), "{residue}");
        let half = solve_half(&lower, Array2::eye(3));
        let again = half.dot(&half.t()) - inverse;
        assert!(again.iter().all(|r| r.abs() < 1e-13), "{again}");
    }

    #[test]
    fn singular_and_broken_matrices_have_no_factor() {
        assert!(factor(array![[1.0, 1.0], [1.0, 1.0]]).is_none());
        assert!(factor(array![[1.0, 0.0], [0.0, -1.0]]).is_none());
        assert!(factor(array![[1.0, 0.0], [f64::NAN, 1.0]]).is_none());
        assert!(factor(array![[0.0]]).is_none());
    }
}
