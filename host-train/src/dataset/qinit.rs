//! The linear initial estimate `Q_init = S Zᵀ (Z Zᵀ)⁻¹`.
//!
//! Source: SeqCSIST Eq. 5–6 and supplement §5. `S` (1089×n) holds the label maps of the training
//! frames as columns, `Z` (121×n) their low-resolution frames. As in the authors' code `Z = Φ S` by
//! default, so that `Φ Q_init = I`; then `Z Zᵀ = Φ (S Sᵀ) Φᵀ`, and only the few non-zeros of each
//! label map are ever touched. All sums run in `f64` and in the order of the frames.

use crate::scene::{Trajectory, label::label_cells};
use crate::{Error, Result, cholesky};
use derefnet_core::physics::{FRAME_LEN, MAP_LEN, Optics, RESPONSE_LEN, Separable};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use std::borrow::Borrow;

/// What stands for the low-resolution frames `Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QinitFrom {
    /// `Z = Φ S`: the label maps seen through the physics.
    #[default]
    Physics,
    /// The frames themselves, rendered off the grid, with rounding and noise.
    Rendered,
}

/// Computes `Q_init`, `(1089, 121)`, from training trajectories.
///
/// Deviation from the paper: where `Z Zᵀ` is singular to working precision (a pixel that no training
/// target lit), `λ I` is added with `λ` ten times larger at each failure, from 10⁻¹² of the mean
/// diagonal on. With a ridge `Φ Q_init` is only close to `I`.
///
/// # Errors
/// [`Error::Usage`] if there is no frame with a target inside the map.
pub fn qinit<T: Borrow<Trajectory>>(
    trajectories: impl IntoIterator<Item = T>,
    from: QinitFrom,
) -> Result<Array2<f64>> {
    let (cross, gram) = match from {
        QinitFrom::Physics => through_physics(trajectories),
        QinitFrom::Rendered => from_frames(trajectories),
    };
    let mean = gram.diag().sum() / FRAME_LEN as f64;
    if !mean.is_finite() || mean <= 0.0 {
        let message = "Q_init needs at least one training frame with a target inside the map";
        return Err(Error::usage(message));
    }
    let mut ridge = 0.0;
    loop {
        let mut damped = gram.clone();
        damped.diag_mut().mapv_inplace(|entry| entry + ridge);
        if let Some(lower) = cholesky::factor(damped) {
            return Ok(cholesky::solve_rows(&lower, cross));
        }
        ridge = (10.0 * ridge).max(1e-12 * mean);
    }
}

/// `Φ h` of every row `h` of `maps`, `(n, 1089)`: frames, `(n, 121)`.
fn blur(maps: ArrayView2<f64>) -> Array2<f64> {
    let (mut response, mut scratch) = ([0.0; RESPONSE_LEN], [0.0; RESPONSE_LEN]);
    let model = Separable::new(Optics::SEQ_CSIST, &mut response).expect("a whole response matrix");
    let mut frames = Array2::zeros((maps.nrows(), FRAME_LEN));
    let mut frame = [0.0; FRAME_LEN];
    for (mut row, map) in frames.outer_iter_mut().zip(maps.outer_iter()) {
        let seen = model.forward(&map.to_vec(), &mut scratch, &mut frame);
        seen.expect("a map and a frame of the sensor");
        row.assign(&ArrayView1::from(&frame));
    }
    frames
}

/// `S Zᵀ` (1089×121) and `Z Zᵀ` (121×121) for `Z = Φ S`, through `C = S Sᵀ`.
fn through_physics<T: Borrow<Trajectory>>(
    trajectories: impl IntoIterator<Item = T>,
) -> (Array2<f64>, Array2<f64>) {
    let mut second = Array2::<f64>::zeros((MAP_LEN, MAP_LEN));
    for trajectory in trajectories {
        for targets in &trajectory.borrow().truth {
            let cells = label_cells(targets);
            for &(i, a) in &cells {
                for &(j, b) in &cells {
                    second[(i, j)] += a * b;
                }
            }
        }
    }
    let cross = blur(second.view());
    let gram = blur(cross.t());
    (cross, gram)
}

/// The same from the rendered frames.
fn from_frames<T: Borrow<Trajectory>>(
    trajectories: impl IntoIterator<Item = T>,
) -> (Array2<f64>, Array2<f64>) {
    let mut cross = Array2::<f64>::zeros((MAP_LEN, FRAME_LEN));
    let mut gram = Array2::<f64>::zeros((FRAME_LEN, FRAME_LEN));
    for trajectory in trajectories {
        let Trajectory { frames, truth } = trajectory.borrow();
        for (targets, frame) in truth.iter().zip(frames.axis_iter(Axis(0))) {
            let counts: Vec<f64> = frame.iter().map(|&count| f64::from(count)).collect();
            for (cell, value) in label_cells(targets) {
                cross
                    .row_mut(cell)
                    .scaled_add(value, &ArrayView1::from(&counts));
            }
            for (mut row, &count) in gram.outer_iter_mut().zip(&counts) {
                row.scaled_add(count, &ArrayView1::from(&counts));
            }
        }
    }
    (cross, gram)
}
