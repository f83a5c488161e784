//! The trained models on tract: against their f32 path, and against their integers.

use std::path::PathBuf;

use derefnet::backend::cpu::Cpu;
use derefnet::eval::metric::{FrameResult, evaluate};
use derefnet::eval::network::{Inference, Network, batch, centres, read_grid};
use derefnet::model::{DeRefNet, Provenance};
use derefnet::quantize::{CalibrationData, Quantised, calibrate, compare, fold};
use derefnet::scene::Trajectory;
use derefnet_core::locate::head::ANSWER_LEN;
use derefnet_core::physics::{FRAME_LEN, MAP_LEN, WINDOW};
use derefnet_core::weights::Model;
use derefnet_tests::tolerance::{EXPORTED_WINDOW, QUANTISED_MAP};
use derefnet_tests::tract::{BATCH, Tract};

use crate::windows::{maps, trajectories, worst};

/// A trained model of the repository.
pub fn trained(name: &str) -> (DeRefNet, Provenance) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../host-train/models");
    DeRefNet::load(&folder.join(format!("{name}.safetensors"))).unwrap()
}

/// The same with no threshold below zero, where rounding decides on cells of the map.
pub fn steady(name: &str) -> (DeRefNet, Provenance) {
    let (mut network, provenance) = trained(name);
    for tensor in &mut network.parameters.tensors {
        if tensor.name.ends_with("soft_thr") {
            tensor.values.iter_mut().for_each(|v| *v = v.max(0.0));
        }
    }
    (network, provenance)
}

/// `name` on tract.
fn on_tract(name: &str) -> (DeRefNet, Tract) {
    let (network, provenance) = steady(name);
    let tract = Tract::network(&network.onnx(&provenance).unwrap(), Some(BATCH));
    (network, tract)
}

/// Compares maps of all windows; returns how many.
fn check_maps(name: &str, tract: &[Vec<f32>], ours: &[Vec<f32>]) -> usize {
    let (error, windows) = worst(&tract.concat(), &ours.concat(), MAP_LEN);
    println!("{name}: {windows} windows, relative L2 at most {error:.2e}");
    assert!(error <= EXPORTED_WINDOW, "{name}: {error:.2e}");
    windows
}

fn check_model(name: &str, count: u64) {
    let (network, tract) = on_tract(name);
    let (cpu, scenes) = (Cpu::new(), trajectories(count, 2.0));
    let ours = maps(&Inference::new(&network, &cpu), &scenes);
    let windows = check_maps(name, &maps(&tract, &scenes), &ours);
    assert_eq!(windows as u64, 16 * count);
}

/// What `steady` is for: with negative thresholds our own f32 path moves as far by a millionth of the
/// counts, and yet the metric stays.
#[test]
fn negative_thresholds_amplify_rounding() {
    let (mut network, provenance) = trained("edge");
    assert!(network.jumps().is_empty());
    for tensor in &mut network.parameters.tensors {
        if tensor.name.ends_with("soft_thr") {
            tensor.values.iter_mut().for_each(|v| *v = -*v);
        }
    }
    assert_eq!(network.jumps(), [0, 1, 2]);
    let (cpu, scenes) = (Cpu::new(), trajectories(4, 2.0));
    let inference = Inference::new(&network, &cpu);
    let ours = maps(&inference, &scenes);
    let moved = scenes.iter().map(|scene| {
        let mut frames = batch([scene]);
        frames.counts.iter_mut().for_each(|c| *c *= 1.000_001);
        inference.maps(&frames)
    });
    let moved: Vec<Vec<f32>> = moved.collect();
    let tract = Tract::network(&network.onnx(&provenance).unwrap(), Some(BATCH));
    let exported = maps(&tract, &scenes);
    let [theirs, own] = [&exported, &moved].map(|m| worst(&m.concat(), &ours.concat(), MAP_LEN).0);
    let [before, after] = [&ours, &exported].map(|maps| accuracy(maps, &scenes));
    println!("edge: tract {theirs:.2e}, a millionth {own:.2e}; CSO-mAP {before:.2}, {after:.2} %");
    assert!(own > EXPORTED_WINDOW, "{own:.2e}");
    assert!(theirs < 10.0 * own, "{theirs:.2e}, {own:.2e}");
}

#[test]
fn paper() {
    check_model("paper", 4);
}

/// CSO-mAP of maps read on the grid, per cent.
pub fn accuracy(maps: &[Vec<f32>], scenes: &[Trajectory]) -> f64 {
    let mut frames = Vec::new();
    for (maps, scene) in maps.iter().zip(scenes) {
        for (map, truth) in maps.chunks_exact(MAP_LEN).zip(centres(scene)) {
            frames.push(FrameResult {
                detections: read_grid(map).unwrap(),
                truth: truth.clone(),
            });
        }
    }
    evaluate(&frames).unwrap().cso_map
}

/// 60 trajectories, 960 windows: tract, f32 and the shipped integers.
#[test]
fn edge_and_its_integers() {
    let (network, tract) = on_tract("edge");
    let (cpu, scenes) = (Cpu::new(), trajectories(60, 0.0));
    let exported = maps(&tract, &scenes);
    let inference = Inference::new(&network, &cpu);
    check_maps("edge", &exported, &maps(&inference, &scenes));
    let model = Model::load(include_bytes!("../../../core/models/edge.dref")).unwrap();
    let integers = maps(&Quantised::new(model), &scenes);
    let [float, integer] = [&exported, &integers].map(|maps| accuracy(maps, &scenes));
    println!("CSO-mAP: {float:.2} % on tract, {integer:.2} % in integers");
    assert!(float > 45.0, "{float}");
    assert!(
        (float - integer).abs() <= QUANTISED_MAP,
        "{float}, {integer}"
    );
    let scene = batch(&scenes[..1]);
    let [got, want] = [&tract as &dyn Network, &inference].map(|n| n.answers(&scene).unwrap());
    let (error, windows) = worst(&got, &want, ANSWER_LEN);
    println!("offset head: {windows} windows, relative L2 at most {error:.2e}");
    assert!(error <= EXPORTED_WINDOW, "{error:.2e}");
}

fn rms(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, n), v| (sum + v * v, n + 1));
    (sum / f64::from(count)).sqrt()
}

/// The integers' maps are as far from tract's as the quantiser says of the f32 path, give or take
/// what tract strays.
#[test]
fn integers_are_as_far_off_as_the_quantiser_says() {
    let (network, tract) = on_tract("edge");
    let (cpu, provenance) = (Cpu::new(), Provenance::default());
    let data = CalibrationData {
        seed: 3,
        trajectories: 4,
        noise: [0.0, 5.0],
    };
    let ranges = calibrate(&network, &cpu, &data, |_| Ok(())).unwrap();
    let folded = fold(&network, &ranges, &provenance, &data).unwrap();
    let file = folded.file(None).unwrap();
    let quantised = Quantised::new(Model::load(&file).unwrap());
    let scenes = trajectories(2, 2.0);
    let frames = batch(&scenes);
    let trajectory = frames.length * FRAME_LEN;
    let all = frames.counts.chunks_exact(trajectory);
    let windows: Vec<f32> = all
        .flat_map(|one| one.windows(WINDOW * FRAME_LEN).step_by(FRAME_LEN).flatten())
        .copied()
        .collect();
    let errors = compare(&network, &cpu, (&quantised, &folded.steps), &windows).unwrap();
    let said = errors.iter().find(|error| error.tensor == "Map").unwrap();
    let unit = f64::from(network.config.intensity_scale);
    let [got, want] = [&quantised as &dyn Network, &tract].map(|n| n.maps(&frames).unwrap());
    let error = rms(got.iter().zip(&want).map(|(g, w)| f64::from(g - w))) / unit;
    let bound = said.error_rms + EXPORTED_WINDOW * said.signal_rms;
    println!("map of the integers: rms {error:.3e} from tract, {bound:.3e} allowed");
    assert!(error > 0.0 && error <= bound, "{error:.3e}, {bound:.3e}");
}
