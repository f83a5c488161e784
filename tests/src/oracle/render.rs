//! A frame by numeric integration of the point spread function.

use derefnet::scene::Target;

/// Strips of Simpson's rule on each pixel axis; even.
const STRIPS: u32 = 200;

/// Gaussian of standard deviation 0.5 around `u`, integrated over the pixel by Simpson's rule.
fn pixel_integral(pixel: f64, u: f64) -> f64 {
    let density = |x: f64| {
        let z = (x - u) / 0.5;
        (-0.5 * z * z).exp() / (0.5 * (2.0 * std::f64::consts::PI).sqrt())
    };
    let width = 1.0 / f64::from(STRIPS);
    let mut sum = 0.0;
    for k in 0..=STRIPS {
        let weight = match k {
            0 | STRIPS => 1.0,
            k if k % 2 == 1 => 4.0,
            _ => 2.0,
        };
        sum += weight * density(pixel - 0.5 + f64::from(k) * width);
    }
    sum * width / 3.0
}

/// Expected count of pixel (`row`, `column`).
pub fn expected_count(targets: &[Target], row: usize, column: usize) -> f64 {
    targets
        .iter()
        .map(|t| t.intensity * pixel_integral(row as f64, t.x) * pixel_integral(column as f64, t.y))
        .sum()
}
