//! Every rule of the generator, from its output alone; statistics at significance 0.001.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use derefnet::dataset::Split;
use derefnet::scene::{Arrangement, SceneConfig, Target, Trajectory, generate};
use derefnet_core::physics::FRAME_SIDE;
use derefnet_tests::statistics::{assert_equal_shares, assert_follows, assert_uniform};
use derefnet_tests::tolerance::{COORDINATE, RADIUS, THIRD_DIFFERENCE};
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
    type Change = fn(&mut SceneConfig);
    let change: [(&str, Change); 13] = [
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
