//! The processor's rate of fused multiply-adds, measured: what a kernel's speed is a share of.
//!
//! Chains of `v = v · f + a` in registers alone, as many as hide the latency of one. Each starts
//! elsewhere, from values that the compiler cannot know, so that none may be left out or merged.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use super::vector::{Portable, Vector};
use super::{Isa, dispatch};

/// Length of one measurement.
const SPAN: Duration = Duration::from_millis(40);
/// Measurements, of which the fastest counts.
const REPEATS: usize = 5;
/// Multiply-adds of each chain between two looks at the clock.
const ROUNDS: usize = 1 << 16;
/// Chains without extension: more would spill the sixteen registers, of four lanes each.
const PORTABLE_CHAINS: usize = 6;
/// Chains with AVX2, of sixteen registers.
const AVX2_CHAINS: usize = 12;
/// Chains with AVX-512, of thirty-two registers.
const AVX512_CHAINS: usize = 16;

/// FLOP per second of `threads` threads that do nothing but multiply-adds (two FLOP each) on f32
/// registers of `isa`: the fastest of a few short runs, about 0.2 s in all.
///
/// Without extension a multiply-add is a product and a sum.
///
/// # Panics
/// If this processor lacks `isa`.
pub fn fma_peak(isa: Isa, threads: usize) -> f64 {
    assert!(Isa::available().contains(&isa), "processor without {isa:?}");
    let threads = threads.max(1);
    (0..REPEATS).map(|_| rate(isa, threads)).fold(0.0, f64::max)
}

/// FLOP per second of one measurement.
fn rate(isa: Isa, threads: usize) -> f64 {
    let barrier = Barrier::new(threads);
    std::thread::scope(|scope| {
        let work = || {
            barrier.wait();
            spin(isa)
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let rates = workers.into_iter().map(|worker| worker.join());
        rates.map(|rate| rate.unwrap_or(0.0)).sum()
    })
}

/// FLOP per second of this thread.
fn spin(isa: Isa) -> f64 {
    let started = Instant::now();
    let mut rounds = 0;
    loop {
        run_chains(isa);
        rounds += ROUNDS;
        let elapsed = started.elapsed();
        if elapsed >= SPAN {
            return (2 * rounds * values(isa)) as f64 / elapsed.as_secs_f64();
        }
    }
}

/// Values that one multiply-add of every chain advances.
fn values(isa: Isa) -> usize {
    match isa {
        Isa::Portable => PORTABLE_CHAINS * Portable::LANES,
        Isa::Avx2 => AVX2_CHAINS * 8,
        Isa::Avx512 => AVX512_CHAINS * 16,
    }
}

fn run_chains(isa: Isa) {
    let starts: Vec<f32> = (1..=AVX512_CHAINS).map(|k| k as f32).collect();
    let starts: &[f32] = black_box(&starts);
    // Contracts towards 1: neither overflows nor becomes subnormal.
    let (factor, addend) = (black_box(0.875), black_box(0.125));
    let sum = &mut 0.0;
    if isa == Isa::Portable {
        // SAFETY: the portable type needs no extension.
        unsafe { chains::<Portable, PORTABLE_CHAINS>(starts, factor, addend, sum) };
    } else {
        dispatch!(isa, chains [AVX512_CHAINS] [AVX2_CHAINS] (
            starts: &[f32], factor: f32, addend: f32, sum: &mut f32));
    }
    black_box(sum);
}

#[inline(always)]
unsafe fn chains<V: Vector, const N: usize>(
    starts: &[f32],
    factor: f32,
    addend: f32,
    sum: &mut f32,
) {
    // SAFETY: the caller's processor has the instructions of `V`.
    unsafe {
        let (factor, addend) = (V::splat(factor), V::splat(addend));
        let mut chain: [V; N] = std::array::from_fn(|k| V::splat(starts[k]));
        for _ in 0..ROUNDS {
            for v in &mut chain {
                *v = v.mul_add(factor, addend);
            }
        }
        *sum = chain.into_iter().map(|v| v.sum()).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gigaflop is far below, ten teraflops far above any core of this kind of machine: an
    /// optimiser that drops the chains would be found here.
    #[test]
    fn rate_is_that_of_a_processor() {
        for isa in Isa::available() {
            let peak = fma_peak(isa, 1);
            assert!((1e9..1e13).contains(&peak), "{isa:?}: {peak}");
        }
    }
}
