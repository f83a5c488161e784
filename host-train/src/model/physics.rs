//! The constant linear operators of the network.

use derefnet_core::physics::{
    FRAME_LEN, FRAME_SIDE, MAP_LEN, MAP_SIDE, Optics, RESPONSE_LEN, Separable,
};
use rayon::prelude::*;

/// `A`, `AᵀA` and `Q_init` in f32, as the network uses them.
#[derive(Clone, Debug)]
pub struct Operators {
    /// 1-D response matrix `(11, 33)`.
    pub response: Vec<f32>,
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
        let (mut response, mut gram) = ([0.0; RESPONSE_LEN], [0.0; MAP_LEN]);
        Separable::new(Optics::SEQ_CSIST, &mut response)
            .and_then(|model| model.fill_gram(&mut gram))
            .expect("matrices of the sensor's sizes");
        let narrow = |values: &[f64]| values.iter().map(|&v| v as f32).collect();
        Self {
            response: narrow(&response),
            gram: narrow(&gram),
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

    /// `ΦᵀL = Aᵀ L A` of frames `(n, 121)`: maps `(n, 1089)`.
    ///
    /// Sums in f32 like the authors' code: the gradients of the golden tensors lie at kinks, where
    /// another rounding picks another side.
    pub fn back_project(&self, frames: &[f32]) -> Vec<f32> {
        let mut maps = vec![0.0; frames.len() / FRAME_LEN * MAP_LEN];
        maps.par_chunks_mut(MAP_LEN)
            .zip(frames.par_chunks(FRAME_LEN))
            .for_each(|(map, frame)| {
                let mut half = [0.0f32; FRAME_SIDE * MAP_SIDE];
                for (half, line) in half
                    .chunks_exact_mut(MAP_SIDE)
                    .zip(frame.chunks_exact(FRAME_SIDE))
                {
                    for (&l, response) in line.iter().zip(self.response.chunks_exact(MAP_SIDE)) {
                        for (h, r) in half.iter_mut().zip(response) {
                            *h += l * r;
                        }
                    }
                }
                for (response, half) in self
                    .response
                    .chunks_exact(MAP_SIDE)
                    .zip(half.chunks_exact(MAP_SIDE))
                {
                    for (&r, map) in response.iter().zip(map.chunks_exact_mut(MAP_SIDE)) {
                        for (m, h) in map.iter_mut().zip(half) {
                            *m += r * h;
                        }
                    }
                }
            });
        maps
    }
}
