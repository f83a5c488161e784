//! What lies behind the targets: expected counts of every frame, without targets and noise.

use crate::rng::Rng;
use crate::scene::render::Expected;
use derefnet_core::physics::FRAME_SIDE;

/// Background of one trajectory, counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Backdrop {
    /// One entry for each frame, or a single one that stands still.
    frames: Vec<Expected>,
}

impl Backdrop {
    /// Background `counts(row, column)` seen through a window that moves by `velocity` pixels per
    /// frame; with no velocity only one frame is kept.
    pub(crate) fn seen(
        frames: u32,
        velocity: (f64, f64),
        mut view: impl FnMut(f64, f64) -> Expected,
    ) -> Self {
        let kept = if velocity == (0.0, 0.0) { 1 } else { frames };
        let frame = |t: u32| view(velocity.0 * f64::from(t), velocity.1 * f64::from(t));
        Self {
            frames: (0..kept).map(frame).collect(),
        }
    }

    /// Adds the background of frame `frame` to `counts`.
    pub fn add(&self, frame: usize, counts: &mut Expected) {
        let seen = &self.frames[frame.min(self.frames.len() - 1)];
        for (count, background) in counts.iter_mut().zip(seen) {
            *count += background;
        }
    }
}

/// Velocity of the window, uniform in a disc of `drift` pixels per frame.
pub(crate) fn velocity(drift: f64, rng: &mut Rng) -> (f64, f64) {
    if drift == 0.0 {
        return (0.0, 0.0);
    }
    rng.in_disc(drift)
}

/// Fills a frame from a function of row and column.
pub(crate) fn fill(mut value: impl FnMut(usize, usize) -> f64) -> Expected {
    core::array::from_fn(|pixel| value(pixel / FRAME_SIDE, pixel % FRAME_SIDE))
}
