//! What the grid readout can reach at best, on the project's own data.

use derefnet::dataset::Split;
use derefnet::eval::metric::{FrameResult, evaluate};
use derefnet::eval::network::read_grid;
use derefnet::scene::{SceneConfig, generate, label_map};
use derefnet_tests::tolerance::{CEILING, IDEAL_CEILING, PERFECT};
use rayon::prelude::*;

/// Trajectories of 20 frames: 12,000 frames, as many as the measured figures rest on.
const TRAJECTORIES: u64 = 600;

/// Exact label maps as a network's answer.
fn perfect() -> Vec<FrameResult> {
    let scene = SceneConfig::default();
    let frames = (0..TRAJECTORIES).into_par_iter().flat_map_iter(|index| {
        generate(&scene, 1, Split::Test, index)
            .truth
            .into_iter()
            .map(|truth| FrameResult {
                detections: read_grid(&label_map(&truth)).unwrap(),
                truth,
            })
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
    let mut frames = perfect();
    assert_eq!(frames.len(), 12_000);
    let plain = evaluate(&frames).unwrap();
    frames.iter_mut().for_each(rank_ideally);
    let ideal = evaluate(&frames).unwrap();
    println!("by intensity {plain:?}\nideal {ideal:?}");
    assert!(CEILING.contains(&plain.cso_map), "{plain:?}");
    assert!(IDEAL_CEILING.contains(&ideal.cso_map), "{ideal:?}");
    // Half a cell's diagonal is 0.236 px: within 0.25 px the label map is perfect in both orders.
    assert!(
        plain.ap25 > PERFECT && ideal.ap25 > PERFECT,
        "{plain:?} {ideal:?}"
    );
}
