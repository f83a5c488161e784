//! Quantised networks against the float networks that they come from, and the shipped model files.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use derefnet::backend::cpu::Cpu;
use derefnet::dataset::Split;
use derefnet::eval::network::{Network, batch};
use derefnet::model::{
    DeRefNet, HeadConfig, ModelConfig, Operators, Provenance, TimeConvention, initialise,
};
use derefnet::quantize::{CalibrationData, Folded, Quantised, calibrate, compare, fold};
use derefnet::scene::{SceneConfig, Trajectory, generate};
use derefnet_core::arch::Kernels;
use derefnet_core::physics::{FRAME_LEN, MAP_LEN, WINDOW};
use derefnet_core::stream::{MapMemory, Memory, Readout, Stream, StreamConfig};
use derefnet_core::weights::Model;
use derefnet_tests::cases::Draw;

const DATA: CalibrationData = CalibrationData {
    seed: 3,
    trajectories: 4,
    noise: [0.0, 5.0],
};
/// What keeps noise above zero in the readings of a stream.
const PEDESTAL: u16 = 100;

/// A network of random weights in which no part is trivial: offsets around 0.4 cells, thresholds of two
/// counts, biases everywhere, stages that keep the maps' size.
fn network(stages: usize, blocks: usize, seed: u64) -> DeRefNet {
    let config = ModelConfig {
        stages,
        channels: 8,
        residual_blocks: blocks,
        time: TimeConvention::Window,
        intensity_scale: 100.0,
        head: Some(HeadConfig {
            channels: 8,
            blocks,
        }),
    };
    let mut parameters = initialise(&config, seed);
    for (k, tensor) in parameters.tensors.iter_mut().enumerate() {
        let name = tensor.name.as_str();
        if name.contains("_forward") || name.contains("_backward") {
            tensor.values.iter_mut().for_each(|v| *v *= 2.0);
        }
        if tensor.values.iter().all(|&v| v == 0.0) {
            let mut draw = Draw::new(seed, 1000 + k as u64);
            tensor.values = draw.normal(tensor.values.len(), 0.05);
        }
        match tensor.name.as_str() {
            name if name.ends_with("soft_thr") => tensor.values.fill(0.15),
            name if name.ends_with("conv_offset.weight") => {
                tensor.values.iter_mut().for_each(|v| *v *= 0.2);
            }
            name if name.ends_with("conv_offset.bias") => {
                tensor.values.iter_mut().for_each(|v| *v += 0.4);
            }
            _ => {}
        }
    }
    let qinit = Draw::new(seed, 1).normal(MAP_LEN * FRAME_LEN, 0.05);
    DeRefNet {
        config,
        operators: Operators::new(qinit),
        parameters,
    }
}

fn folded<'p>(network: &DeRefNet, provenance: &'p Provenance) -> Folded<'p> {
    let ranges = calibrate(network, &Cpu::new(), &DATA, |_| Ok(())).unwrap();
    fold(network, &ranges, provenance, &DATA).unwrap()
}

fn trajectory(index: u64) -> Trajectory {
    let scene = SceneConfig {
        noise: [2.0; 2],
        frames: 9,
        ..SceneConfig::default()
    };
    generate(&scene, 5, Split::Test, index)
}

/// First windows of three trajectories, counts.
fn windows() -> Vec<f32> {
    let window = |index| {
        let counts = trajectory(index).frames.mapv(|c| c as f32);
        counts.into_iter().take(WINDOW * FRAME_LEN)
    };
    (0..3).flat_map(window).collect()
}

/// Least signal over error, dB, of a tensor. A scale that is wrong by a factor of two, or a missing
/// bias, leaves 6 dB or less; weights of 8 bits leave some 40, and errors add up along the network.
/// Displacements and the head's answer are mostly bias here, which has many more bits.
fn bound(tensor: &str) -> f64 {
    match tensor {
        "Back" => 60.0,
        "HeadAnswer" => 70.0,
        "Start" | "Step(0)" => 40.0,
        t if t.starts_with("Offsets") => 50.0,
        _ => 27.0,
    }
}

#[test]
fn every_tensor_follows_the_float_network() {
    for (stages, blocks) in [(1, 0), (1, 1), (2, 1)] {
        let network = network(stages, blocks, 7);
        let provenance = Provenance::default();
        let folded = folded(&network, &provenance);
        let file = folded.file(None).unwrap();
        let quantised = Quantised::new(Model::load(&file).unwrap());
        let cpu = Cpu::new();
        let errors = compare(&network, &cpu, (&quantised, &folded.steps), &windows()).unwrap();
        assert_eq!(errors.len(), 41 + 5 * (stages - 1) + 4 * blocks);
        for error in &errors {
            let name = &error.tensor;
            let ratio = error.ratio_db.unwrap();
            assert!(ratio > bound(name), "{stages}, {blocks}: {error:?}");
            assert!(error.signal_rms > 1e-4, "{stages}, {blocks}: {error:?}");
            assert_eq!(error.saturated, 0, "{stages}, {blocks}: {error:?}");
        }
    }
}

/// Readings of a sensor with a pedestal.
fn readings(trajectory: &Trajectory) -> Vec<u16> {
    let reading = |&count: &i32| u16::try_from(count + i32::from(PEDESTAL)).unwrap();
    trajectory.frames.iter().map(reading).collect()
}

#[test]
fn streams_answer_as_batches_do() {
    let network = network(2, 1, 11);
    let provenance = Provenance::default();
    let file = folded(&network, &provenance).file(None).unwrap();
    let model = Model::load(&file).unwrap();
    let trajectory = trajectory(0);
    let maps = Quantised::new(model.clone())
        .maps(&batch([&trajectory]))
        .unwrap();
    assert!(maps.iter().any(|&v| v != maps[0]));
    let config = StreamConfig {
        readout: Readout::Grid,
        pedestal: PEDESTAL,
        ..StreamConfig::of(&model)
    };
    let mut memory = MapMemory::<8>::new();
    let mut stream = Stream::new(model, config, Kernels::best(), &mut memory).unwrap();
    let mut streamed = Vec::new();
    for frame in readings(&trajectory).chunks_exact(FRAME_LEN) {
        if let Some(answer) = stream.push(frame, None).unwrap() {
            streamed.extend(answer.map.unwrap().counts());
        }
    }
    assert_eq!(streamed.len(), 5 * MAP_LEN);
    assert!(streamed == maps);
}

#[test]
fn the_head_alone_answers_as_in_the_whole_file() {
    let network = network(2, 1, 13);
    let provenance = Provenance::default();
    let whole = folded(&network, &provenance);
    let head = whole.clone().only_head().unwrap();
    let [whole_file, file] = [&whole, &head].map(|folded| folded.file(None).unwrap());
    assert!(file.len() < whole_file.len() / 2);
    let [whole, only] = [&whole_file, &file].map(|file| Quantised::new(Model::load(file).unwrap()));
    let frames = batch([&trajectory(0)]);
    let answers = only.answers(&frames).unwrap();
    assert!(answers.iter().any(|&v| v != answers[0]));
    assert!(answers == whole.answers(&frames).unwrap());
    assert!(only.maps(&frames).is_err());
    let errors = compare(&network, &Cpu::new(), (&only, &head.steps), &windows()).unwrap();
    let mut names = errors.iter().map(|error| error.tensor.as_str());
    assert!(names.len() == 4 && names.all(|name| name.starts_with("Head")));
}

#[test]
fn without_a_head_nothing_is_left_alone() {
    let mut network = network(1, 0, 13);
    network.config.head = None;
    let provenance = Provenance::default();
    assert!(folded(&network, &provenance).only_head().is_err());
}

/// A shipped file within its budget, ready for memory of `M`.
fn fits<M: Memory>(file: &[u8], budget: usize, memory: &mut M) {
    assert!(file.len() <= budget, "{} of {budget} bytes", file.len());
    for readout in [Readout::Grid, Readout::HeadFit] {
        let model = Model::load(file).unwrap();
        let accuracy = model.header.provenance.accuracy.unwrap();
        assert_eq!(accuracy.map(|a| a.noise), [0.0, 5.0]);
        for at in accuracy {
            assert!(at.float > 45.0 && at.float - at.quantised <= 0.3, "{at:?}");
        }
        let config = StreamConfig {
            readout,
            ..StreamConfig::of(&model)
        };
        Stream::new(model, config, Kernels::best(), memory).unwrap();
    }
}

#[test]
fn shipped_models_keep_their_budgets() {
    let edge = include_bytes!("../../core/models/edge.dref");
    let paper = include_bytes!("../../core/models/paper.dref");
    fits(edge, 262_144, &mut MapMemory::<16>::new());
    fits(paper, 524_288, Box::new(MapMemory::<32>::new()).as_mut());
}

#[test]
fn the_shipped_head_is_that_of_edge() {
    let files = [
        &include_bytes!("../../core/models/head.dref")[..],
        include_bytes!("../../core/models/edge.dref"),
    ];
    let [head, edge] = files.map(|file| Quantised::new(Model::load(file).unwrap()));
    assert!(head.model().map.is_none());
    assert!(files[0].len() <= 98_304, "{} bytes", files[0].len());
    let accuracy = head.model().header.provenance.accuracy.unwrap();
    assert!(
        accuracy
            .iter()
            .all(|a| a.float > 80.0 && a.float - a.quantised <= 0.3)
    );
    let frames = batch([&trajectory(0)]);
    assert!(head.answers(&frames).unwrap() == edge.answers(&frames).unwrap());
}
