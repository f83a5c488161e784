//! Pixel-integrated Gaussian point spread function and the two grids.
//!
//! Source: SeqCSIST, Eq. 2–3.

/// Side of a low-resolution frame, in pixels.
pub const FRAME_SIDE: usize = 11;
/// High-resolution cells per low-resolution pixel, per axis.
pub const RATIO: usize = 3;
/// Side of the high-resolution map, in cells.
pub const MAP_SIDE: usize = FRAME_SIDE * RATIO;
/// Pixels of one frame.
pub const FRAME_LEN: usize = FRAME_SIDE * FRAME_SIDE;
/// Cells of one map.
pub const MAP_LEN: usize = MAP_SIDE * MAP_SIDE;
/// Consecutive frames of one window; the middle one is evaluated.
pub const WINDOW: usize = 5;
/// Standard deviation of the point spread function, in low-resolution pixels.
pub const PSF_SIGMA: f64 = 0.5;

/// Share of a unit point source at `u` that pixel `pixel` collects along one axis.
///
/// `½[erf((p+½-u)/(√2σ)) - erf((p-½-u)/(√2σ))]`; all arguments in pixels.
pub fn pixel_response(pixel: f64, u: f64, sigma: f64) -> f64 {
    let scale = core::f64::consts::FRAC_1_SQRT_2 / sigma;
    let upper = libm::erf((pixel + 0.5 - u) * scale);
    let lower = libm::erf((pixel - 0.5 - u) * scale);
    0.5 * (upper - lower)
}

/// Centre of high-resolution cell `cell` in low-resolution pixels, for odd `ratio`.
pub fn cell_centre(cell: usize, ratio: usize) -> f64 {
    (cell as f64 - (ratio as f64 - 1.0) / 2.0) / ratio as f64
}

/// Index of the cell that holds coordinate `x` (round half to even); may lie outside the map.
pub fn cell_of(x: f64, ratio: usize) -> i64 {
    libm::rint(x * ratio as f64 + (ratio as f64 - 1.0) / 2.0) as i64
}
