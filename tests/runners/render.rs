//! From truth to counts: the physics, noise, the container, labels; and the pinned output.

use derefnet::dataset::Split;
use derefnet::scene::{
    Arrangement, ClutterConfig, SceneConfig, Target, Trajectory, generate, label_map,
    ranked_label_map, render,
};
use derefnet_core::physics::{FRAME_SIDE, MAP_LEN};
use derefnet_tests::fnv::Fnv;
use derefnet_tests::oracle;
use derefnet_tests::statistics::{assert_follows, assert_mean};
use derefnet_tests::tolerance::RENDERING;

const SEED: u64 = 11;

fn many(config: &SceneConfig, count: u64) -> Vec<Trajectory> {
    let one = |index| generate(config, SEED, Split::Train, index);
    (0..count).map(one).collect()
}

#[test]
fn frames_are_the_rounded_integral_of_the_point_spread_function() {
    let bright = SceneConfig {
        intensity: [300.0, 1000.0],
        targets: [1, 8],
        ..SceneConfig::default()
    };
    for trajectory in many(&bright, 12) {
        for (t, targets) in trajectory.truth.iter().enumerate().step_by(7) {
            let mut counts = [0.0; FRAME_SIDE * FRAME_SIDE];
            render::add_targets(targets, &mut counts);
            for (pixel, found) in counts.into_iter().enumerate() {
                let (i, j) = (pixel / FRAME_SIDE, pixel % FRAME_SIDE);
                let expected = oracle::render::expected_count(targets, i, j);
                assert!((found - expected).abs() < RENDERING, "{found} {expected}");
                let stored = f64::from(trajectory.frames[(t, i, j)]);
                assert!((stored - expected).abs() <= 0.5 + RENDERING);
            }
        }
    }
}

/// Counts minus the expected, unrounded counts of the same targets.
fn residuals(trajectory: &Trajectory) -> Vec<f64> {
    let mut all = Vec::new();
    for (targets, frame) in trajectory.truth.iter().zip(trajectory.frames.outer_iter()) {
        let mut expected = [0.0; FRAME_SIDE * FRAME_SIDE];
        render::add_targets(targets, &mut expected);
        all.extend(frame.iter().zip(expected).map(|(&c, e)| f64::from(c) - e));
    }
    all
}

#[test]
fn noise_is_white_and_gaussian_with_the_given_deviation() {
    for sigma in [2.0, 5.0] {
        let config = SceneConfig {
            noise: [sigma; 2],
            ..SceneConfig::default()
        };
        let residuals: Vec<f64> = many(&config, 60).iter().flat_map(residuals).collect();
        let power = |n: i32| residuals.iter().map(|r| r.powi(n)).collect::<Vec<_>>();
        // Rounding adds a uniform error: variance 1/12, fourth moment 1/80, and 6·σ²/12 crosswise.
        let square = sigma * sigma;
        assert_mean("noise", &residuals, 0.0);
        assert_mean("squared noise", &power(2), square + 1.0 / 12.0);
        let fourth = 3.0 * square * square + square / 2.0 + 1.0 / 80.0;
        assert_mean("fourth power of noise", &power(4), fourth);
        for lag in [1, 2, FRAME_SIDE, FRAME_SIDE * FRAME_SIDE] {
            let pairs = residuals.iter().zip(&residuals[lag..]);
            let products: Vec<f64> = pairs.map(|(a, b)| a * b).collect();
            assert_mean("noise times later noise", &products, 0.0);
        }
    }
}

#[test]
fn range_of_noise_is_uniform_over_trajectories_and_leaves_the_scene_alone() {
    let noisy = SceneConfig {
        noise: [10.0, 50.0],
        ..SceneConfig::default()
    };
    let noisy = many(&noisy, 400);
    let deviation = |trajectory| {
        let residuals = residuals(trajectory);
        (residuals.iter().map(|r| r * r).sum::<f64>() / residuals.len() as f64).sqrt()
    };
    // Each estimate is off by about 1.4 %, well inside what 400 samples resolve.
    let deviations = noisy.iter().map(deviation).collect();
    assert_follows("deviation", deviations, |s| {
        ((s - 10.0) / 40.0).clamp(0.0, 1.0)
    });
    let clean = many(&SceneConfig::default(), 400);
    for (noisy, clean) in noisy.iter().zip(&clean) {
        assert_eq!(noisy.truth, clean.truth);
    }
}

#[test]
fn container_limits_apply_in_order() {
    let base = SceneConfig {
        targets: [4, 4],
        noise: [40.0; 2],
        ..SceneConfig::default()
    };
    let of = |config: &SceneConfig| generate(config, SEED, Split::Test, 3).frames;
    let raw = of(&base);
    assert!(raw.iter().any(|&c| c > 255) && raw.iter().any(|&c| c < -50));
    let clipped = of(&SceneConfig {
        clip_at_zero: true,
        ..base.clone()
    });
    assert_eq!(clipped, raw.mapv(|c| c.max(0)));
    let saturated = of(&SceneConfig {
        bits: 8,
        saturate: true,
        pedestal: 50,
        ..base.clone()
    });
    assert_eq!(saturated, raw.mapv(|c| (c + 50).clamp(0, 255) - 50));
    let deep = of(&SceneConfig { bits: 8, ..base });
    assert_eq!(deep, raw, "without saturation the depth changes nothing");
}

#[test]
fn label_map_assigns_cells_and_the_later_target_wins() {
    let target = |x, y, intensity| Target { x, y, intensity };
    let targets = [
        target(0.0, 0.0, 220.0),
        target(4.0 / 3.0, 5.1, 230.0),
        target(1.4, 5.0, 240.5),
        target(10.8, 0.0, 9.0),
        target(0.0, -0.6, 9.0),
        target(10.4, 10.4, 250.0),
    ];
    let map = label_map(&targets);
    let mut expected = [0.0; MAP_LEN];
    expected[33 + 1] = 220.0;
    expected[5 * 33 + 16] = 240.5;
    expected[32 * 33 + 32] = 250.0;
    assert_eq!(map, expected);
}

/// The target at a third of a pixel from (1, 1) lies at the centre of cell (5, 5); half a cell is
/// 1/6 px.
#[test]
fn ranked_labels_rise_from_corner_to_centre() {
    let at = |dx: f64, dy: f64| Target {
        x: 4.0 / 3.0 + dx,
        y: 4.0 / 3.0 + dy,
        intensity: 240.0,
    };
    let label = |target, centerness| ranked_label_map(&[target], centerness)[5 * 33 + 5];
    let edge = 1.0 / 6.0 - 1e-12;
    for (target, expected) in [
        (at(0.0, 0.0), 360.0),
        (at(edge, 0.0), 300.0),
        (at(0.0, -edge), 300.0),
        (at(-edge, edge), 240.0),
        (at(1.0 / 12.0, 0.0), 345.0),
    ] {
        let value = label(target, 0.5);
        assert_eq!(value, expected, "{target:?}");
        assert_eq!(label(target, 0.0), 240.0);
    }
}

#[test]
fn without_centerness_ranked_labels_are_the_published_ones() {
    for trajectory in many(&SceneConfig::default(), 20) {
        for targets in &trajectory.truth {
            let bits = |map: [f32; MAP_LEN]| map.map(f32::to_bits);
            assert_eq!(
                bits(ranked_label_map(targets, 0.0)),
                bits(assigned(targets)),
                "{targets:?}"
            );
        }
    }
}

/// Every target's intensity in its cell, by the words of the paper.
fn assigned(targets: &[Target]) -> [f32; MAP_LEN] {
    let mut map = [0.0; MAP_LEN];
    for target in targets {
        let cell = |u: f64| (3.0 * u + 1.0).round_ties_even() as usize;
        map[33 * cell(target.x) + cell(target.y)] = target.intensity as f32;
    }
    map
}

/// FNV-1a over little-endian bytes of counts and truth.
fn fingerprint(trajectory: &Trajectory) -> u64 {
    let counts = trajectory.frames.iter().flat_map(|c| c.to_le_bytes());
    let targets = trajectory.truth.iter().flatten();
    let numbers = targets.flat_map(|t| [t.x, t.y, t.intensity]);
    let bytes = counts.chain(numbers.flat_map(|v| v.to_bits().to_le_bytes()));
    let mut hash = Fnv::default();
    bytes.for_each(|byte| hash.take(&[byte]));
    hash.value()
}

/// Fingerprints of this generator's own output at data version 1, seed 1, test split, trajectories 0
/// to 2. If they change, so must `DATA_VERSION`, and every published figure on generated data is void.
#[test]
fn value_stability() {
    assert_eq!(derefnet::scene::DATA_VERSION, "derefnet-scene-1");
    let rules = SceneConfig::default();
    let noisy = SceneConfig {
        noise: [0.0, 5.0],
        targets: [2, 8],
        ..rules.clone()
    };
    let free = SceneConfig {
        arrangement: Arrangement::Free,
        ..noisy.clone()
    };
    let clutter = SceneConfig {
        clutter: Some(ClutterConfig::default()),
        background_drift: 0.02,
        ..rules.clone()
    };
    let of = |config: &SceneConfig| {
        [0, 1, 2].map(|index| fingerprint(&generate(config, 1, Split::Test, index)))
    };
    let found = [&rules, &noisy, &free, &clutter].map(of);
    let expected: [[u64; 3]; 4] = [
        [0x6667b6fbed5022bc, 0x05e6c5d74cb16e83, 0x9f47927404b4bc3d],
        [0xbddcf449c68c01a1, 0xdb7c28299f5609ed, 0xc676065da6d2420a],
        [0x43153e1a3c85b35d, 0x3ddd8f757bb542d0, 0x1e91142a6f0ea3d7],
        [0xe34e79be2aca6615, 0x330d10a1ca41a1a7, 0xc6c7848aeb9fe45d],
    ];
    assert_eq!(found, expected, "{found:#018x?}");
}
