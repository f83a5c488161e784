//! Sums over the pixels of one frame.

use derefnet_core::physics::{FRAME_SIDE, PSF_SIGMA, pixel_response};
use ndarray::Array2;

use crate::scene::Target;

/// Response of the pixels of one axis to a unit target, and its derivative with the target's
/// position, per pixel.
struct Profile {
    value: [f64; FRAME_SIDE],
    slope: [f64; FRAME_SIDE],
}

impl Profile {
    fn new(u: f64) -> Self {
        Self {
            value: std::array::from_fn(|p| pixel_response(p as f64, u, PSF_SIGMA)),
            // An edge that the light crosses when the target moves gains on one side what it loses
            // on the other.
            slope: std::array::from_fn(|p| {
                density(p as f64 - 0.5 - u) - density(p as f64 + 0.5 - u)
            }),
        }
    }
}

/// Normal density of width [`PSF_SIGMA`] at `distance` pixels, per pixel.
fn density(distance: f64) -> f64 {
    let z = distance / PSF_SIGMA;
    libm::exp(-0.5 * z * z) / (PSF_SIGMA * libm::sqrt(std::f64::consts::TAU))
}

/// `Σ g gᵀ` over all pixels, `(3k+1, 3k+1)`, where `g` holds the derivatives of the pixel's expected
/// counts with `x₀, y₀, intensity₀, x₁, …` and a constant background.
pub fn sums(targets: &[Target]) -> Array2<f64> {
    let profile = |target: &Target| {
        (
            target.intensity,
            Profile::new(target.x),
            Profile::new(target.y),
        )
    };
    let profiles: Vec<_> = targets.iter().map(profile).collect();
    let size = 3 * targets.len() + 1;
    let mut sums = Array2::zeros((size, size));
    let mut gradient = vec![1.0; size];
    for row in 0..FRAME_SIDE {
        for column in 0..FRAME_SIDE {
            for (part, (intensity, x, y)) in gradient.chunks_exact_mut(3).zip(&profiles) {
                part[0] = intensity * x.slope[row] * y.value[column];
                part[1] = intensity * x.value[row] * y.slope[column];
                part[2] = x.value[row] * y.value[column];
            }
            for ((a, b), sum) in sums.indexed_iter_mut() {
                *sum += gradient[a] * gradient[b];
            }
        }
    }
    sums
}
