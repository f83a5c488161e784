//! Uncertainty of one position.

/// Covariance of the two coordinates of a position, px².
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Covariance2 {
    /// Variance of the row coordinate.
    pub xx: f64,
    /// Covariance of row and column coordinate.
    pub xy: f64,
    /// Variance of the column coordinate.
    pub yy: f64,
}

impl Covariance2 {
    /// From the standard deviations in x and y, pixels, and their correlation.
    pub fn from_sigmas([sigma_x, sigma_y, correlation]: [f64; 3]) -> Self {
        Self {
            xx: sigma_x * sigma_x,
            xy: correlation * sigma_x * sigma_y,
            yy: sigma_y * sigma_y,
        }
    }

    /// Standard deviations in x and y, pixels, and their correlation: what
    /// [`Mark`](crate::plot::Mark) draws as an ellipse.
    pub fn sigmas(self) -> [f64; 3] {
        let (sigma_x, sigma_y) = (libm::sqrt(self.xx), libm::sqrt(self.yy));
        [sigma_x, sigma_y, self.xy / (sigma_x * sigma_y)]
    }

    /// Mean squared distance that it predicts, px².
    pub fn trace(self) -> f64 {
        self.xx + self.yy
    }

    /// The same ellipse with `factor` times the variance.
    pub fn scaled(self, factor: f64) -> Self {
        Self {
            xx: factor * self.xx,
            xy: factor * self.xy,
            yy: factor * self.yy,
        }
    }

    /// Squared error in units of this covariance, `dᵀ C⁻¹ d`: its mean is 2 if the covariance is
    /// right. Nothing unless the covariance is finite and positive definite.
    pub fn normalised_square(self, (dx, dy): (f64, f64)) -> Option<f64> {
        let determinant = self.xx * self.yy - self.xy * self.xy;
        if !(determinant.is_finite() && determinant > 0.0 && self.xx > 0.0) {
            return None;
        }
        let sum = self.yy * dx * dx - 2.0 * self.xy * dx * dy + self.xx * dy * dy;
        let square = sum / determinant;
        square.is_finite().then_some(square)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigmas_come_back() {
        let sigmas = [0.03, 0.05, -0.6];
        let back = Covariance2::from_sigmas(sigmas).sigmas();
        for (a, b) in sigmas.iter().zip(back) {
            assert!((a - b).abs() < 1e-15);
        }
    }

    #[test]
    fn normalised_squares() {
        let round = Covariance2::from_sigmas([0.1, 0.1, 0.0]);
        let square = round.normalised_square((0.1, 0.2)).unwrap();
        assert!((square - 5.0).abs() < 1e-12);
        // Along the long axis of a correlated pair the variance is (1 + r) σ².
        let long = Covariance2::from_sigmas([0.1, 0.1, 0.5]);
        let square = long.normalised_square((0.1, 0.1)).unwrap();
        assert!((square - 0.02 / 0.015).abs() < 1e-12);
        let wider = long.scaled(4.0).normalised_square((0.1, 0.1)).unwrap();
        assert!((wider - square / 4.0).abs() < 1e-12);
    }

    #[test]
    fn flat_and_broken_covariances_have_none() {
        for sigmas in [
            [0.1, 0.1, 1.0],
            [0.0, 0.1, 0.0],
            [f64::NAN, 0.1, 0.0],
            [f64::INFINITY, 0.1, 0.0],
        ] {
            let flat = Covariance2::from_sigmas(sigmas);
            assert_eq!(flat.normalised_square((0.1, 0.1)), None, "{sigmas:?}");
        }
        let negative = Covariance2 {
            xx: -1.0,
            xy: 0.0,
            yy: -1.0,
        };
        assert_eq!(negative.normalised_square((0.1, 0.1)), None);
    }
}
