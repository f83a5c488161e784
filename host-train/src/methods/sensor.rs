//! What methods know of the sensor: its matrices, dense and separable, and `Q_init`.

use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, MAP_LEN, MAP_SIDE};

use crate::model::Operators;

/// Largest squared singular value of `Φ` for the standard sensor, by which gradient steps divide.
pub const LIPSCHITZ: f64 = 8.586_585;

/// The sensor's matrices in f32.
#[derive(Clone, Debug)]
pub struct Sensor {
    /// Separable factors and `Q_init`.
    pub operators: Operators,
    /// `Φ (121, 1089)`, row-major.
    pub phi: Vec<f32>,
}

impl Sensor {
    /// The standard sensor with `Q_init (1089, 121)`.
    ///
    /// # Panics
    /// If `qinit` has another length.
    pub fn new(qinit: Vec<f32>) -> Self {
        let operators = Operators::new(qinit);
        let response = &operators.response;
        let mut phi = vec![0.0; FRAME_LEN * MAP_LEN];
        for (pixel, row) in phi.chunks_exact_mut(MAP_LEN).enumerate() {
            let [a, b] = [pixel / FRAME_SIDE, pixel % FRAME_SIDE];
            let lines = [a, b].map(|k| &response[k * MAP_SIDE..][..MAP_SIDE]);
            for (cell, value) in row.iter_mut().enumerate() {
                *value = lines[0][cell / MAP_SIDE] * lines[1][cell % MAP_SIDE];
            }
        }
        Self { operators, phi }
    }

    /// `Φᵀ (1089, 121)`, row-major.
    pub fn transposed_phi(&self) -> Vec<f32> {
        let mut transposed = vec![0.0; self.phi.len()];
        for (pixel, row) in self.phi.chunks_exact(MAP_LEN).enumerate() {
            for (cell, &value) in row.iter().enumerate() {
                transposed[cell * FRAME_LEN + pixel] = value;
            }
        }
        transposed
    }

    /// `I - B Φ (1089, 1089)` for `B (1089, 121)`, summed in f64.
    pub fn residual_matrix(&self, b: &[f32]) -> Vec<f32> {
        let mut matrix = vec![0.0f32; MAP_LEN * MAP_LEN];
        let rows = matrix
            .chunks_exact_mut(MAP_LEN)
            .zip(b.chunks_exact(FRAME_LEN));
        for (i, (row, b)) in rows.enumerate() {
            let mut sums = vec![0.0f64; MAP_LEN];
            for (&b, phi) in b.iter().zip(self.phi.chunks_exact(MAP_LEN)) {
                for (s, &phi) in sums.iter_mut().zip(phi) {
                    *s -= f64::from(b) * f64::from(phi);
                }
            }
            sums[i] += 1.0;
            for (value, s) in row.iter_mut().zip(sums) {
                *value = s as f32;
            }
        }
        matrix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest squared singular value by power iteration, and column sums between 0.3976 and 1: the
    /// figures of the sensor's dense matrix.
    #[test]
    fn the_dense_matrix_is_the_sensor() {
        let sensor = Sensor::new(vec![0.0; MAP_LEN * FRAME_LEN]);
        let mut x = vec![1.0f64; MAP_LEN];
        let mut square = 0.0;
        for _ in 0..500 {
            let y: Vec<f64> = sensor
                .phi
                .chunks_exact(MAP_LEN)
                .map(|row| dot(row, &x))
                .collect();
            let back = sensor.transposed_phi();
            x = back
                .chunks_exact(FRAME_LEN)
                .map(|row| dot(row, &y))
                .collect();
            square = x.iter().map(|v| v * v).sum::<f64>().sqrt();
            x.iter_mut().for_each(|v| *v /= square);
        }
        assert!((square - LIPSCHITZ).abs() < 1e-4, "{square}");
    }

    fn dot(row: &[f32], x: &[f64]) -> f64 {
        row.iter().zip(x).map(|(&r, x)| f64::from(r) * x).sum()
    }
}
