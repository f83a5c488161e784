//! Positions and intensities of the targets in every frame.
//!
//! The field of view is what the pixels cover, `[-0.5, 10.5]`; "at least 1 px inside" therefore
//! means `[0.5, 9.5]` on both axes, in every frame. Both arrangements meet it by construction:
//! reference points are drawn from the field shrunk by the farthest that any target can get.

use crate::rng::Rng;
use crate::scene::{Arrangement, SceneConfig, Target, curve};
use derefnet_core::physics::FRAME_SIDE;

/// Most targets of one trajectory.
pub const MAX_TARGETS: u32 = 8;
/// Most frames of one trajectory: beyond, diagonal targets could leave the field.
pub const MAX_FRAMES: u32 = 64;
/// Least and greatest target coordinate, pixels.
pub const FIELD: [f64; 2] = [0.5, FRAME_SIDE as f64 - 1.5];
/// Initial distance between reference point and axial targets, pixels.
pub const DISTANCE: f64 = 0.3;
/// The same for the diagonal targets, number 5 to 8, pixels.
pub const DIAGONAL_DISTANCE: f64 = 0.6;
/// A target moves away from its reference point by at most this, pixels per frame.
pub const GROWTH: f64 = 0.0014;

/// Radius of the disc of free positions, pixels.
pub const FREE_RADIUS: f64 = 0.8;
/// Least distance between two free targets in any frame, pixels.
pub const FREE_SEPARATION: f64 = 0.42;
/// Fastest common motion of free targets, pixels per frame; the rules reach 0.04 · √5 = 0.0894.
pub const FREE_SPEED: f64 = 0.09;
/// Fastest individual motion of a free target on top of it, pixels per frame.
pub const FREE_DRIFT: f64 = 0.003;
/// Positions tried for one free target, and arrangements tried for one trajectory.
const TRIES: u32 = 64;

/// Directions of targets 1 to 4 from their reference point.
pub(crate) const AXES: [(f64, f64); 4] = [(-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0)];
/// Directions of targets 5 to 8.
pub(crate) const DIAGONALS: [(f64, f64); 4] = {
    const H: f64 = core::f64::consts::FRAC_1_SQRT_2;
    [(-H, -H), (-H, H), (H, -H), (H, H)]
};

/// Draws the truth of one trajectory: the targets of each frame, in an order that tells nothing.
///
/// `config` must be valid.
pub fn draw(config: &SceneConfig, rng: &mut Rng) -> Vec<Vec<Target>> {
    let [fewest, most] = config.targets;
    let count = fewest + rng.below(most - fewest + 1);
    let [dim, bright] = config.intensity;
    let intensities: Vec<f64> = (0..count).map(|_| rng.range(dim, bright)).collect();
    let paths = match config.arrangement {
        Arrangement::Rules => by_rules(count, config.frames, rng),
        Arrangement::Free => freely(count, config.frames, rng),
    };
    let targets = |points: Vec<(f64, f64)>| -> Vec<Target> {
        let lit = points.into_iter().zip(&intensities);
        lit.map(|((x, y), &intensity)| Target { x, y, intensity })
            .collect()
    };
    paths.into_iter().map(targets).collect()
}

/// The paper's arrangement: positions `(x, y)` as `[frame][target]`.
fn by_rules(count: u32, frames: u32, rng: &mut Rng) -> Vec<Vec<(f64, f64)>> {
    let growth = GROWTH * f64::from(frames - 1);
    let axial = DISTANCE + growth;
    let diagonal = (DIAGONAL_DISTANCE + growth) * core::f64::consts::FRAC_1_SQRT_2;
    let reach = if count > 4 { diagonal } else { axial };
    let reference = curve::draw(frames, [FIELD[0] + reach, FIELD[1] - reach], rng);
    let mut arms = arms(count, rng);
    let mut place = |(frame, &(x, y)): (usize, &(f64, f64))| {
        let outwards = |arm: &mut Arm| {
            if frame > 0 {
                arm.distance += rng.range(0.0, GROWTH);
            }
            let (dx, dy) = arm.direction;
            (x + dx * arm.distance, y + dy * arm.distance)
        };
        arms.iter_mut().map(outwards).collect()
    };
    reference.iter().enumerate().map(&mut place).collect()
}

/// One target as seen from its reference point.
struct Arm {
    direction: (f64, f64),
    distance: f64,
}

/// Distinct directions: the four axes first, then diagonals, each set in random order.
fn arms(count: u32, rng: &mut Rng) -> Vec<Arm> {
    let (mut axes, mut diagonals) = (AXES, DIAGONALS);
    rng.shuffle(&mut axes);
    rng.shuffle(&mut diagonals);
    let arm = |distance| {
        move |direction| Arm {
            direction,
            distance,
        }
    };
    let axial = axes.into_iter().map(arm(DISTANCE));
    let mut arms: Vec<Arm> = axial
        .chain(diagonals.into_iter().map(arm(DIAGONAL_DISTANCE)))
        .take(count as usize)
        .collect();
    rng.shuffle(&mut arms);
    arms
}

/// Offset from the reference point in frame 0 and velocity relative to it, pixels and pixels/frame.
#[derive(Clone, Copy)]
struct Mover {
    offset: (f64, f64),
    velocity: (f64, f64),
}

impl Mover {
    fn at(self, frame: u32) -> (f64, f64) {
        let t = f64::from(frame);
        (
            self.offset.0 + self.velocity.0 * t,
            self.offset.1 + self.velocity.1 * t,
        )
    }

    /// Whether both stay separated in all frames.
    fn clears(self, other: Self, frames: u32) -> bool {
        (0..frames).all(|frame| {
            let ((ax, ay), (bx, by)) = (self.at(frame), other.at(frame));
            let (dx, dy) = (ax - bx, ay - by);
            dx * dx + dy * dy >= FREE_SEPARATION * FREE_SEPARATION
        })
    }
}

/// The free arrangement: positions `(x, y)` as `[frame][target]`.
///
/// All targets share a straight path whose velocity is uniform in a disc of [`FREE_SPEED`] and whose
/// start is uniform over what keeps every target in [`FIELD`].
fn freely(count: u32, frames: u32, rng: &mut Rng) -> Vec<Vec<(f64, f64)>> {
    let last = f64::from(frames - 1);
    let reach = FREE_RADIUS + FREE_DRIFT * last;
    let (vx, vy) = rng.in_disc(FREE_SPEED);
    let mut start = |velocity: f64| {
        let travel = velocity * last;
        rng.range(
            FIELD[0] + reach - travel.min(0.0),
            FIELD[1] - reach - travel.max(0.0),
        )
    };
    let (x, y) = (start(vx), start(vy));
    let movers = movers(count, frames, rng);
    let place = |frame: u32| {
        let t = f64::from(frame);
        let absolute = |mover: &Mover| {
            let (dx, dy) = mover.at(frame);
            (x + vx * t + dx, y + vy * t + dy)
        };
        movers.iter().map(absolute).collect()
    };
    (0..frames).map(place).collect()
}

/// Places targets one after the other, each uniform over what the earlier ones leave free. Bounded:
/// after [`TRIES`] failed arrangements [`ring`] is taken.
fn movers(count: u32, frames: u32, rng: &mut Rng) -> Vec<Mover> {
    for _ in 0..TRIES {
        if let Some(movers) = try_movers(count, frames, rng) {
            return movers;
        }
    }
    ring(count, rng)
}

fn try_movers(count: u32, frames: u32, rng: &mut Rng) -> Option<Vec<Mover>> {
    let mut placed: Vec<Mover> = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let fits = (0..TRIES).find_map(|_| {
            let mover = Mover {
                offset: rng.in_disc(FREE_RADIUS),
                velocity: rng.in_disc(FREE_DRIFT),
            };
            let clear = placed.iter().all(|&other| mover.clears(other, frames));
            clear.then_some(mover)
        });
        placed.push(fits?);
    }
    Some(placed)
}

/// Guaranteed arrangement: one target at the centre and up to seven on a circle of 0.7 px, where
/// neighbours are 2 · 0.7 · sin(π/7) = 0.607 px apart; only the rotation is random.
fn ring(count: u32, rng: &mut Rng) -> Vec<Mover> {
    let turn = rng.uniform() * core::f64::consts::TAU;
    let still = |offset| Mover {
        offset,
        velocity: (0.0, 0.0),
    };
    let around = (1..count).map(|place| {
        let angle = turn + f64::from(place) * core::f64::consts::TAU / 7.0;
        let (sin, cos) = libm::sincos(angle);
        still((0.7 * cos, 0.7 * sin))
    });
    core::iter::once(still((0.0, 0.0))).chain(around).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_resort_is_separated_and_inside_the_disc() {
        for stream in 0..20 {
            let movers = ring(8, &mut Rng::new(1, *b"ring-tst", stream));
            for (k, mover) in movers.iter().enumerate() {
                let (x, y) = mover.offset;
                assert!(x * x + y * y <= FREE_RADIUS * FREE_RADIUS);
                let others = movers[..k].iter();
                assert!(others.copied().all(|other| mover.clears(other, MAX_FRAMES)));
            }
        }
    }

    #[test]
    fn one_round_of_tries_almost_always_places_eight() {
        let placed = |stream| try_movers(8, 20, &mut Rng::new(2, *b"ring-tst", stream)).is_some();
        let failures = (0..500).filter(|&stream| !placed(stream)).count();
        // With 64 rounds, a failure rate of one half would still reach the ring once in 10¹⁹.
        assert!(failures < 250, "{failures} of 500");
    }
}
