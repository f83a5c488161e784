//! Streams of readings: what they may not depend on.

use std::sync::LazyLock;

use derefnet_core::arch::Kernels;
use derefnet_core::locate::Target;
use derefnet_core::net::Tensor;
use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, WINDOW};
use derefnet_core::stream::{HeadMemory, Readout, Stream, StreamConfig, slice};
use derefnet_core::weights::Model;
use derefnet_tests::models::{Numbers, Sizes, random_model};
use derefnet_tests::oracle::integer::Integer;
use derefnet_tests::properties;
use proptest::prelude::*;

const LEN: usize = WINDOW * FRAME_LEN;

/// A small head of random weights.
static HEAD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let (map, head) = (None, Some([8, 0]));
    random_model(21, Sizes { map, head })
});

/// Readings of a window: a blob over a pedestal, in some noise.
#[derive(Clone, Debug)]
struct Window {
    readings: Vec<u16>,
    dead: Vec<bool>,
    seed: u64,
}

fn windows() -> impl Strategy<Value = Window> {
    (any::<u64>(), 0.0..0.1, 2.0..8.0, 2.0..8.0).prop_map(
        |(seed, share, x, y): (_, _, f64, f64)| {
            let mut numbers = Numbers(seed);
            let pixel = |k: usize| {
                let (r, c) = (k % FRAME_LEN / FRAME_SIDE, k % FRAME_SIDE);
                let square = (r as f64 - x).powi(2) + (c as f64 - y).powi(2);
                1000 + (400.0 * (-square).exp()) as u16
            };
            let noise: Vec<u16> = (0..LEN).map(|_| numbers.within(0, 12) as u16).collect();
            Window {
                readings: (0..LEN).map(|k| pixel(k) + noise[k]).collect(),
                dead: (0..LEN).map(|_| numbers.share() < share).collect(),
                seed,
            }
        },
    )
}

/// Mostly the head alone: fits of windows with dead pixels take a hundred times as long.
fn readouts() -> impl Strategy<Value = Readout> {
    prop_oneof![
        6 => Just(Readout::Head),
        1 => Just(Readout::HeadFit),
        1 => Just(Readout::Fit),
    ]
}

/// Targets, bit for bit, and how many counts were saturated.
type Said = (Vec<[u64; 5]>, u32);

fn answer(readings: &[u16], dead: Option<&[bool]>, readout: Readout, pedestal: u16) -> Said {
    say(readings, dead, |config| {
        (config.readout, config.pedestal) = (readout, pedestal);
    })
}

/// The answer of a sensor whose pixels hold less than `full`.
fn answer_below(full: u16, readings: &[u16], readout: Readout) -> Said {
    say(readings, None, |config| {
        (config.readout, config.pedestal) = (readout, 1000);
        config.saturation = Some(full);
    })
}

fn say(readings: &[u16], dead: Option<&[bool]>, set: impl Fn(&mut StreamConfig)) -> Said {
    let model = Model::load(&HEAD).unwrap();
    let mut config = StreamConfig::of(&model);
    set(&mut config);
    let mut memory = HeadMemory::<8>::new();
    let mut stream = Stream::new(model, config, Kernels::best(), &mut memory).unwrap();
    let answer = stream.window(readings, dead).unwrap();
    let bits = |t: &Target| [t.x, t.y, t.intensity, t.sigma_x, t.score].map(f64::to_bits);
    (answer.targets.iter().map(bits).collect(), answer.saturated)
}

properties! {
    fn dead_pixels_say_nothing(window in windows(), readout in readouts()) {
        let mut numbers = Numbers(!window.seed);
        let mut other = window.readings.clone();
        for (reading, _) in other.iter_mut().zip(&window.dead).filter(|(_, dead)| **dead) {
            *reading = numbers.bits() as u16;
        }
        let dead = Some(&window.dead[..]);
        let plain = answer(&window.readings, dead, readout, 1000);
        prop_assert_eq!(answer(&other, dead, readout, 1000), plain);
    }

    /// Counts are readings above the pedestal: both may move together.
    fn pedestals_are_subtracted(window in windows(), readout in readouts(), more in 0..60_000_u16) {
        let raised: Vec<u16> = window.readings.iter().map(|r| r + more).collect();
        let dead = Some(&window.dead[..]);
        let plain = answer(&window.readings, dead, readout, 1000);
        prop_assert_eq!(answer(&raised, dead, readout, 1000 + more), plain);
    }

    /// Pixels at the end of the container are believed as little as dead ones.
    fn full_pixels_count_as_dead(window in windows(), readout in readouts(), full in 1100..1400_u16) {
        let dead: Vec<bool> = window.readings.iter().map(|&reading| reading >= full).collect();
        let plain = answer(&window.readings, Some(&dead), readout, 1000);
        prop_assert_eq!(answer_below(full, &window.readings, readout), plain);
    }

    /// No pixel dead is no mask.
    fn a_mask_of_nothing_is_none(window in windows(), readout in readouts()) {
        let plain = answer(&window.readings, None, readout, 1000);
        prop_assert_eq!(answer(&window.readings, Some(&[false; LEN]), readout, 1000), plain);
    }

    fn heads_answer_as_the_oracle(model in any::<u64>(), window in windows(), loud in any::<bool>()) {
        let file = random_model(model, Sizes { map: None, head: Some([8, 0]) });
        let model = Model::load(&file).unwrap();
        let mut numbers = Numbers(window.seed);
        let readings: Vec<u16> = match loud {
            true => (0..LEN).map(|_| numbers.bits() as u16).collect(),
            false => window.readings.clone(),
        };
        let count = |&reading: &u16| {
            let count = (i64::from(reading) - 1000) << model.header.input_bits;
            count.clamp(i16::MIN.into(), i16::MAX.into()) as i16
        };
        let frames = readings.chunks_exact(FRAME_LEN);
        let frames: Vec<Vec<i16>> = frames.map(|frame| frame.iter().map(count).collect()).collect();
        let mut oracle = Integer::new();
        oracle.answer(model.head.as_ref().unwrap(), &frames);
        for kernels in Kernels::available() {
            let config = StreamConfig {
                readout: Readout::Head,
                pedestal: 1000,
                ..StreamConfig::of(&model)
            };
            let mut memory = HeadMemory::<8>::new();
            let mut stream = Stream::new(model.clone(), config, kernels, &mut memory).unwrap();
            let mut seen = Vec::new();
            let mut probe = Answers(&mut seen);
            for frame in readings.chunks_exact(FRAME_LEN) {
                stream.push_seen(frame, None, &mut probe).unwrap();
            }
            prop_assert!(seen == oracle.seen[&Tensor::HeadAnswer], "{}", kernels.name());
        }
    }

    /// A slice lies inside the frame, holds its centre, and is about it where there is room.
    fn slices_are_cut_where_they_say(
        rows in 11..40_usize, columns in 11..40_usize, at in any::<[prop::sample::Index; 2]>(),
    ) {
        let frame: Vec<u16> = (0..rows * columns).map(|k| k as u16).collect();
        let centre = [at[0].index(rows), at[1].index(columns)];
        let cut = slice(&frame, [rows, columns], centre).unwrap();
        for (axis, side) in [rows, columns].into_iter().enumerate() {
            let (first, centre) = (cut.origin[axis], centre[axis]);
            prop_assert!(first + FRAME_SIDE <= side && (first..first + FRAME_SIDE).contains(&centre));
            let room = centre >= FRAME_SIDE / 2 && centre + FRAME_SIDE / 2 < side;
            prop_assert!(!room || first + FRAME_SIDE / 2 == centre);
        }
        for (k, &reading) in cut.readings.iter().enumerate() {
            let (row, column) = (cut.origin[0] + k / FRAME_SIDE, cut.origin[1] + k % FRAME_SIDE);
            prop_assert_eq!(usize::from(reading), row * columns + column);
        }
    }
}

/// Keeps the head's answer.
struct Answers<'a>(&'a mut Vec<i16>);

impl derefnet_core::net::Probe for Answers<'_> {
    fn see(&mut self, tensor: Tensor, picture: derefnet_core::net::Picture<'_>) {
        if tensor == Tensor::HeadAnswer {
            *self.0 = picture.values().collect();
        }
    }
}
