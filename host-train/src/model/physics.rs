//! The constant linear operators of the network.

use derefnet_core::physics::{FRAME_LEN, MAP_LEN, Optics, RESPONSE_LEN, Separable};
use rayon::prelude::*;

/// `AᵀA` and `Q_init` in f32, as the network uses them, and the adjoint of the physics.
#[derive(Clone, Debug)]
pub struct Operators {
    /// `AᵀA (33, 33)`.
    pub gram: Vec<f32>,
    /// `Q_init (1089, 121)`.
    pub qinit: Vec<f32>,
}

impl Operators {
    /// Operators of the standard sensor with the given `Q_init (1089, 121)`.
    ///
    /// # Panics
    /// If `qinit` has another length.
    pub fn new(qinit: Vec<f32>) -> Self {
        assert_eq!(qinit.len(), MAP_LEN * FRAME_LEN);
        let mut gram = [0.0; MAP_LEN];
        let mut response = [0.0; RESPONSE_LEN];
        let filled = physics(&mut response).fill_gram(&mut gram);
        filled.expect("a matrix of the sensor's map side");
        Self {
            gram: gram.iter().map(|&v| v as f32).collect(),
            qinit,
        }
    }

    /// `H⁰ = Q_init L` of frames `(n, 121)`: maps `(n, 1089)`.
    pub fn start_maps(&self, frames: &[f32]) -> Vec<f32> {
        let mut maps = vec![0.0; frames.len() / FRAME_LEN * MAP_LEN];
        maps.par_chunks_mut(MAP_LEN)
            .zip(frames.par_chunks(FRAME_LEN))
            .for_each(|(map, frame)| {
                for (m, q) in map.iter_mut().zip(self.qinit.chunks_exact(FRAME_LEN)) {
                    *m = q
                        .iter()
                        .zip(frame)
                        .map(|(q, l)| f64::from(*q) * f64::from(*l))
                        .sum::<f64>() as f32;
                }
            });
        maps
    }

    /// `ΦᵀL = Aᵀ L A` of frames `(n, 121)`: maps `(n, 1089)`; sums in f64.
    pub fn back_project(&self, frames: &[f32]) -> Vec<f32> {
        let mut response = [0.0; RESPONSE_LEN];
        let model = physics(&mut response);
        let mut maps = vec![0.0; frames.len() / FRAME_LEN * MAP_LEN];
        maps.par_chunks_mut(MAP_LEN)
            .zip(frames.par_chunks_exact(FRAME_LEN))
            .for_each(|(map, frame)| {
                let frame: [f64; FRAME_LEN] = core::array::from_fn(|k| f64::from(frame[k]));
                let (mut wide, mut scratch) = ([0.0; MAP_LEN], [0.0; RESPONSE_LEN]);
                let projected = model.adjoint(&frame, &mut scratch, &mut wide);
                projected.expect("a frame and a map of the sensor");
                for (narrow, wide) in map.iter_mut().zip(wide) {
                    *narrow = wide as f32;
                }
            });
        maps
    }
}

/// The standard sensor, its response matrix in `response`.
fn physics(response: &mut [f64; RESPONSE_LEN]) -> Separable<'_> {
    Separable::new(Optics::SEQ_CSIST, response).expect("a whole response matrix")
}
