//! What the grid readout can reach at best, on the project's own data.

#![allow(
    clippy::unwrap_used,
    reason = "a helper outside a test function fails the test all the same"
)]

use derefnet::dataset::Split;
use derefnet::eval::metric::{FrameResult, evaluate};
use derefnet::eval::network::{centres, read_grid};
use derefnet::scene::{SceneConfig, Target, generate, ranked_label_map};
use derefnet_tests::tolerance::{AP_SUMMATION, CEILING, IDEAL_CEILING, RANKED_CEILING};
use rayon::prelude::*;

/// The test split: 750 trajectories of 16 evaluated frames, 12,000 together.
const TRAJECTORIES: u64 = Split::Test.trajectories();

/// Exact label maps as a network's answer.
fn perfect(centerness: f64) -> Vec<FrameResult> {
    let scene = SceneConfig::default();
    let frames = (0..TRAJECTORIES).into_par_iter().flat_map_iter(|index| {
        let trajectory = generate(&scene, 1, Split::Test, index);
        let result = |truth: &Vec<Target>| FrameResult {
            detections: read_grid(&ranked_label_map(truth, centerness)).unwrap(),
            truth: truth.clone(),
        };
        centres(&trajectory).iter().map(result).collect::<Vec<_>>()
    });
    frames.collect()
}

/// Scores that rank detections by how close they lie to their nearest target.
fn rank_ideally(frame: &mut FrameResult) {
    for found in &mut frame.detections {
        let distances = frame
            .truth
            .iter()
            .map(|t| (t.x - found.x).hypot(t.y - found.y));
        found.score = -distances.fold(f64::INFINITY, f64::min);
    }
}

#[test]
fn label_maps_score_the_measured_ceilings() {
    let mut frames = perfect(0.0);
    assert_eq!(frames.len(), 12_000);
    let plain = evaluate(&frames).unwrap();
    frames.iter_mut().for_each(rank_ideally);
    let ideal = evaluate(&frames).unwrap();
    assert!(CEILING.contains(&plain.cso_map), "{plain:?}");
    assert!(IDEAL_CEILING.contains(&ideal.cso_map), "{ideal:?}");
    // Half a cell's diagonal is 0.236 px: every detection is right at 0.25 px, in either order, and
    // only targets that share a cell with a later one are missed.
    let found = 100.0 * plain.detections as f64 / plain.targets as f64;
    assert!((plain.ap25 - found).abs() < AP_SUMMATION, "{plain:?}");
    assert!((ideal.ap25 - found).abs() < AP_SUMMATION, "{ideal:?}");
}

#[test]
fn ranked_label_maps_come_near_the_ideal_ranking() {
    let ranked = evaluate(&perfect(1.0)).unwrap();
    println!("{ranked:?}");
    assert!(RANKED_CEILING.contains(&ranked.cso_map), "{ranked:?}");
}
