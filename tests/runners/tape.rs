//! The tape: gradients add up, appear only where asked for, and buffers come back.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use derefnet::autograd::Tape;
use derefnet::backend::Backend;
use derefnet::backend::cpu::Cpu;
use derefnet::model::TimeConvention;
use derefnet::ops::{Add, Mul, SquaredError, WeightedSum};
use derefnet::train::LossVariant;
use derefnet_tests::cases::training_step::Problem;

const LEN: usize = 3;
const X: [f32; LEN] = [1.0, -2.0, 0.5];
const Y: [f32; LEN] = [3.0, 4.0, -8.0];

/// `Σ v²`.
fn squares() -> SquaredError {
    SquaredError {
        len: LEN,
        scale: 1.0,
    }
}

#[test]
fn a_value_used_twice_by_one_operator_accumulates() {
    let cpu = Cpu::new();
    let x = cpu.upload(&X);
    let mut tape = Tape::new(&cpu);
    let leaf = tape.leaf(&x, true);
    let product = tape.apply(Mul { len: LEN }, &[leaf, leaf]);
    let loss = tape.apply(squares(), &[product]);
    let mut grads = tape.backward(loss, &[]);
    // d(Σ x⁴) = 4x³; all values are powers of two, so that every step is exact.
    assert_eq!(*grads.take(leaf).unwrap(), X.map(|x| 4.0 * x * x * x));
}

#[test]
fn a_value_used_by_several_operators_accumulates() {
    let cpu = Cpu::new();
    let (x, y) = (cpu.upload(&X), cpu.upload(&Y));
    let mut tape = Tape::new(&cpu);
    let (x, y) = (tape.leaf(&x, true), tape.leaf(&y, true));
    let product = tape.apply(Mul { len: LEN }, &[x, y]);
    let sum = tape.apply(Add { len: LEN }, &[product, x]);
    let first = tape.apply(squares(), &[sum]);
    let second = tape.apply(squares(), &[x]);
    let third = tape.apply(squares(), &[product]);
    let weights = vec![1.0, 0.5, 0.25];
    let loss = tape.apply(WeightedSum { weights }, &[first, second, third]);
    let mut grads = tape.backward(loss, &[product]);
    // (xy + x)² + x²/2 + (xy)²/4
    let pairs = || X.into_iter().zip(Y);
    let dx = pairs().map(|(x, y)| 2.0 * x * (y + 1.0) * (y + 1.0) + x + x * y * y / 2.0);
    let dy = pairs().map(|(x, y)| 2.0 * x * x * (y + 1.0) + x * x * y / 2.0);
    let dproduct = pairs().map(|(x, y)| 2.0 * (x * y + x) + x * y / 2.0);
    assert_eq!(*grads.take(x).unwrap(), dx.collect::<Vec<f32>>()[..]);
    assert_eq!(*grads.take(y).unwrap(), dy.collect::<Vec<f32>>()[..]);
    assert_eq!(
        *grads.take(product).unwrap(),
        dproduct.collect::<Vec<f32>>()[..]
    );
    assert!(grads.take(x).is_none(), "taken once");
}

#[test]
fn only_wanted_and_reached_leaves_have_gradients() {
    let cpu = Cpu::new();
    let (x, y) = (cpu.upload(&X), cpu.upload(&Y));
    let mut tape = Tape::new(&cpu);
    let (trained, frozen, unused) = (
        tape.leaf(&x, true),
        tape.leaf(&y, false),
        tape.leaf(&y, true),
    );
    let constant = tape.constant(&Y);
    let a = tape.apply(Mul { len: LEN }, &[trained, frozen]);
    let b = tape.apply(Mul { len: LEN }, &[a, constant]);
    // Nothing before this one needs a gradient.
    let aside = tape.apply(Mul { len: LEN }, &[frozen, constant]);
    let sum = tape.apply(Add { len: LEN }, &[b, aside]);
    let loss = tape.apply(squares(), &[sum]);
    let mut grads = tape.backward(loss, &[]);
    let gradient = X
        .into_iter()
        .zip(Y)
        .map(|(x, y)| 2.0 * (x * y * y + y * y) * y * y);
    assert_eq!(
        *grads.take(trained).unwrap(),
        gradient.collect::<Vec<f32>>()[..]
    );
    for var in [frozen, unused, constant, aside, a, loss] {
        assert!(grads.take(var).is_none());
    }
    drop(tape);
    assert_eq!((&*x, &*y), (&X[..], &Y[..]), "leaves keep their values");
}

#[test]
fn a_second_identical_step_allocates_nothing() {
    let problem = Problem {
        channels: 4,
        trajectories: 1,
        length: 6,
        time: TimeConvention::Window,
        variant: LossVariant::Paper,
        seed: 12,
    };
    let cpu = Cpu::new();
    let first = problem.run(&cpu);
    let after_first = cpu.allocated();
    assert!(after_first > 0);
    assert!(
        problem.run(&cpu) == first,
        "recycled buffers change nothing"
    );
    assert_eq!(cpu.allocated(), after_first);
}
