//! From point sources to counts.
//!
//! Expected counts are the sum of the pixel-integrated point spread functions (SeqCSIST Eq. 2–3 and
//! supplement §1), evaluated at the continuous positions, and of the background. Then, in this order:
//! noise is added, the sum is rounded half to even, clipped at zero if asked, and clamped to the container if asked.

use crate::rng::Rng;
use crate::scene::{Backdrop, SceneConfig, Target};
use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, Optics};
use ndarray::Array3;

/// Expected counts of one frame, `(11, 11)` row-major.
pub type Expected = [f64; FRAME_LEN];

/// Response of the 11 pixels of one axis to a unit target at `u` pixels.
fn profile(u: f64) -> [f64; FRAME_SIDE] {
    let mut profile = [0.0; FRAME_SIDE];
    let filled = Optics::SEQ_CSIST.fill_profile(u, &mut profile);
    filled.expect("one response per pixel");
    profile
}

/// Adds the targets of one frame to `counts`.
pub fn add_targets(targets: &[Target], counts: &mut Expected) {
    for target in targets {
        let (rows, columns) = (profile(target.x), profile(target.y));
        for (line, row) in counts.chunks_exact_mut(FRAME_SIDE).zip(rows) {
            let share = target.intensity * row;
            for (count, column) in line.iter_mut().zip(columns) {
                *count += share * column;
            }
        }
    }
}

/// Renders all frames of `truth`, `(frames, 11, 11)`, over the given backgrounds.
pub fn frames(
    config: &SceneConfig,
    truth: &[Vec<Target>],
    backdrops: &[Backdrop],
    rng: &mut Rng,
) -> Array3<i32> {
    let sigma = rng.range(config.noise[0], config.noise[1]);
    let mut out = Array3::zeros((truth.len(), FRAME_SIDE, FRAME_SIDE));
    for (index, (targets, mut frame)) in truth.iter().zip(out.outer_iter_mut()).enumerate() {
        let mut counts = [0.0; FRAME_LEN];
        add_targets(targets, &mut counts);
        for backdrop in backdrops {
            backdrop.add(index, &mut counts);
        }
        if sigma > 0.0 {
            add_noise(sigma, &mut counts, rng);
        }
        for (pixel, count) in frame.iter_mut().zip(counts) {
            *pixel = quantise(config, count);
        }
    }
    out
}

/// Adds independent Gaussian noise of standard deviation `sigma` counts.
fn add_noise(sigma: f64, counts: &mut Expected, rng: &mut Rng) {
    for pair in counts.chunks_mut(2) {
        let (first, second) = rng.gaussian_pair();
        for (count, normal) in pair.iter_mut().zip([first, second]) {
            *count += sigma * normal;
        }
    }
}

/// Rounds half to even, then applies the limits of `config`.
fn quantise(config: &SceneConfig, count: f64) -> i32 {
    let mut count = libm::rint(count) as i32;
    if config.clip_at_zero {
        count = count.max(0);
    }
    if config.saturate {
        count = count.clamp(-config.pedestal, config.full_scale() - config.pedestal);
    }
    count
}
