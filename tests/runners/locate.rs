//! The fit of point sources: symmetries, honesty of its covariance, the same bits in every build.

#![allow(
    clippy::unwrap_used,
    reason = "a helper outside a test function fails the test all the same"
)]

use derefnet::dataset::Split;
use derefnet::scene::{Arrangement, SceneConfig, generate};
use derefnet_core::locate::{
    LocateConfig, Located, Locator, Noise, Proposal, Target, WINDOW_LEN, Workspace,
};
use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, Optics, PointSource, WINDOW};
use derefnet_tests::fnv::Fnv;
use derefnet_tests::properties;
use derefnet_tests::strategies::shuffle;
use derefnet_tests::tolerance::{
    CREEPING, ELLIPSES, FITTED_POSITION, LOCATED_BITS, NEAR_PROPOSAL, SAME_SOURCE,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use rayon::prelude::*;

/// Sources about the middle of the frame and their common velocity.
#[derive(Clone, Debug)]
struct Scene {
    sources: Vec<PointSource>,
    velocity: (f64, f64),
}

/// Two or three sources at least half a pixel apart, so that one maximum stands out.
fn scene() -> impl Strategy<Value = Scene> {
    let source = (4.2..5.8, 4.2..5.8, 222.0..248.0);
    let sources = prop::collection::vec(source, 2..4).prop_map(|sources| {
        let source = |(x, y, intensity)| PointSource { x, y, intensity };
        sources.into_iter().map(source).collect::<Vec<_>>()
    });
    let apart = |sources: &Vec<PointSource>| {
        let clear = |a: &PointSource, b: &PointSource| (a.x - b.x).hypot(a.y - b.y) >= 0.5;
        let pairs = sources.iter().enumerate();
        pairs
            .clone()
            .all(|(k, a)| sources[..k].iter().all(|b| clear(a, b)))
    };
    let sources = sources.prop_filter("at least half a pixel apart", apart);
    let velocity = (-0.08..0.08, -0.08..0.08);
    (sources, velocity).prop_map(|(sources, velocity)| Scene { sources, velocity })
}

/// Integer counts of a scene moved by `(dx, dy)`.
fn counts(scene: &Scene, (dx, dy): (f64, f64)) -> Vec<f32> {
    let mut window = Vec::with_capacity(WINDOW_LEN);
    for t in -2..=2 {
        let t = f64::from(t);
        let moved: Vec<PointSource> = scene
            .sources
            .iter()
            .map(|source| PointSource {
                x: source.x + t * scene.velocity.0 + dx,
                y: source.y + t * scene.velocity.1 + dy,
                ..*source
            })
            .collect();
        let mut frame = [0.0; FRAME_LEN];
        let rendered = Optics::SEQ_CSIST.render(&moved, &mut [0.0; FRAME_SIDE], &mut frame);
        rendered.unwrap();
        window.extend(frame.map(|count| count.round() as f32));
    }
    window
}

fn transposed(window: &[f32]) -> Vec<f32> {
    let frames = window.chunks_exact(FRAME_LEN);
    let flip = |frame: &[f32]| -> Vec<f32> {
        let pixel = |i: usize| frame[(i % FRAME_SIDE) * FRAME_SIDE + i / FRAME_SIDE];
        (0..FRAME_LEN).map(pixel).collect()
    };
    frames.flat_map(flip).collect()
}

/// Rows from the last to the first.
fn mirrored(window: &[f32]) -> Vec<f32> {
    let frames = window.chunks_exact(FRAME_LEN);
    let rows = frames.flat_map(|frame| frame.chunks_exact(FRAME_SIDE).rev());
    rows.flatten().copied().collect()
}

fn locate(window: &[f32], proposals: &[Proposal]) -> Located {
    let config = LocateConfig {
        noise: Noise::Known(0.0),
        tolerance: 1e-12,
        // Descents creep where three sources trade intensity for place.
        fine_evaluations: 1_000,
        ..LocateConfig::SEQ_CSIST
    };
    let locator = Locator::new(config).unwrap();
    let found = locator.locate(&mut Workspace::new(), window, None, proposals);
    found.unwrap()
}

/// Proposals close to the truth, with some belief in them.
fn proposals(scene: &Scene) -> Vec<Proposal> {
    let near = |(k, source): (usize, &PointSource)| Proposal {
        x: source.x + NEAR_PROPOSAL * (k as f64 - 1.0),
        y: source.y - NEAR_PROPOSAL,
        intensity: 235.0,
        precision: Some([600.0, 100.0, 500.0]),
    };
    scene.sources.iter().enumerate().map(near).collect()
}

/// Whether both answers hold the same sources, the second's mapped by `map`, in any order. A descent
/// that was still creeping when it had to stop is near its end, by its own measure.
fn same(a: &Located, b: &Located, map: impl Fn(&Target) -> Target) -> bool {
    let creeping = if a.converged && b.converged {
        0.0
    } else {
        CREEPING
    };
    let close = |(p, q, deviation): (f64, f64, f64)| {
        let allowed = FITTED_POSITION * (1.0 + p.abs()) + creeping * deviation;
        (p - q).abs() < allowed
    };
    let equal = |p: &Target, q: &Target| {
        let pairs = [
            (p.x, q.x, p.sigma_x),
            (p.y, q.y, p.sigma_y),
            (p.intensity, q.intensity, p.sigma_intensity),
            (p.sigma_x, q.sigma_x, p.sigma_x),
            (p.sigma_y, q.sigma_y, p.sigma_y),
            (p.correlation, q.correlation, 1.0),
            (p.score, q.score, 1.0),
        ];
        pairs.into_iter().all(close)
    };
    let mapped: Vec<Target> = b.targets.iter().map(map).collect();
    let found = |p: &Target| mapped.iter().any(|q| equal(p, q));
    a.targets.len() == mapped.len() && a.targets.iter().all(found)
}

/// Whether frames that are turned have the answer that `back` turns into that of the scene as it is.
fn check_turned(
    scene: &Scene,
    turn: fn(&[f32]) -> Vec<f32>,
    back: fn(&Target) -> Target,
) -> TestCaseResult {
    let window = counts(scene, (0.0, 0.0));
    let (plain, turned) = (locate(&window, &[]), locate(&turn(&window), &[]));
    prop_assert!(same(&plain, &turned, back), "{plain:?} {turned:?}");
    Ok(())
}

/// Whether a scene seen with rows from the last to the first has the answer that is its mirror image.
fn check_mirror(scene: &Scene) -> TestCaseResult {
    check_turned(scene, mirrored, |target| Target {
        x: 10.0 - target.x,
        correlation: -target.correlation,
        ..*target
    })
}

/// Whether a scene with rows as columns has the same answer, transposed.
fn check_transposed(scene: &Scene) -> TestCaseResult {
    check_turned(scene, transposed, |target| Target {
        x: target.y,
        y: target.x,
        sigma_x: target.sigma_y,
        sigma_y: target.sigma_x,
        ..*target
    })
}

/// Whether a scene moved by whole pixels has the same answer, moved.
fn check_shift(scene: &Scene, shift: (f64, f64)) -> TestCaseResult {
    let still = locate(&counts(scene, (0.0, 0.0)), &[]);
    let moved = locate(&counts(scene, shift), &[]);
    let back = |target: &Target| Target {
        x: target.x - shift.0,
        y: target.y - shift.1,
        ..*target
    };
    prop_assert!(same(&still, &moved, back), "{still:?} {moved:?}");
    Ok(())
}

/// Shrunk from when descents stopped early.
#[test]
fn a_scene_where_descents_creep_shifts_as_a_whole() {
    let source = |x, y, intensity| PointSource { x, y, intensity };
    let scene = Scene {
        sources: vec![
            source(4.73406328208738, 5.328815589699663, 226.43161268391034),
            source(4.396407367700854, 5.773109681979143, 239.98641179634097),
            source(5.269378487728901, 5.484416546538962, 242.74272556394357),
        ],
        velocity: (-0.032042418239702775, -0.040563983941087206),
    };
    check_shift(&scene, (0.0, 1.0)).unwrap();
}

/// Of 50,000 scenes each, the ones where one of the two descents never ends.
#[test]
fn scenes_where_a_descent_creeps_for_ever_have_their_symmetries() {
    let source = |x, y, intensity| PointSource { x, y, intensity };
    let mirrored = Scene {
        sources: vec![
            source(5.443968196481746, 4.881209826842018, 236.81265089353323),
            source(4.256740098870233, 5.150169501557742, 246.68060971112453),
            source(4.603107066279697, 4.721404057584182, 235.35787225497947),
        ],
        velocity: (-0.04645831999110314, -0.06598503831548792),
    };
    check_mirror(&mirrored).unwrap();
    let transposed = Scene {
        sources: vec![
            source(5.505112406248628, 4.501620902137084, 236.84798246411682),
            source(5.228270253423349, 5.1486895295807384, 236.71454190781324),
            source(4.235229835532051, 5.123831628350655, 246.25465520566271),
        ],
        velocity: (-0.030394550659154113, -0.03822678242248789),
    };
    check_transposed(&transposed).unwrap();
}

properties! {
    fn the_order_of_proposals_does_not_matter(scene in scene(), seed in any::<u64>()) {
        let window = counts(&scene, (0.0, 0.0));
        let mut list = proposals(&scene);
        let first = locate(&window, &list);
        shuffle(&mut list, seed);
        let second = locate(&window, &list);
        prop_assert!(same(&first, &second, |target| *target), "{first:?} {second:?}");
    }

    fn whole_pixels_shift_the_answer(scene in scene(), dx in -1..=1_i8, dy in -1..=1_i8) {
        check_shift(&scene, (f64::from(dx), f64::from(dy)))?;
    }

    fn mirrored_frames_give_the_mirrored_answer(scene in scene()) {
        check_mirror(&scene)?;
    }

    fn backwards_the_answer_is_the_same(scene in scene()) {
        let window = counts(&scene, (0.0, 0.0));
        let backwards: Vec<f32> = window.chunks_exact(FRAME_LEN).rev().flatten().copied().collect();
        let (plain, turned) = (locate(&window, &[]), locate(&backwards, &[]));
        prop_assert!(same(&plain, &turned, |target| *target), "{plain:?} {turned:?}");
        for (there, back) in plain.velocity.into_iter().zip(turned.velocity) {
            prop_assert!((there + back).abs() < FITTED_POSITION, "{there} {back}");
        }
    }

    fn rows_and_columns_are_alike(scene in scene()) {
        check_transposed(&scene)?;
    }

    fn sources_are_found(scene in scene()) {
        let found = locate(&counts(&scene, (0.0, 0.0)), &[]);
        prop_assert_eq!(found.targets.len(), scene.sources.len());
        for source in &scene.sources {
            let near = |target: &Target| (target.x - source.x).hypot(target.y - source.y) < SAME_SOURCE;
            prop_assert!(found.targets.iter().any(near), "{:?}", found);
        }
    }

    fn any_counts_give_sound_answers(
        window in prop::collection::vec(prop_oneof![-1e3_f32..1e3, prop::num::f32::NORMAL], WINDOW_LEN),
        flags in prop::option::of(prop::collection::vec(any::<bool>(), FRAME_LEN)),
    ) {
        let locator = Locator::new(LocateConfig::SEQ_CSIST).unwrap();
        let found = locator.locate(&mut Workspace::new(), &window, flags.as_deref(), &[]).unwrap();
        prop_assert!(found.reduced_chi2.is_finite() && found.evaluations < 2_000);
        for target in &found.targets {
            prop_assert!(target.x.is_finite() && target.y.is_finite());
            prop_assert!((0.0..=1.0).contains(&target.score));
        }
    }
}

/// The middle window of trajectory `index`: its counts, and the truth of its middle frame.
fn window(scene: &SceneConfig, index: u64) -> (Vec<f32>, Vec<derefnet::scene::Target>) {
    let trajectory = generate(scene, 1, Split::Train, index);
    let first = trajectory.truth.len() / 2 - WINDOW / 2;
    let counts = trajectory.frames.iter().map(|&count| count as f32);
    let frames = counts.skip(first * FRAME_LEN).take(WINDOW_LEN).collect();
    (frames, trajectory.truth[first + WINDOW / 2].clone())
}

/// Squared distance from target to truth in units of the target's covariance.
fn mahalanobis(target: &Target, truth: &derefnet::scene::Target) -> f64 {
    let u = (target.x - truth.x) / target.sigma_x;
    let v = (target.y - truth.y) / target.sigma_y;
    let r = target.correlation;
    (u * u - 2.0 * r * u * v + v * v) / (1.0 - r * r)
}

/// 95 % ellipses hold the truth in 95 % of the cases, over independent noisy windows.
#[test]
fn ellipses_hold_what_they_say() {
    for noise in [0.6, 2.0] {
        let scene = SceneConfig {
            targets: [2, 3],
            arrangement: Arrangement::Free,
            noise: [noise; 2],
            ..SceneConfig::default()
        };
        let locator = Locator::new(LocateConfig::SEQ_CSIST).unwrap();
        let held = |index: u64| {
            let (frames, truth) = window(&scene, index);
            let found = locator.locate(&mut Workspace::new(), &frames, None, &[]);
            let found = found.unwrap();
            assert_eq!(found.targets.len(), truth.len(), "trajectory {index}");
            let inside = truth.iter().filter(|truth| {
                let distances = found
                    .targets
                    .iter()
                    .map(|target| mahalanobis(target, truth));
                // χ² of two degrees of freedom: -2 ln 0.05.
                distances.fold(f64::INFINITY, f64::min) < 5.991
            });
            (inside.count(), truth.len())
        };
        let counts = (0..500).into_par_iter().map(held);
        let (inside, all) = counts.reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        let share = inside as f64 / all as f64;
        assert!(
            ELLIPSES.contains(&share),
            "σ = {noise}: {share:.4} of {all}"
        );
    }
}

/// All bits of the answers to a thousand windows, pinned: this build computes as every other.
#[test]
fn a_thousand_windows_give_the_same_bits() {
    let answers = (0..1_000_u64).into_par_iter().map(|index| {
        let arrangement = if index % 2 == 0 {
            Arrangement::Rules
        } else {
            Arrangement::Free
        };
        let scene = SceneConfig {
            targets: [1, 5],
            arrangement,
            noise: [0.5 * (index % 11) as f64; 2],
            ..SceneConfig::default()
        };
        let (frames, truth) = window(&scene, index);
        let near = |target: &derefnet::scene::Target| Proposal {
            x: target.x + 0.03,
            y: target.y - 0.02,
            intensity: 230.0,
            precision: (index % 4 < 2).then_some([900.0, -100.0, 800.0]),
        };
        let list: Vec<Proposal> = truth.iter().map(near).collect();
        let list = if index % 3 == 0 { &list[..] } else { &[] };
        let config = LocateConfig {
            counts: [1, 5],
            ..LocateConfig::SEQ_CSIST
        };
        let mut flags = [false; FRAME_LEN];
        flags[60] = index % 5 == 0;
        let excluded = flags[60].then_some(&flags[..]);
        let locator = Locator::new(config).unwrap();
        locator
            .locate(&mut Workspace::new(), &frames, excluded, list)
            .unwrap()
    });
    let answers: Vec<Located> = answers.collect();
    let mut hash = Fnv::default();
    for found in &answers {
        let targets = found.targets.iter().flat_map(|target| {
            [
                target.x,
                target.y,
                target.intensity,
                target.sigma_x,
                target.sigma_y,
                target.correlation,
                target.sigma_intensity,
                target.score,
            ]
        });
        let window = [found.reduced_chi2, found.background, found.noise];
        let motion = found.velocity.into_iter().chain(found.acceleration);
        for value in targets.chain(window).chain(motion) {
            hash.take(&value.to_bits().to_le_bytes());
        }
        hash.take(&u64::from(found.evaluations).to_le_bytes());
    }
    let hash = hash.value();
    assert_eq!(hash, LOCATED_BITS, "{hash:#018x}");
}
