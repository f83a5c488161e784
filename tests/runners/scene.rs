//! Every rule of the generator, from its output alone; statistics at significance 0.001.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use derefnet::dataset::Split;
use derefnet::scene::{
    Arrangement, ClutterConfig, SceneConfig, Target, Trajectory, generate, label_map, render,
};
use derefnet_core::physics::{FRAME_SIDE, MAP_LEN};
use derefnet_tests::oracle;
use derefnet_tests::statistics::{
    assert_equal_shares, assert_follows, assert_mean, assert_uniform,
};
use derefnet_tests::tolerance::{COORDINATE, RADIUS, RENDERING, THIRD_DIFFERENCE};
use std::sync::LazyLock;

const SEED: u64 = 11;
const FRAMES: usize = 20;

fn many(config: &SceneConfig, count: u64) -> Vec<Trajectory> {
    let one = |index| generate(config, SEED, Split::Train, index);
    (0..count).map(one).collect()
}

/// 3,000 trajectories with every default.
static RULES: LazyLock<Vec<Trajectory>> = LazyLock::new(|| many(&SceneConfig::default(), 3_000));
/// 1,000 trajectories of 5 to 8 targets.
static CROWDED: LazyLock<Vec<Trajectory>> = LazyLock::new(|| {
    let config = SceneConfig {
        targets: [5, 8],
        ..SceneConfig::default()
    };
    many(&config, 1_000)
});

/// What the rules let one infer of a trajectory's reference point and directions.
struct Path {
    start: f64,
    step: f64,
    /// `y` of the reference point per frame, where a target moves along `x` and so shows it.
    heights: Option<Vec<f64>>,
    /// Per target: sign along x and y, in {-1, 0, 1}.
    directions: Vec<(i32, i32)>,
}

/// `x0` is whole and every offset below half a pixel, so rounding finds it.
fn path(trajectory: &Trajectory) -> Path {
    let first = &trajectory.truth[0];
    let start = first[0].x.round();
    let sign = |u: f64| if u.abs() < 1e-9 { 0 } else { u.signum() as i32 };
    let vertical = |target: &&Target| ((target.x - start).abs() - 0.3).abs() < 1e-9;
    let middle = match first.iter().find(vertical) {
        Some(target) => target.y,
        // Only the opposite pair along y is left.
        None => first.iter().map(|target| target.y).sum::<f64>() / 2.0,
    };
    let directions: Vec<_> = first
        .iter()
        .map(|target| (sign(target.x - start), sign(target.y - middle)))
        .collect();
    let shown = directions.iter().position(|&(_, dy)| dy == 0);
    Path {
        start,
        step: if start < 5.0 { 0.04 } else { -0.04 },
        heights: shown.map(|k| trajectory.truth.iter().map(|frame| frame[k].y).collect()),
        directions,
    }
}

#[test]
fn numbers_of_targets_are_uniform() {
    for (trajectories, fewest) in [(&*RULES, 2), (&*CROWDED, 5)] {
        let mut counts = vec![0; if fewest == 2 { 3 } else { 4 }];
        for trajectory in trajectories {
            counts[trajectory.truth[0].len() - fewest] += 1;
            let same = |frame: &Vec<Target>| frame.len() == trajectory.truth[0].len();
            assert!(trajectory.truth.len() == FRAMES && trajectory.truth.iter().all(same));
            assert_eq!(trajectory.frames.dim(), (FRAMES, FRAME_SIDE, FRAME_SIDE));
        }
        assert_equal_shares("number of targets", &counts);
    }
}

#[test]
fn directions_are_distinct_and_uniform_and_in_no_order() {
    const AXES: [(i32, i32); 4] = [(-1, 0), (1, 0), (0, -1), (0, 1)];
    let index = |direction| AXES.iter().position(|axis| *axis == direction).unwrap();
    let mut subsets = [[0u64; 16]; 5];
    let mut first = [0; 4];
    for trajectory in RULES.iter() {
        let directions = path(trajectory).directions;
        let mask = directions.iter().fold(0, |mask, &d| mask | 1 << index(d));
        assert_eq!(
            usize::count_ones(mask) as usize,
            directions.len(),
            "distinct"
        );
        subsets[directions.len()][mask] += 1;
        first[index(directions[0])] += 1;
    }
    let seen = |n: usize| subsets[n].iter().copied().filter(|&count| count > 0);
    assert_eq!(
        (seen(2).count(), seen(3).count(), seen(4).count()),
        (6, 4, 1)
    );
    assert_equal_shares("pairs of directions", &seen(2).collect::<Vec<_>>());
    assert_equal_shares("triples of directions", &seen(3).collect::<Vec<_>>());
    assert_equal_shares("direction of the first target", &first);
}

#[test]
fn five_to_eight_fill_the_axes_and_then_diagonals() {
    let mut diagonals = [0; 4];
    for trajectory in CROWDED.iter() {
        let Path {
            directions, start, ..
        } = path(trajectory);
        let mut distinct = directions.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), directions.len());
        let axial = directions.iter().filter(|(dx, dy)| dx * dy == 0).count();
        assert_eq!(axial, 4);
        for (target, (dx, dy)) in trajectory.truth[0].iter().zip(directions) {
            if dx * dy != 0 {
                // 0.6 px along the diagonal.
                assert!(((target.x - start).abs() - 0.6 / 2f64.sqrt()).abs() < COORDINATE);
                diagonals[((dx + 1) + (dy + 1) / 2) as usize] += 1;
            }
        }
    }
    assert_equal_shares("diagonals", &diagonals);
}

#[test]
fn start_is_uniform_and_every_step_is_a_twenty_fifth() {
    let mut starts = [0; 9];
    for trajectory in RULES.iter() {
        let path = path(trajectory);
        starts[path.start as usize - 1] += 1;
        let along = path.directions.iter().position(|&(dx, _)| dx == 0);
        for (t, frame) in trajectory.truth.iter().enumerate() {
            let expected = path.start + path.step * t as f64;
            if let Some(k) = along {
                assert!((frame[k].x - expected).abs() < COORDINATE);
            }
        }
    }
    assert_equal_shares("x0", &starts);
}

#[test]
fn distances_start_at_0_3_and_grow_uniformly() {
    let mut growth = Vec::new();
    for trajectory in RULES.iter() {
        let path = path(trajectory);
        let Some(heights) = &path.heights else {
            continue;
        };
        for k in 0..path.directions.len() {
            let distance = |t: usize| {
                let target = trajectory.truth[t][k];
                let x = path.start + path.step * t as f64;
                (target.x - x).abs() + (target.y - heights[t]).abs()
            };
            assert!((distance(0) - 0.3).abs() < COORDINATE);
            growth.extend((1..FRAMES).map(|t| distance(t) - distance(t - 1)));
        }
    }
    assert!(growth.len() > 100_000);
    assert_uniform("growth per frame", growth, 0.0, 0.0014);
}

#[test]
fn separation_never_falls_below_the_rule() {
    for trajectory in RULES.iter().chain(CROWDED.iter()) {
        for frame in &trajectory.truth {
            for (k, a) in frame.iter().enumerate() {
                for b in &frame[k + 1..] {
                    let distance = (a.x - b.x).hypot(a.y - b.y);
                    assert!(distance > 0.3 * 2f64.sqrt() - COORDINATE, "{distance}");
                }
            }
        }
    }
}

#[test]
fn intensities_are_uniform_and_constant() {
    let mut values = Vec::new();
    for trajectory in RULES.iter() {
        let first: Vec<f64> = trajectory.truth[0].iter().map(|t| t.intensity).collect();
        for frame in &trajectory.truth {
            assert!(frame.iter().map(|t| t.intensity).eq(first.iter().copied()));
        }
        values.extend(first);
    }
    assert_uniform("intensity", values, 220.0, 250.0);
}

#[test]
fn every_target_stays_one_pixel_inside() {
    let longest = SceneConfig {
        frames: 64,
        targets: [1, 8],
        ..SceneConfig::default()
    };
    let free = SceneConfig {
        arrangement: Arrangement::Free,
        ..longest.clone()
    };
    let (longest, free) = (many(&longest, 500), many(&free, 500));
    let all = RULES
        .iter()
        .chain(CROWDED.iter())
        .chain(&longest)
        .chain(&free);
    for target in all.flat_map(|trajectory| trajectory.truth.iter().flatten()) {
        let inside = |u: f64| (0.5 - COORDINATE..=9.5 + COORDINATE).contains(&u);
        assert!(inside(target.x) && inside(target.y), "{target:?}");
    }
}

/// Differences of order `order` of equally spaced values.
fn differences(values: &[f64], order: u32) -> Vec<f64> {
    (0..order).fold(values.to_vec(), |values, _| {
        values.windows(2).map(|pair| pair[1] - pair[0]).collect()
    })
}

/// Radius of the circle through three points.
fn radius(points: [(f64, f64); 3]) -> f64 {
    let [a, b, c] = points;
    let side = |p: (f64, f64), q: (f64, f64)| (p.0 - q.0).hypot(p.1 - q.1);
    let area = (b.0 - a.0) * (c.1 - a.1) - (c.0 - a.0) * (b.1 - a.1);
    side(a, b) * side(b, c) * side(c, a) / (2.0 * area.abs())
}

#[test]
fn families_are_uniform_and_slopes_bounded() {
    let mut families = [0; 3];
    for trajectory in RULES.iter() {
        let Path {
            heights,
            start,
            step,
            ..
        } = path(trajectory);
        let Some(heights) = heights else { continue };
        for slope in differences(&heights, 1) {
            assert!((slope / step).abs() <= 2.0 + 1e-9);
        }
        let most = |order| {
            let all = differences(&heights, order).into_iter();
            all.fold(0.0, |most: f64, d| most.max(d.abs()))
        };
        let family = match (most(2), most(3)) {
            (second, _) if second < THIRD_DIFFERENCE => 0,
            (_, third) if third < THIRD_DIFFERENCE => 1,
            _ => {
                let at = |t: usize| (start + step * t as f64, heights[t]);
                let whole = radius([at(0), at(9), at(19)]);
                let part = radius([at(0), at(14), at(19)]);
                assert!((whole / part - 1.0).abs() < RADIUS, "{whole} {part}");
                assert!((1.0..=8.0 + 1e-6).contains(&whole));
                2
            }
        };
        families[family] += 1;
    }
    assert_equal_shares("family", &families);
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
    for (noisy, clean) in noisy.iter().zip(RULES.iter()) {
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
fn free_targets_move_straight_and_stay_apart() {
    let config = SceneConfig {
        targets: [2, 8],
        arrangement: Arrangement::Free,
        ..SceneConfig::default()
    };
    let mut counts = [0; 7];
    for trajectory in many(&config, 700) {
        let truth = &trajectory.truth;
        counts[truth[0].len() - 2] += 1;
        let velocity = |k: usize| {
            let [a, b] = [0, 19].map(|t: usize| truth[t][k]);
            ((b.x - a.x) / 19.0, (b.y - a.y) / 19.0)
        };
        for (k, start) in truth[0].iter().enumerate() {
            let (vx, vy) = velocity(k);
            assert!(vx.hypot(vy) < 0.09 + 0.003);
            for (t, frame) in truth.iter().enumerate() {
                let (x, y) = (start.x + vx * t as f64, start.y + vy * t as f64);
                assert!((frame[k].x - x).hypot(frame[k].y - y) < 1e-12);
                for (other, target) in frame[..k].iter().enumerate() {
                    let distance = (target.x - frame[k].x).hypot(target.y - frame[k].y);
                    assert!((0.42..1.6 + 0.006 * 20.0).contains(&distance));
                    let (wx, wy) = velocity(other);
                    assert!((vx - wx).hypot(vy - wy) < 0.006);
                }
            }
        }
    }
    assert_equal_shares("number of free targets", &counts);
}

/// Distance of two uniform points in a disc, given that it is at least 0.42: density by Santaló,
/// `4s/(πR²)·acos(s/2R) - 2s²/(πR³)·√(1 - s²/4R²)`, integrated numerically.
#[test]
fn free_pairs_are_uniform_in_the_disc() {
    let config = SceneConfig {
        targets: [2, 2],
        frames: 1,
        arrangement: Arrangement::Free,
        ..SceneConfig::default()
    };
    let radius = 0.8;
    let density = |s: f64| {
        let h: f64 = s / (2.0 * radius);
        let chord = 2.0 * s * s / (std::f64::consts::PI * radius.powi(3));
        4.0 * s / (std::f64::consts::PI * radius * radius) * h.acos() - chord * (1.0 - h * h).sqrt()
    };
    let cells = 4_000;
    let width = (1.6 - 0.42) / f64::from(cells);
    let mut sums = vec![0.0];
    for cell in 0..cells {
        let middle = 0.42 + (f64::from(cell) + 0.5) * width;
        sums.push(sums[cell as usize] + density(middle) * width);
    }
    let total = sums[cells as usize];
    let cdf = |s: f64| sums[((s - 0.42) / width).round() as usize] / total;
    let distances = many(&config, 5_000).into_iter().map(|trajectory| {
        let [a, b] = trajectory.truth[0][..] else {
            panic!("two targets")
        };
        (a.x - b.x).hypot(a.y - b.y)
    });
    assert_follows("distance of free pairs", distances.collect(), cdf);
}

/// `E[J₀(k r)]` over log-uniform `k`, by the midpoint rule in both variables.
fn clutter_correlation(r: f64, [short, long]: [f64; 2]) -> f64 {
    let bessel = |x: f64| {
        let angle = |i: i32| std::f64::consts::PI * (f64::from(i) + 0.5) / 200.0;
        (0..200).map(|i| (x * angle(i).sin()).cos()).sum::<f64>() / 200.0
    };
    let wave = |i: i32| {
        std::f64::consts::TAU / (short * (long / short).powf((f64::from(i) + 0.5) / 500.0))
    };
    (0..500).map(|i| bessel(wave(i) * r)).sum::<f64>() / 500.0
}

#[test]
fn clutter_has_the_documented_statistics() {
    let clutter = ClutterConfig {
        level: [90.0; 2],
        deviation: [7.0; 2],
        gradient: [0.0; 2],
        ..ClutterConfig::default()
    };
    let fields: Vec<[f64; 121]> = (0..4_000)
        .map(|stream| {
            let mut rng = derefnet::rng::Rng::new(SEED, *b"clutters", stream);
            let mut field = [0.0; 121];
            clutter.draw(20, 0.0, &mut rng).add(19, &mut field);
            field.map(|count| count - 90.0)
        })
        .collect();
    let product = |a: usize, b: usize| fields.iter().map(|f| f[a] * f[b]).collect::<Vec<_>>();
    assert_mean(
        "mean",
        &fields.iter().map(|f| f[37]).collect::<Vec<_>>(),
        0.0,
    );
    for pixel in [0, 60, 115] {
        assert_mean("variance", &product(pixel, pixel), 49.0);
    }
    for lag in [1, 2, 3, 5, 8] {
        let expected = 49.0 * clutter_correlation(lag as f64, clutter.wavelength);
        assert_mean("covariance along y", &product(44, 44 + lag), expected);
        assert_mean("covariance along x", &product(5, 5 + 11 * lag), expected);
    }
    let diagonal = 49.0 * clutter_correlation(2f64.sqrt() * 3.0, clutter.wavelength);
    assert_mean("covariance along the diagonal", &product(36, 72), diagonal);
}

#[test]
fn clutter_lies_under_the_scene_and_drifts_as_a_whole() {
    let plane = ClutterConfig {
        deviation: [0.0; 2],
        gradient: [100.0; 2],
        level: [5_000.0; 2],
        ..ClutterConfig::default()
    };
    let config = SceneConfig {
        clutter: Some(plane),
        background_drift: 0.5,
        ..SceneConfig::default()
    };
    let mut fastest = 0.0_f64;
    for (clean, over) in RULES.iter().zip(many(&config, 10)) {
        assert_eq!(over.truth, clean.truth);
        let below = &over.frames - &clean.frames;
        let pixel = |t: usize, i: usize, j: usize| f64::from(below[(t, i, j)]);
        let slope = [(10, 0), (0, 10)].map(|(i, j)| (pixel(0, i, j) - pixel(0, 0, 0)) / 10.0);
        // Rounding moves each count by up to one.
        assert!((slope[0].hypot(slope[1]) - 100.0).abs() < 0.3);
        assert!((pixel(0, 5, 5) - 5_000.0).abs() <= 1.0);
        let drift = pixel(19, 5, 5) - pixel(0, 5, 5);
        fastest = fastest.max(drift.abs());
        for t in 0..FRAMES {
            for (i, j) in [(0, 0), (3, 9), (10, 10)] {
                let moved = pixel(t, i, j) - pixel(0, i, j);
                assert!((moved - drift * t as f64 / 19.0).abs() <= 2.0);
            }
        }
    }
    // At most 0.5 px in each of 19 frames, uphill.
    assert!(fastest > 300.0 && fastest < 0.5 * 19.0 * 100.0, "{fastest}");
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

#[test]
fn seeds_splits_and_indices_give_different_scenes() {
    let config = SceneConfig::default();
    let base = generate(&config, 1, Split::Train, 0);
    assert_eq!(base, generate(&config, 1, Split::Train, 0));
    for other in [
        generate(&config, 2, Split::Train, 0),
        generate(&config, 1, Split::Validation, 0),
        generate(&config, 1, Split::Test, 0),
        generate(&config, 1, Split::Train, 1),
    ] {
        assert_ne!(base.truth, other.truth);
    }
}

#[test]
fn fields_out_of_range_are_named() {
    let change: [(&str, fn(&mut SceneConfig)); 13] = [
        ("targets", |c| c.targets = [0, 2]),
        ("targets", |c| c.targets = [3, 2]),
        ("targets", |c| c.targets = [2, 9]),
        ("frames", |c| c.frames = 0),
        ("frames", |c| c.frames = 65),
        ("intensity", |c| c.intensity = [0.0, 250.0]),
        ("intensity", |c| c.intensity = [220.0, f64::NAN]),
        ("noise", |c| c.noise = [-1.0, 0.0]),
        ("bits", |c| c.bits = 7),
        ("pedestal", |c| c.pedestal = -1),
        ("background_drift", |c| c.background_drift = f64::INFINITY),
        ("clutter.wavelength", |c| {
            c.clutter.get_or_insert_default().wavelength = [1.0, 3.0];
        }),
        ("clutter.level", |c| {
            c.clutter.get_or_insert_default().level = [f64::NAN, 3.0];
        }),
    ];
    for (field, change) in change {
        let mut config = SceneConfig::default();
        assert!(config.validate().is_ok());
        change(&mut config);
        let message = config.validate().unwrap_err().to_string();
        assert!(message.starts_with(field), "{field}: {message}");
    }
}

/// FNV-1a over little-endian bytes of counts and truth.
fn fingerprint(trajectory: &Trajectory) -> u64 {
    let counts = trajectory.frames.iter().flat_map(|c| c.to_le_bytes());
    let targets = trajectory.truth.iter().flatten();
    let numbers = targets.flat_map(|t| [t.x, t.y, t.intensity]);
    let bytes = counts.chain(numbers.flat_map(|v| v.to_bits().to_le_bytes()));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
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
