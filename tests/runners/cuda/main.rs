//! Every operator, Adam and whole training steps on the CUDA backend, against the f64 oracles and
//! the CPU backend.
//!
//! `LD_LIBRARY_PATH` names the folder of a `libcuda.so.1`: that of a GPU's driver or the emulated one
//! (`cargo xtask cuda`).
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

mod benchmark;

use std::path::Path;
use std::sync::OnceLock;

use derefnet::autograd::Tape;
use derefnet::backend::Backend;
use derefnet::backend::cpu::Cpu;
use derefnet::backend::cuda::Cuda;
use derefnet::eval::network::{Inference, Network};
use derefnet::eval::parity::parity;
use derefnet::methods::config::trainable;
use derefnet::methods::{Method, MethodConfig, MethodRun};
use derefnet::train::{Adam, AdamConfig, Event, Losses, Optimiser};
use derefnet_tests::cases::check::Expected;
use derefnet_tests::cases::method_step::{Problem as MethodPass, measure};
use derefnet_tests::cases::training_step::{Problem, all};
use derefnet_tests::cases::{self, Case};
use derefnet_tests::every_operator;
use derefnet_tests::tolerance::{DEVICE_GRADIENT, DEVICE_STEP, LOSS_VALUE, METHOD_GRADIENT};
use proptest::prelude::*;

/// Random problems per operator: an emulated device is slow.
const CASES: u32 = 12;

/// One device for all tests, so that recycled memory is dirty.
fn cuda() -> &'static Cuda {
    static DEVICE: OnceLock<Cuda> = OnceLock::new();
    DEVICE.get_or_init(|| Cuda::open().unwrap_or_else(|error| panic!("{error}")))
}

fn random() -> ProptestConfig {
    ProptestConfig {
        cases: CASES,
        // The same problems every time, so that an hour on an emulated device repeats.
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        max_shrink_iters: 32,
        ..ProptestConfig::default()
    }
}

fn check(case: &dyn Case, work: usize) -> Result<(), String> {
    Expected::new(case, work).check(case, cuda())
}

macro_rules! operators {
    ($($name:ident)*) => {$(
        mod $name {
            use super::*;

            proptest! {
                #![proptest_config(random())]

                #[test]
                fn random_problems(problem in cases::$name::problems()) {
                    check(&problem, problem.work()).map_err(TestCaseError::fail)?;
                }
            }

            #[test]
            fn named_problems() {
                for (name, problem) in cases::$name::named() {
                    if let Err(error) = check(&problem, problem.work()) {
                        panic!("{name}: {error}\n{problem:?}");
                    }
                }
            }
        }
    )*};
}

every_operator!(operators);

mod adam {
    use super::*;

    proptest! {
        #![proptest_config(random())]

        #[test]
        fn random_problems(problem in cases::adam::problems()) {
            problem.check(cuda()).map_err(TestCaseError::fail)?;
        }
    }

    #[test]
    fn named_problems() {
        for (name, problem) in cases::adam::named() {
            problem
                .check(cuda())
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[test]
    fn clips_and_follows_as_the_cpu_does() {
        let values = |seed: usize, len: usize| -> Vec<f32> {
            (0..len)
                .map(|i| ((i * 31 + seed) % 17) as f32 - 8.0)
                .collect()
        };
        let (a, b) = (values(1, 5000), values(2, 3));
        fn run<B: Backend>(backend: &B, a: &[f32], b: &[f32], limit: f32) -> Vec<Vec<f32>> {
            let (mut x, mut y) = (backend.upload(a), backend.upload(b));
            backend.clip(&mut [&mut x, &mut y], limit);
            let mut averages = [backend.upload(b)];
            backend.follow(&mut averages, &[backend.upload(&a[..3])], 0.75);
            [&x, &y, &averages[0]]
                .map(|buffer| backend.download(buffer))
                .to_vec()
        }
        for limit in [1.0, 1e6] {
            let (want, got) = (run(&Cpu::new(), &a, &b, limit), run(cuda(), &a, &b, limit));
            for (want, got) in want.iter().flatten().zip(got.iter().flatten()) {
                assert!(
                    (want - got).abs() <= 1e-6 * want.abs(),
                    "{got}, expected {want}"
                );
            }
        }
    }
}

/// Gradients, and parameters after two steps of Adam, of a whole network.
fn two_steps<B: Backend>(problem: &Problem, backend: &B) -> (Vec<f64>, Vec<Vec<f32>>) {
    let network = problem.network();
    let tensors = network.parameters.tensors.iter();
    let mut values: Vec<B::Buffer> = tensors.clone().map(|t| backend.upload(&t.values)).collect();
    let adam = Adam::new(AdamConfig::default(), tensors.map(|t| t.values.len()));
    let mut optimiser = Optimiser::new(backend, &adam);
    let mut losses = Vec::new();
    for _ in 0..2 {
        let mut tape = Tape::new(backend);
        let trained = derefnet::model::Trained::Map;
        let leaves = network.leaves(&mut tape, &values, trained);
        let graph = network.forward(&mut tape, &leaves, &problem.frames(), true);
        let labels = tape.constant(&problem.labels());
        let terms = Losses::record(
            &mut tape,
            &graph,
            labels,
            problem.trajectories,
            &problem.loss(),
        );
        losses.push(f64::from(tape.download(terms.total)[0]));
        let mut grads = tape.backward(terms.total, &[]);
        let grads: Vec<_> = leaves.iter().map(|&leaf| grads.take(leaf)).collect();
        drop(tape);
        optimiser.step(backend, &vec![1e-4; values.len()], &mut values, &grads);
    }
    (losses, values.iter().map(|v| backend.download(v)).collect())
}

fn norm(values: &[f32]) -> f64 {
    values
        .iter()
        .map(|v| f64::from(*v).powi(2))
        .sum::<f64>()
        .sqrt()
}

fn distance(got: &[f32], want: &[f32]) -> f64 {
    let differences: Vec<f32> = got.iter().zip(want).map(|(g, w)| g - w).collect();
    norm(&differences)
}

fn relative_l2(got: &[f32], want: &[f32]) -> f64 {
    distance(got, want) / norm(want).max(f64::MIN_POSITIVE)
}

/// Loss, its terms and every gradient.
#[test]
fn training_steps_are_those_of_the_cpu() {
    for problem in all(8, 1, 6) {
        let (want, got) = (problem.run(&Cpu::new()), problem.run(cuda()));
        let error = (got.terms.total / want.terms.total - 1.0).abs();
        assert!(error < LOSS_VALUE, "loss {error:e}: {problem:?}");
        let names = problem.network().parameters.tensors;
        for ((tensor, got), want) in names.iter().zip(&got.gradients).zip(&want.gradients) {
            assert_eq!(got.len(), want.len(), "{}", tensor.name);
            let error = relative_l2(got, want);
            assert!(
                error < DEVICE_GRADIENT,
                "{}: {error:e}, {problem:?}",
                tensor.name
            );
        }
    }
}

#[test]
fn steps_of_adam_lead_where_those_of_the_cpu_do() {
    let problem = all(8, 1, 5)[0];
    let start = problem.network().parameters.tensors;
    let ((want_loss, want), (got_loss, got)) = (
        two_steps(&problem, &Cpu::new()),
        two_steps(&problem, cuda()),
    );
    for (got, want) in got_loss.iter().zip(want_loss) {
        assert!(
            (got / want - 1.0).abs() < LOSS_VALUE,
            "{got}, expected {want}"
        );
    }
    for ((start, got), want) in start.iter().zip(&got).zip(&want) {
        let path = |end: &[f32]| -> Vec<f32> {
            end.iter().zip(&start.values).map(|(e, s)| e - s).collect()
        };
        let error = relative_l2(&path(got), &path(want));
        assert!(error < DEVICE_STEP, "{}: {error:e}", start.name);
    }
}

/// Loss and gradients of a pass of a network or of its adversary, beside those of the CPU.
fn check_pass(problem: &MethodPass, adversary: bool) {
    fn run<B: Backend>(
        problem: &MethodPass,
        backend: &B,
        adversary: bool,
    ) -> (f32, Vec<Option<Vec<f32>>>) {
        let values: Vec<_> = problem.values.iter().map(|v| backend.upload(v)).collect();
        let (loss, gradients) = problem.gradients(backend, &values, adversary);
        let gradients = gradients.iter().map(Option::as_ref);
        let gradients = gradients.map(|g| g.map(|g| backend.download(g)));
        (backend.download(&loss)[0], gradients.collect())
    }
    let name = format!("{} adversary {adversary}", problem.method.key);
    let (want_loss, want) = run(problem, &Cpu::new(), adversary);
    let (got_loss, got) = run(problem, cuda(), adversary);
    let error = f64::from(got_loss / want_loss - 1.0).abs();
    assert!(
        error < LOSS_VALUE,
        "{name}: {got_loss}, expected {want_loss}"
    );
    let whole = want.iter().flatten().map(|g| norm(g)).fold(0.0, f64::hypot);
    for ((spec, got), want) in problem.plan.specs.iter().zip(&got).zip(&want) {
        assert_eq!(got.is_some(), want.is_some(), "{name}: {}", spec.name);
        let (Some(got), Some(want)) = (got, want) else {
            continue;
        };
        let measure = measure(&spec.name, norm(want), whole);
        let error = distance(got, want) / measure.max(f64::MIN_POSITIVE);
        assert!(
            error < METHOD_GRADIENT,
            "{name}: {}: {error:.1e}",
            spec.name
        );
    }
}

/// Losses of two steps of a small network, of its adversary too.
fn method_losses<B: Backend>(backend: B, key: &str) -> Vec<f32> {
    let mut config = MethodConfig::published(Method::find(key).unwrap(), None).unwrap();
    (config.width, config.steps, config.scene.frames) = (0.0, 2, 5);
    (config.qinit_trajectories, config.validate_trajectories) = (60, 1);
    let (folder, source) = (tempfile::tempdir().unwrap(), config.generated());
    let mut run = MethodRun::create_on(backend, folder.path(), config, source).unwrap();
    let mut losses = Vec::new();
    let watched = |event: Event<'_>| {
        if let Event::Step(_, step) = event {
            losses.extend([step.total, step.align]);
        }
        Ok(())
    };
    run.train(None, watched).unwrap();
    losses
}

#[test]
fn passes_of_methods_are_those_of_the_cpu() {
    for method in trainable() {
        let problem = MethodPass::new(method, method.variants[0].name);
        check_pass(&problem, false);
        if problem.has_adversary() {
            check_pass(&problem, true);
        }
    }
}

/// Batch moments go from step to step through the host, maps to the adversary.
#[test]
fn methods_train_as_on_the_cpu() {
    for key in ["espcn", "srgan"] {
        let want = method_losses(Cpu::new(), key);
        let got = method_losses(Cuda::open().unwrap(), key);
        assert_eq!(want.len(), 4);
        for (got, want) in got.iter().zip(&want) {
            let error = f64::from((got - want).abs());
            assert!(
                error <= LOSS_VALUE * f64::from(want.abs()),
                "{key}: {got}, expected {want}"
            );
        }
    }
}

/// The same bits from run to run, and no memory lost on the way.
#[test]
fn steps_repeat_bit_for_bit() {
    let problem = Problem {
        seed: 5,
        ..all(8, 1, 5)[1]
    };
    let first = problem.run(cuda());
    assert!(problem.run(cuda()) == first);
    let device = Cuda::open().unwrap();
    // The first step leaves tables on the device, which the second has to do without.
    problem.run(&device);
    problem.run(&device);
    let allocated = device.allocated();
    assert!(problem.run(&device) == first);
    assert_eq!(device.allocated(), allocated);
}

/// Several threads, each with a stream of its own, share weights and memory.
#[test]
fn trajectories_in_flight_answer_as_one_by_one() {
    let problem = Problem {
        channels: 4,
        ..all(8, 1, 5)[0]
    };
    let network = problem.network();
    let inference = Inference::new(&network, cuda());
    let frames: Vec<_> = (0..6)
        .map(|seed| Problem { seed, ..problem }.frames())
        .collect();
    let alone: Vec<Vec<f32>> = frames.iter().map(|f| inference.maps(f)).collect();
    let together: Vec<Vec<f32>> = std::thread::scope(|scope| {
        let network: &dyn Network = &inference;
        let threads = frames
            .iter()
            .map(|f| scope.spawn(move || network.maps(f).unwrap()));
        let threads: Vec<_> = threads.collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(alone == together);
}

/// The authors' tensors through the whole network: half an hour of one core on an emulated device that
/// runs native code, days on one that interprets PTX.
#[test]
#[ignore = "slow on an emulated device; cargo xtask cuda runs it"]
fn golden_tensors() {
    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/derefnet_seed1_small.safetensors");
    let report = parity(cuda(), &golden, None).unwrap();
    assert!(report.pass, "{:?}", report.worst);
    assert!(!report.tensors.is_empty());
}
