//! ISTA: sparse maps by iterated shrinkage.
//!
//! Minimises `½ |y - Φx|² + λ |x|₁` from `x = Φ⁺y` by `x ← soft(x + Φᵀ(y - Φx)/L, λ/L)` with
//! `L = σ_max(Φ)²`, all products separable. Stops after 3,000 iterations, or when an iteration moves
//! `x` by less than 1e-4; then the iterate before is the answer, as in the authors' program.

use derefnet_core::physics::{
    FRAME_LEN, FRAME_SIDE, MAP_LEN, MAP_SIDE, Optics, RESPONSE_LEN, Separable,
};
use ndarray::Array2;

use super::{Method, Published, Reference, Solution, Variant};
use crate::{Error, Result, cholesky};

/// Most iterations.
const ITERATIONS: usize = 3_000;
/// Step of `x` at which the iteration ends, Euclidean norm.
const STILL: f64 = 1e-4;
/// Products of `Φ x` and of `Φᵀ r` by separable factors.
const SEPARABLE: u64 =
    (FRAME_SIDE * MAP_SIDE * MAP_SIDE + FRAME_SIDE * FRAME_SIDE * MAP_SIDE) as u64;

/// Registry entry.
pub const METHOD: Method = Method {
    name: "ISTA",
    key: "ista",
    about: "sparse maps by iterated shrinkage",
    reference: Reference {
        authors: "Daubechies, Defrise and De Mol",
        title: "An iterative thresholding algorithm for linear inverse problems with a sparsity \
                constraint",
        venue: "Comm. Pure Appl. Math. 2004",
    },
    published: Some(Published {
        fps: 0.1,
        parameters: None,
        flops: "398.57 M",
        cso_map: 10.72,
        average_precisions: [0.14, 1.97, 8.74, 18.22, 24.53],
    }),
    variants: &[
        Variant {
            name: "as-run",
            about: "λ = 1, as the authors' program has it",
        },
        Variant {
            name: "lambda-27",
            about: "λ = 27, which stands there as a comment",
        },
    ],
    foreign_parameters: 0,
    solution: Solution::Solver {
        solve,
        multiply_adds: [
            (ITERATIONS * 2 * MAP_LEN * FRAME_LEN) as u64,
            ITERATIONS as u64 * 2 * SEPARABLE,
        ],
    },
};

/// `sign(v) · max(|v| - t, 0)`.
fn soft(v: f64, t: f64) -> f64 {
    v.signum() * (v.abs() - t).max(0.0)
}

/// The sensor's 1-D response `K (11, 33)`.
struct Matrix([f64; RESPONSE_LEN]);

impl Matrix {
    fn new() -> Self {
        let mut response = [0.0; RESPONSE_LEN];
        Separable::new(Optics::SEQ_CSIST, &mut response).expect("a whole response matrix");
        Self(response)
    }

    fn at(&self, a: usize, i: usize) -> f64 {
        self.0[a * MAP_SIDE + i]
    }

    /// `K X Kᵀ`.
    fn forward(&self, x: &[f64]) -> Vec<f64> {
        let mut half = [0.0; RESPONSE_LEN];
        for (a, row) in half.chunks_exact_mut(MAP_SIDE).enumerate() {
            for (i, line) in x.chunks_exact(MAP_SIDE).enumerate() {
                let k = self.at(a, i);
                row.iter_mut().zip(line).for_each(|(r, v)| *r += k * v);
            }
        }
        let mut y = Vec::with_capacity(FRAME_LEN);
        for row in half.chunks_exact(MAP_SIDE) {
            for response in self.0.chunks_exact(MAP_SIDE) {
                y.push(row.iter().zip(response).map(|(r, k)| r * k).sum());
            }
        }
        y
    }

    /// `Kᵀ Y K`.
    fn adjoint(&self, y: &[f64]) -> Vec<f64> {
        let mut half = [0.0; RESPONSE_LEN];
        for (row, line) in half
            .chunks_exact_mut(MAP_SIDE)
            .zip(y.chunks_exact(FRAME_SIDE))
        {
            for (&v, response) in line.iter().zip(self.0.chunks_exact(MAP_SIDE)) {
                row.iter_mut().zip(response).for_each(|(r, k)| *r += v * k);
            }
        }
        let mut x = vec![0.0; MAP_LEN];
        for (i, line) in x.chunks_exact_mut(MAP_SIDE).enumerate() {
            for (a, row) in half.chunks_exact(MAP_SIDE).enumerate() {
                let k = self.at(a, i);
                line.iter_mut().zip(row).for_each(|(v, r)| *v += k * r);
            }
        }
        x
    }

    /// `K⁺ᵀ = (K Kᵀ)⁻¹ K`, `(11, 33)`: `Φ⁺y = K⁺ Y K⁺ᵀ`.
    fn pseudo_inverse(&self) -> Self {
        let k = Array2::from_shape_fn((FRAME_SIDE, MAP_SIDE), |(a, i)| self.at(a, i));
        let lower = cholesky::factor(k.dot(&k.t())).expect("responses of eleven pixels differ");
        let rows = cholesky::solve_rows(&lower, k.t().to_owned());
        let mut values = [0.0; RESPONSE_LEN];
        for (a, line) in values.chunks_exact_mut(MAP_SIDE).enumerate() {
            line.iter_mut()
                .enumerate()
                .for_each(|(i, v)| *v = rows[(i, a)]);
        }
        Self(values)
    }
}

fn solve(frame: &[f64], variant: &str) -> Result<Vec<f64>> {
    if let Some(value) = frame.iter().find(|v| !v.is_finite()) {
        return Err(Error::usage(format!("ista: a pixel is {value}")));
    }
    let lambda = if variant == "lambda-27" { 27.0 } else { 1.0 };
    let matrix = Matrix::new();
    let steepest = super::sensor::LIPSCHITZ;
    let mut x = matrix.pseudo_inverse().adjoint(frame);
    for _ in 0..ITERATIONS {
        let seen = matrix.forward(&x);
        let residual: Vec<f64> = frame.iter().zip(seen).map(|(y, s)| y - s).collect();
        let step = matrix.adjoint(&residual);
        let next: Vec<f64> = x
            .iter()
            .zip(step)
            .map(|(x, step)| soft(x + step / steepest, lambda / steepest))
            .collect();
        let moved = x.iter().zip(&next).map(|(a, b)| (a - b) * (a - b));
        if moved.sum::<f64>().sqrt() < STILL {
            break;
        }
        x = next;
    }
    Ok(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Vec<f64> {
        (0..FRAME_LEN).map(|i| (i * 37 % 101) as f64).collect()
    }

    #[test]
    fn starts_from_what_explains_the_frame() {
        let matrix = Matrix::new();
        let frame = ramp();
        let start = matrix.pseudo_inverse().adjoint(&frame);
        for (seen, y) in matrix.forward(&start).iter().zip(&frame) {
            assert!((seen - y).abs() < 1e-8, "{seen}, expected {y}");
        }
    }

    #[test]
    fn adjoint_is_the_transpose() {
        let matrix = Matrix::new();
        let x: Vec<f64> = (0..MAP_LEN).map(|i| (i * 53 % 97) as f64).collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let (left, right) = (
            dot(&matrix.forward(&x), &ramp()),
            dot(&x, &matrix.adjoint(&ramp())),
        );
        assert!((left / right - 1.0).abs() < 1e-12);
    }

    /// One bright source in the middle of a pixel: the largest cell is that pixel's centre.
    #[test]
    fn finds_a_lone_source() {
        let mut map = vec![0.0; MAP_LEN];
        let cell = MAP_SIDE * 16 + 16;
        map[cell] = 235.0;
        let frame = Matrix::new().forward(&map);
        let found = solve(&frame, "as-run").unwrap();
        let largest = (0..MAP_LEN).max_by(|&a, &b| found[a].total_cmp(&found[b]));
        assert_eq!(largest, Some(cell));
        assert!(found[cell] > 150.0, "{}", found[cell]);
    }
}
