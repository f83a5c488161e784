//! Losses of methods against loops over frames and cells.

use derefnet::autograd::Tape;
use derefnet::backend::Backend;
use derefnet::backend::cpu::Cpu;
use derefnet::dataset::Split;
use derefnet::eval::network::batch;
use derefnet::methods::job::Job;
use derefnet::methods::loss::Summation;
use derefnet::methods::net::{Form, Input};
use derefnet::methods::sensor::Sensor;
use derefnet::methods::tensors::initialise;
use derefnet::methods::{Method, leaves, plan};
use derefnet::ops::{MaskLoss, Overlap};
use derefnet::scene::{SceneConfig, generate};
use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, MAP_LEN};
use derefnet_tests::cases::wide;
use derefnet_tests::oracle::mask_loss;
use derefnet_tests::tolerance::LOSS_VALUE;

/// Frames of a trajectory, and trajectories of the batch.
const LENGTH: usize = 6;
const TRAJECTORIES: u64 = 2;

/// Loss, terms and maps of a method on a batch.
struct Found {
    total: f64,
    data: Vec<f64>,
    terms: Vec<f64>,
    maps: Vec<f32>,
    labels: Vec<f32>,
}

fn find(key: &str, variant: &str, summation: Summation) -> Found {
    let scene = SceneConfig {
        frames: LENGTH as u32,
        ..SceneConfig::default()
    };
    let made = (0..TRAJECTORIES).map(|i| generate(&scene, 1, Split::Train, i));
    let trajectories: Vec<_> = made.collect();
    let method = Method::find(key).unwrap();
    let network = method.network().unwrap();
    let labels = network
        .answers()
        .wanted(trajectories.iter().flat_map(|t| &t.truth));
    let plan = plan(method, Some(variant), 0.0).unwrap();
    let sensor = Sensor::new(
        (0..MAP_LEN * FRAME_LEN)
            .map(|k| (k % 7) as f32 * 1e-3)
            .collect(),
    );
    let cpu = Cpu::new();
    let tensors = initialise(&plan.specs, &sensor, 1);
    let values: Vec<_> = tensors.iter().map(|t| cpu.upload(&t.values)).collect();
    let frames = batch(&trajectories);
    let job = Job {
        network,
        form: Form {
            variant: method.variant(Some(variant)).unwrap(),
            width: 0.0,
            training: true,
        },
        input: Input {
            counts: &frames.counts,
            length: LENGTH,
            sensor: &sensor,
        },
        labels: &labels,
        summation,
    };
    let mut tape = Tape::new(&cpu);
    let leaves = leaves(&mut tape, &plan, &values, 0..0);
    let recorded = job.record(&mut tape, &leaves);
    let scalar = |var| f64::from(tape.value(var)[0]);
    Found {
        total: scalar(recorded.total),
        data: recorded.data.iter().map(|&v| scalar(v)).collect(),
        terms: recorded.terms.iter().map(|&v| scalar(v)).collect(),
        maps: tape.download(recorded.map.unwrap().var),
        labels,
    }
}

/// Mean of squares between map `a` and label map `b`.
fn between(found: &Found, a: usize, b: usize) -> f64 {
    let map = &found.maps[a * MAP_LEN..(a + 1) * MAP_LEN];
    let label = &found.labels[b * MAP_LEN..(b + 1) * MAP_LEN];
    let squares = map.iter().zip(label).map(|(m, l)| f64::from(m - l).powi(2));
    squares.sum::<f64>() / MAP_LEN as f64
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let all: Vec<f64> = values.collect();
    all.iter().sum::<f64>() / all.len() as f64
}

fn close(got: f64, want: f64) {
    assert!(
        (got / want - 1.0).abs() < LOSS_VALUE,
        "{got}, expected {want}"
    );
}

/// All frames of both trajectories, as numbers in the batch.
fn frames() -> impl Iterator<Item = usize> + Clone {
    0..LENGTH * TRAJECTORIES as usize
}

#[test]
fn learned_iterations_see_all_pairs_of_a_trajectory() {
    let found = find("lista", "as-run", Summation::Effective);
    let pairs = frames().flat_map(|a| {
        let first = a / LENGTH * LENGTH;
        (first..first + LENGTH).map(move |b| (a, b))
    });
    close(found.total, mean(pairs.map(|(a, b)| between(&found, a, b))));
    let found = find("lista", "per-frame", Summation::Effective);
    close(found.total, mean(frames().map(|a| between(&found, a, a))));
}

/// Frames 3 to 4 of six.
#[test]
fn others_see_the_scored_frames() {
    let found = find("espcn", "as-published", Summation::Effective);
    let scored = frames().filter(|frame| (2..LENGTH - 2).contains(&(frame % LENGTH)));
    close(
        found.total,
        mean(scored.clone().map(|a| between(&found, a, a))),
    );
    // Of its four maps per frame GMFN scores each, the last one first.
    let found = find("gmfn", "as-published", Summation::Effective);
    assert_eq!(found.data.len(), 4);
    close(
        found.data[0],
        mean(scored.clone().map(|a| between(&found, a, a))),
    );
    close(found.total, found.data.iter().sum::<f64>() / 4.0);
    // TDAN answers for them alone, and sums over the windows of a trajectory.
    let found = find("tdan", "own-frame", Summation::Written);
    let places = scored.enumerate();
    let sum: f64 = places.map(|(map, frame)| between(&found, map, frame)).sum();
    close(found.data[0], sum / TRAJECTORIES as f64);
    close(found.total, found.data[0] + 0.01 * found.terms[0]);
}

/// Parts that a sum by name counts twice, with and without their weights.
#[test]
fn sums_are_those_of_the_authors() {
    let weighed = |key: &str, variant: &str, summation, data: &[f64], term: f64| {
        let found = find(key, variant, summation);
        let own: f64 = found.data.iter().zip(data).map(|(d, w)| d * w).sum();
        close(found.total, own + term * found.terms.iter().sum::<f64>());
    };
    let (effective, written) = (Summation::Effective, Summation::Written);
    weighed("srcnn", "as-published", effective, &[2.0], 0.0);
    weighed("srcnn", "as-published", written, &[1.0], 0.0);
    weighed("ista-net", "nine-stages", effective, &[2.0], 1.01);
    weighed("ista-net", "nine-stages", written, &[1.0], 0.01);
    weighed("ista-net-plus", "as-published", effective, &[2.0], 1.01);
    weighed("rpca-net", "as-run", effective, &[1.8], 0.99);
    weighed("rpca-net", "as-run", written, &[0.9], 0.09);
    weighed("srgan", "without-vgg", written, &[0.01], 0.005);
}

/// Every frame counts, and every head alike: DNANet's four at the frame's own pixels, MSHNet's fused answer
/// there and its four scales at theirs.
#[test]
fn detectors_see_the_masks_of_all_frames() {
    for (key, variant, overlap, heads) in [
        ("dna-net", "as-published", Overlap::Soft, 4),
        ("msh-net", "no-warm-up", Overlap::Sensitive, 5),
    ] {
        let found = find(key, variant, Summation::Effective);
        let n = frames().count();
        assert_eq!(found.maps.len(), n * FRAME_LEN);
        assert_eq!(found.labels.len(), n * FRAME_LEN);
        let (h, w) = (FRAME_SIDE, FRAME_SIDE);
        let inputs = [wide(&found.maps), wide(&found.labels)];
        close(
            found.data[0],
            mask_loss::forward(&MaskLoss { n, h, w, overlap }, &inputs)[0],
        );
        assert_eq!(found.data.len(), heads);
        close(found.total, mean(found.data.iter().copied()));
    }
}
