//! What every generated trajectory keeps, whatever was asked for.

use derefnet::dataset::Split;
use derefnet::scene::render::add_targets;
use derefnet::scene::{
    Arrangement, SceneConfig, Target, Trajectory, generate, label_map, ranked_label_map,
};
use derefnet_core::physics::{FRAME_LEN, MAP_SIDE, RATIO, cell_of};
use derefnet_tests::properties;
use derefnet_tests::tolerance::{COORDINATE, NOISE_SCATTER, RENDERING};
use proptest::prelude::*;
use proptest::sample::select;

/// Least distance between two targets, pixels: on the axes, and of free ones.
const APART: f64 = 0.3 * std::f64::consts::SQRT_2;
const FREE_APART: f64 = 0.42;

/// A configuration, a seed and a trajectory of it.
#[derive(Clone, Debug)]
struct Drawn {
    config: SceneConfig,
    seed: u64,
    index: u64,
}

impl Drawn {
    fn trajectory(&self) -> Trajectory {
        generate(&self.config, self.seed, Split::Train, self.index)
    }

    fn with(&self, change: impl Fn(&mut SceneConfig)) -> Trajectory {
        let mut drawn = self.clone();
        change(&mut drawn.config);
        drawn.trajectory()
    }
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let targets = (1..=8_u32, 1..=8_u32).prop_map(|(a, b)| [a.min(b), a.max(b)]);
    let arrangement = select(vec![Arrangement::Rules, Arrangement::Free]);
    let intensity = (1.0..500.0, 0.0..500.0).prop_map(|(low, more)| [low, low + more]);
    let scene = (targets, 1..=24_u32, arrangement, intensity, 0.0..20.0);
    (scene, any::<u64>(), 0..1_000_000_u64).prop_map(|(scene, seed, index)| {
        let (targets, frames, arrangement, intensity, noise) = scene;
        let config = SceneConfig {
            targets,
            frames,
            arrangement,
            intensity,
            noise: [noise; 2],
            ..SceneConfig::default()
        };
        Drawn {
            config,
            seed,
            index,
        }
    })
}

/// Targets within a pixel or two of the field, some with a later one in the same place: two seldom
/// meet in a cell by chance.
fn targets() -> impl Strategy<Value = Vec<Target>> {
    let later = prop::option::weighted(0.3, 1.0..500.0);
    let target = (-1.5..11.5, -1.5..11.5, 1.0..500.0, later);
    prop::collection::vec(target, 0..6).prop_map(|drawn| {
        let first = drawn
            .iter()
            .map(|&(x, y, intensity, _)| Target { x, y, intensity });
        let later = drawn
            .iter()
            .filter_map(|&(x, y, _, later)| later.map(|intensity| Target { x, y, intensity }));
        first.chain(later).collect()
    })
}

/// Row and column of a target's cell, where the map has it.
fn cell(target: &Target) -> Option<usize> {
    let [row, column] = [target.x, target.y].map(|u| cell_of(u, RATIO));
    let inside = |cell: i64| (0..MAP_SIDE as i64).contains(&cell);
    (inside(row) && inside(column)).then(|| row as usize * MAP_SIDE + column as usize)
}

properties! {
    fn targets_keep_their_rules(drawn in drawn()) {
        let (config, trajectory) = (&drawn.config, drawn.trajectory());
        let free = config.arrangement == Arrangement::Free;
        let apart = if free { FREE_APART } else { APART } - COORDINATE;
        let first = &trajectory.truth[0];
        prop_assert_eq!(trajectory.truth.len(), config.frames as usize);
        prop_assert!((config.targets[0]..=config.targets[1]).contains(&(first.len() as u32)));
        for frame in &trajectory.truth {
            prop_assert_eq!(frame.len(), first.len());
            for (k, (target, start)) in frame.iter().zip(first).enumerate() {
                let field = 0.5 - COORDINATE..=9.5 + COORDINATE;
                prop_assert!(field.contains(&target.x) && field.contains(&target.y));
                prop_assert!((config.intensity[0]..=config.intensity[1]).contains(&target.intensity));
                prop_assert_eq!(target.intensity, start.intensity);
                for other in &frame[..k] {
                    let distance = (target.x - other.x).hypot(target.y - other.y);
                    prop_assert!(distance >= apart, "{distance}");
                }
            }
        }
    }

    /// The reference point moves by 0.04 px along rows, targets outwards by less than 0.0014 px; free
    /// ones move straight.
    fn targets_move_as_the_rules_say(drawn in drawn()) {
        let trajectory = drawn.trajectory();
        let free = drawn.config.arrangement == Arrangement::Free;
        for (k, _) in trajectory.truth[0].iter().enumerate() {
            let xs: Vec<f64> = trajectory.truth.iter().map(|frame| frame[k].x).collect();
            let steps: Vec<f64> = xs.windows(2).map(|pair| pair[1] - pair[0]).collect();
            for step in &steps {
                if free {
                    prop_assert!((step - steps[0]).abs() < COORDINATE);
                    prop_assert!(step.abs() < 0.09 + 0.003);
                } else {
                    prop_assert!((0.04 - 0.0014 - COORDINATE..0.04 + 0.0014 + COORDINATE).contains(&step.abs()));
                    prop_assert_eq!(*step > 0.0, steps[0] > 0.0);
                }
            }
        }
    }

    fn trajectories_follow_from_their_seed(drawn in drawn()) {
        prop_assert_eq!(drawn.trajectory(), drawn.trajectory());
        let other = Drawn { seed: drawn.seed ^ 1, ..drawn.clone() };
        prop_assert_ne!(drawn.trajectory().truth, other.trajectory().truth);
        let next = Drawn { index: drawn.index + 1, ..drawn.clone() };
        prop_assert_ne!(drawn.trajectory().truth, next.trajectory().truth);
    }

    /// What the sensor does changes no target.
    fn noise_and_container_leave_the_truth_alone(drawn in drawn(), noise in 0.0..50.0) {
        let changed = drawn.with(|config| {
            config.noise = [noise; 2];
            (config.bits, config.saturate, config.clip_at_zero) = (8, true, true);
        });
        prop_assert_eq!(changed.truth, drawn.trajectory().truth);
    }

    fn quiet_frames_are_rounded_expectations(drawn in drawn()) {
        let quiet = drawn.with(|config| config.noise = [0.0; 2]);
        for (targets, frame) in quiet.truth.iter().zip(quiet.frames.outer_iter()) {
            let mut expected = [0.0; FRAME_LEN];
            add_targets(targets, &mut expected);
            for (&count, expected) in frame.iter().zip(expected) {
                prop_assert!((f64::from(count) - expected).abs() <= 0.5 + RENDERING);
            }
        }
    }

    fn containers_hold_what_fits(drawn in drawn(), bits in 8..=16_u32, pedestal in 0..300_i32) {
        let raw = drawn.trajectory().frames;
        let held = drawn.with(|config| {
            (config.bits, config.saturate, config.pedestal) = (bits, true, pedestal);
        });
        let most = (1 << bits) - 1;
        prop_assert_eq!(held.frames, raw.mapv(|c| (c + pedestal).clamp(0, most) - pedestal));
        let clipped = drawn.with(|config| config.clip_at_zero = true);
        prop_assert_eq!(clipped.frames, raw.mapv(|c| c.max(0)));
    }

    fn noise_scatters_as_much_as_asked_for(drawn in drawn(), noise in 5.0..50.0) {
        let noisy = drawn.with(|config| (config.noise, config.frames) = ([noise; 2], 20));
        let quiet = drawn.with(|config| (config.noise, config.frames) = ([0.0; 2], 20));
        let scatter = (&noisy.frames - &quiet.frames).mapv(|d| f64::from(d).powi(2)).mean().unwrap();
        // Rounding twice adds a sixth.
        let ratio = scatter / (noise * noise + 1.0 / 6.0);
        prop_assert!((ratio - 1.0).abs() < NOISE_SCATTER, "{ratio}");
    }

    /// Labels are the targets' intensities in their cells, and nothing else.
    fn labels_hold_the_targets(targets in targets(), centerness in 0.0..1.0) {
        let (map, ranked) = (label_map(&targets), ranked_label_map(&targets, centerness));
        for (at, (&label, &ranked)) in map.iter().zip(&ranked).enumerate() {
            let last = targets.iter().rev().find(|target| cell(target) == Some(at));
            let want = last.map_or(0.0, |target| target.intensity as f32);
            prop_assert_eq!(label, want);
            let most = want * (1.0 + centerness as f32) * (1.0 + f32::EPSILON);
            prop_assert!(want * (1.0 - f32::EPSILON) <= ranked && ranked <= most);
        }
    }
}
