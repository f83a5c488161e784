//! Streaming inference: the maps of the batch, frame by frame.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use std::sync::LazyLock;

use derefnet::backend::cpu::Cpu;
use derefnet::backend::cpu::arch::Isa;
use derefnet::eval::network::Inference;
use derefnet::eval::stream::Stream;
use derefnet::model::{DeRefNet, Frames, TimeConvention};
use derefnet::train::LossVariant;
use derefnet_core::physics::{FRAME_LEN, MAP_LEN, WINDOW};
use derefnet_tests::cases::training_step::Problem;
use derefnet_tests::dear_properties;
use derefnet_tests::tolerance::STREAMED_MAP;
use proptest::prelude::*;

fn problem(channels: usize, length: usize, time: TimeConvention, seed: u64) -> Problem {
    Problem {
        channels,
        trajectories: 1,
        length,
        time,
        variant: LossVariant::Paper,
        seed,
    }
}

fn windowed(channels: usize, length: usize, seed: u64) -> (DeRefNet, Frames) {
    let problem = problem(channels, length, TimeConvention::Window, seed);
    (problem.network(), problem.frames())
}

/// What a stream answers to each frame of `counts (frames, 121)`.
fn push_all(stream: &mut Stream<'_, Cpu>, counts: &[f32]) -> Vec<Option<Vec<f32>>> {
    let frames = counts.chunks_exact(FRAME_LEN);
    frames.map(|frame| stream.push(frame).unwrap()).collect()
}

/// Streamed maps against those of the batch: none before the fifth frame.
fn assert_like_batch(answers: &[Option<Vec<f32>>], maps: &[f32], what: &str) {
    let (early, late) = answers.split_at(WINDOW - 1);
    assert!(early.iter().all(Option::is_none), "{what}");
    assert_eq!(late.len() * MAP_LEN, maps.len(), "{what}");
    let largest = maps.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    assert!(largest > 0.0, "{what}: empty maps");
    for (window, (got, want)) in late.iter().zip(maps.chunks_exact(MAP_LEN)).enumerate() {
        let got = got.as_ref().unwrap();
        assert_eq!(got.len(), MAP_LEN, "{what}");
        for (got, want) in got.iter().zip(want) {
            let error = f64::from((got - want).abs());
            assert!(
                error <= STREAMED_MAP * f64::from(largest),
                "{what}, window {window}: {got}, expected {want} of {largest}"
            );
        }
    }
}

/// Networks of drawn weights; most of these are the position code's, dear to draw for every case.
static NETWORKS: LazyLock<Vec<DeRefNet>> = LazyLock::new(|| {
    let sizes = [2, 2, 2, 4].into_iter().zip(20..);
    let network = |(channels, seed)| problem(channels, 5, TimeConvention::Window, seed).network();
    sizes.map(network).collect()
});

fn check(network: &DeRefNet, frames: &Frames, isa: Isa) {
    let cpu = Cpu::with_isa(isa).unwrap();
    let inference = Inference::new(network, &cpu);
    let mut stream = Stream::new(&inference).unwrap();
    let answers = push_all(&mut stream, &frames.counts);
    let channels = network.config.channels;
    let what = format!("{channels} channels, {isa:?}");
    assert_like_batch(&answers, &inference.maps(frames), &what);
}

dear_properties! {
    fn agrees_with_the_batch(
        network in 0..NETWORKS.len(),
        isa in any::<prop::sample::Index>(),
        length in 5..8_usize,
        seed in any::<u64>(),
    ) {
        let frames = problem(2, length, TimeConvention::Window, seed).frames();
        check(&NETWORKS[network], &frames, *isa.get(&Isa::available()));
    }
}

#[test]
fn agrees_with_the_batch_at_published_width() {
    let (network, frames) = windowed(32, 7, 1);
    for isa in Isa::available() {
        check(&network, &frames, isa);
    }
}

#[test]
fn a_reset_forgets() {
    let (network, frames) = windowed(4, 6, 3);
    let cpu = Cpu::new();
    let inference = Inference::new(&network, &cpu);
    let mut stream = Stream::new(&inference).unwrap();
    let other: Vec<f32> = frames.counts.iter().map(|c| c + 50.0).collect();
    let first = push_all(&mut stream, &other);
    stream.reset();
    let second = push_all(&mut stream, &frames.counts);
    let fresh = push_all(&mut Stream::new(&inference).unwrap(), &frames.counts);
    assert_ne!(first, second);
    assert_eq!(second, fresh);
}

#[test]
fn a_frame_of_another_size_is_refused_and_not_taken() {
    let (network, frames) = windowed(4, 5, 4);
    let cpu = Cpu::new();
    let inference = Inference::new(&network, &cpu);
    let mut stream = Stream::new(&inference).unwrap();
    let (some, last) = frames.counts.split_at(4 * FRAME_LEN);
    assert!(push_all(&mut stream, some).iter().all(Option::is_none));
    for bad in [&last[1..], &[], &frames.counts[..]] {
        let message = stream.push(bad).unwrap_err().to_string();
        assert!(message.contains("expected 121"), "{message}");
    }
    assert!(stream.push(last).unwrap().is_some());
}

#[test]
fn time_within_the_trajectory_cannot_be_streamed() {
    let network = problem(4, 5, TimeConvention::Trajectory, 5).network();
    let cpu = Cpu::new();
    let inference = Inference::new(&network, &cpu);
    let error = Stream::new(&inference).err().unwrap();
    assert!(error.to_string().contains("counts within the window"));
}
