//! Networks of drawn sizes and weights on tract, against the f32 path.

use derefnet::backend::cpu::Cpu;
use derefnet::eval::network::{Inference, Network};
use derefnet::model::{
    DeRefNet, Frames, HeadConfig, ModelConfig, Operators, Provenance, TimeConvention, initialise,
};
use derefnet_core::locate::head::ANSWER_LEN;
use derefnet_core::physics::{FRAME_LEN, MAP_LEN, WINDOW};
use derefnet_tests::cases::Draw;
use derefnet_tests::dear_properties;
use derefnet_tests::tolerance::EXPORTED_WINDOW;
use derefnet_tests::tract::Tract;
use proptest::prelude::*;
use proptest::sample::select;

use crate::windows::worst;

/// Relative L2 by which maps may move with counts that move by a millionth: features that all but
/// cancel, or large displacements, amplify rounding in every program.
const STEADY: f64 = 1e-5;

/// A network of drawn weights and what it sees.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Stages, channels, residual blocks.
    sizes: [usize; 3],
    /// Channels and residual blocks of the head.
    head: Option<[usize; 2]>,
    time: TimeConvention,
    /// Counts that are 1 inside.
    unit: f32,
    /// Deviation of the displacements' biases, cells.
    reach: f64,
    /// Deviation of the frames, counts.
    counts: f64,
    seed: u64,
}

fn problems() -> impl Strategy<Value = Problem> {
    let sizes = (select(vec![1, 2]), select(vec![2, 4]), select(vec![0, 1]));
    let head = select(vec![None, Some([1, 0]), Some([5, 2])]);
    let time = select(vec![TimeConvention::Window, TimeConvention::Trajectory]);
    let scales = (
        select(vec![1.0, 100.0, 0.3]),
        select(vec![0.0, 0.4, 3.0, 40.0, 1e6]),
        select(vec![1e-6, 1.0, 300.0, 1e6]),
    );
    (sizes, head, time, scales, any::<u64>()).prop_map(
        |((stages, channels, blocks), head, time, (unit, reach, counts), seed)| Problem {
            sizes: [stages, channels, blocks],
            head,
            time,
            unit,
            reach,
            counts,
            seed,
        },
    )
}

/// The network of most blocks, and the corners of what a network may be.
fn named() -> Vec<(&'static str, Problem)> {
    let usual = Problem {
        sizes: [2, 4, 1],
        head: Some([4, 1]),
        time: TimeConvention::Window,
        unit: 100.0,
        reach: 0.4,
        counts: 100.0,
        seed: 1,
    };
    let smallest = Problem {
        sizes: [1, 2, 0],
        head: None,
        ..usual
    };
    let outside = Problem {
        reach: 1e6,
        ..usual
    };
    let dark = Problem {
        counts: 0.0,
        ..usual
    };
    // Shrunk from when displacements of a thousand cells followed the frames.
    let bright = Problem {
        sizes: [1, 2, 0],
        head: None,
        unit: 0.3,
        reach: 0.0,
        counts: 300.0,
        seed: 104_070_523,
        ..usual
    };
    vec![
        ("usual", usual),
        ("bright", bright),
        ("smallest", smallest),
        ("every sample outside", outside),
        ("dark", dark),
    ]
}

impl Problem {
    fn config(&self) -> ModelConfig {
        let [stages, channels, residual_blocks] = self.sizes;
        let head = self.head;
        ModelConfig {
            stages,
            channels,
            residual_blocks,
            time: self.time,
            intensity_scale: self.unit,
            head: head.map(|[channels, blocks]| HeadConfig { channels, blocks }),
        }
    }

    /// Weights in which no part is trivial: biases everywhere, displacements that follow the
    /// features, stages that keep the maps' size.
    pub fn network(&self) -> DeRefNet {
        let config = self.config();
        let mut parameters = initialise(&config, self.seed);
        for (k, tensor) in parameters.tensors.iter_mut().enumerate() {
            let mut draw = Draw::new(self.seed, 1000 + k as u64);
            let len = tensor.values.len();
            let name = tensor.name.as_str();
            if name.contains("_forward") || name.contains("_backward") {
                tensor.values.iter_mut().for_each(|v| *v *= 2.0);
            } else if name.ends_with("conv_offset.weight") {
                // Large displacements have few digits left for where in a cell they lead.
                let size = (self.counts / f64::from(self.unit)).max(1.0);
                tensor.values = draw.normal(len, 0.05 / size);
            } else if name.ends_with("conv_offset.bias") {
                tensor.values = draw.normal(len, self.reach);
            } else if tensor.values.iter().all(|&v| v == 0.0) {
                tensor.values = draw.normal(len, 0.05);
            }
        }
        DeRefNet {
            config,
            operators: Operators::new(Draw::new(self.seed, 1).normal(MAP_LEN * FRAME_LEN, 0.05)),
            parameters,
        }
    }

    fn window(&self) -> Vec<f32> {
        Draw::new(self.seed, 2).normal(WINDOW * FRAME_LEN, self.counts)
    }

    /// Relative L2 of the worst map or answer; `None` if the network is no measure of rounding: if its
    /// f32 path moves by more than [`STEADY`] where every count moves by a millionth.
    fn worst(&self) -> Option<f64> {
        let network = self.network();
        let (cpu, window) = (Cpu::new(), self.window());
        let ours = Inference::new(&network, &cpu);
        let frames = |counts: Vec<f32>| Frames {
            counts,
            length: WINDOW,
        };
        let maps = ours.maps(&frames(window.clone()));
        let sides = [0.999_999, 1.000_001].into_iter().cycle();
        let moved = window.iter().zip(sides).map(|(count, side)| count * side);
        let moved = ours.maps(&frames(moved.collect()));
        if worst(&moved, &maps, MAP_LEN).0 > STEADY {
            return None;
        }
        let file = network.onnx(&Provenance::default()).unwrap();
        let theirs = Tract::network(&file, Some(1)).run(std::slice::from_ref(&window));
        let (mut error, count) = worst(&theirs[0], &maps, MAP_LEN);
        assert_eq!(count, 1);
        assert_eq!(theirs.len(), 1 + usize::from(self.head.is_some()));
        if let Ok(answers) = Network::answers(&ours, &frames(window)) {
            error = error.max(worst(&theirs[1], &answers, ANSWER_LEN).0);
        }
        Some(error)
    }
}

dear_properties! {
    fn random_networks(problem in problems()) {
        let error = problem.worst();
        prop_assume!(error.is_some());
        let error = error.unwrap();
        prop_assert!(error <= EXPORTED_WINDOW, "relative L2 {error:.2e}");
    }
}

#[test]
fn named_networks() {
    for (name, problem) in named() {
        let error = problem.worst().unwrap();
        println!("{name}: relative L2 at most {error:.2e}");
        assert!(error <= EXPORTED_WINDOW, "{name}: {error:.2e}\n{problem:?}");
    }
}
