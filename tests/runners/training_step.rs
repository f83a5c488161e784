//! A whole training step: against the f64 network, and the same bits for any number of threads.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use derefnet::backend::cpu::Cpu;
use derefnet::backend::cpu::arch::Isa;
use derefnet_tests::cases::training_step::{Problem, Step, all};
use derefnet_tests::cases::{Draw, wide};
use derefnet_tests::oracle::network::Network;
use derefnet_tests::tolerance::{DIRECTIONAL_DERIVATIVE, LOSS_VALUE};

/// Step along a direction: crosses few kinks, and leaves ten digits of a difference of losses.
const STEP: f64 = 4e-7;
/// Least deviation of a direction, for scalars near zero.
const LEAST: f64 = 0.1;

fn cpus() -> Vec<Cpu> {
    let sets = Isa::available().into_iter();
    sets.map(|isa| Cpu::with_isa(isa).unwrap()).collect()
}

fn assert_close(name: &str, got: f64, want: f64) {
    let error = (got - want).abs();
    assert!(
        error <= LOSS_VALUE * want.abs(),
        "{name}: {got}, expected {want}"
    );
}

/// Every term of the loss, on every instruction set.
fn check_terms(problem: &Problem) {
    let net = problem.network();
    let want = Network::new(&net).loss(&problem.frames(), &problem.labels(), &problem.loss());
    for cpu in cpus() {
        let got = problem.run(&cpu).terms;
        let name = |term: &str| format!("{term} on {:?}, {problem:?}", cpu.isa());
        assert_close(&name("total"), got.total, want.total);
        assert_close(&name("align"), got.align, want.align);
        assert_close(&name("regression"), got.regression, want.regression);
        assert_eq!(got.constraint.len(), want.constraint.len());
        for (got, want) in got.constraint.iter().zip(&want.constraint) {
            assert_close(&name("constraint"), *got, *want);
        }
    }
}

/// One random direction per parameter tensor.
fn check_directions(problem: &Problem) {
    let net = problem.network();
    let steps: Vec<(Isa, Step)> = cpus()
        .iter()
        .map(|cpu| (cpu.isa(), problem.run(cpu)))
        .collect();
    let (frames, labels, loss) = (problem.frames(), problem.labels(), problem.loss());
    let mut network = Network::new(&net);
    for (k, tensor) in net.parameters.tensors.iter().enumerate() {
        let squares: f64 = tensor.values.iter().map(|&v| f64::from(v).powi(2)).sum();
        let size = (squares / tensor.values.len() as f64).sqrt().max(LEAST);
        let direction = Draw::new(problem.seed, 2000 + k as u64).normal(tensor.values.len(), size);
        let mut moved = |step: f64| {
            let values = tensor.values.iter().zip(&direction);
            let values = values
                .map(|(&v, &d)| f64::from(v) + step * f64::from(d))
                .collect();
            network.values.insert(tensor.name.clone(), values);
            network.loss(&frames, &labels, &loss).total
        };
        let want = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
        network
            .values
            .insert(tensor.name.clone(), wide(&tensor.values));
        for (isa, step) in &steps {
            let products = step.gradients[k].iter().zip(&direction);
            let products: Vec<f64> = products
                .map(|(&g, &d)| f64::from(g) * f64::from(d))
                .collect();
            let got: f64 = products.iter().sum();
            let scale = products.iter().map(|p| p * p).sum::<f64>().sqrt();
            assert_eq!(products.len(), direction.len(), "{}", tensor.name);
            assert!(scale > 0.0, "no gradient for {}", tensor.name);
            assert!(
                (got - want).abs() <= DIRECTIONAL_DERIVATIVE * scale,
                "{} on {isa:?}: {got}, expected {want}, {problem:?}",
                tensor.name
            );
        }
    }
}

fn bits(step: &Step) -> Vec<u64> {
    let terms = &step.terms;
    let scalars = [terms.total, terms.align, terms.regression].into_iter();
    let scalars = scalars
        .chain(terms.constraint.iter().copied())
        .map(f64::to_bits);
    let gradients = step
        .gradients
        .iter()
        .flatten()
        .map(|g| u64::from(g.to_bits()));
    scalars.chain(gradients).collect()
}

fn check_threads(isa: Isa) {
    for problem in all(16, 2, 7) {
        let in_pool = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| bits(&problem.run(&Cpu::with_isa(isa).unwrap())))
        };
        let one = in_pool(1);
        for threads in [2, 3, 8] {
            assert!(
                in_pool(threads) == one,
                "{threads} threads on {isa:?}, {problem:?}"
            );
        }
    }
}

#[test]
fn losses_agree_with_the_f64_network() {
    for problem in all(16, 2, 7) {
        check_terms(&problem);
    }
}

macro_rules! gradients {
    ($($name:ident: $number:literal)*) => {$(
        #[test]
        fn $name() {
            check_directions(&all(4, 1, 6)[$number]);
        }
    )*};
}

gradients!(
    gradients_window_paper: 0
    gradients_trajectory_released: 3
);

#[test]
fn bits_do_not_depend_on_threads() {
    for isa in Isa::available() {
        check_threads(isa);
    }
}
