//! The integer network of core against the oracle, bit for bit, tensor for tensor, and streams
//! against single windows.

use std::collections::BTreeMap;

use derefnet_core::arch::Kernels;
use derefnet_core::locate::head::read_steps;
use derefnet_core::net::{Picture, Probe, Tensor};
use derefnet_core::stream::{HeadMemory, MapMemory, Memory, Readout, Stream, StreamConfig};
use derefnet_core::weights::Model;
use derefnet_tests::models::{Numbers, Sizes, biased_model, random_model};
use derefnet_tests::oracle::integer::Integer;
use derefnet_tests::{dear_properties, properties};
use proptest::prelude::*;

/// What a run shows. Tensors come anew with every frame: the last ones stay; rows add up.
#[derive(Default)]
struct Kept(BTreeMap<Tensor, Vec<i16>>);

impl Probe for Kept {
    fn see(&mut self, tensor: Tensor, picture: Picture<'_>) {
        let kept = self.0.entry(tensor).or_default();
        let [rows, columns, channels] = picture.shape();
        if rows == columns || kept.len() == 33 * 33 * channels {
            kept.clear();
        }
        kept.extend(picture.values());
    }
}

/// Readings of five frames: noise, a blob, or extremes.
fn window(seed: u64, kind: u8) -> Vec<u16> {
    let mut numbers = Numbers(seed);
    let pixel = |index: usize| match kind {
        0 => 0,
        1 => u16::MAX,
        2 => {
            if index.is_multiple_of(2) {
                u16::MAX
            } else {
                0
            }
        }
        3 => numbers.bits() as u16,
        _ => {
            let (r, c) = (index % 121 / 11, index % 11);
            let distance = (r as i64 - 5).pow(2) + (c as i64 - 6).pow(2);
            (1000 + 400 / (1 + distance) + numbers.within(0, 10)) as u16
        }
    };
    (0..605).map(pixel).collect()
}

const KINDS: u8 = 5;
const PEDESTAL: u16 = 1000;

fn config(model: &Model, readout: Readout) -> StreamConfig {
    StreamConfig {
        readout,
        pedestal: PEDESTAL,
        ..StreamConfig::of(model)
    }
}

/// Frames as the network takes them.
fn inputs(readings: &[u16], bits: u8) -> Vec<Vec<i16>> {
    let count = |&reading: &u16| {
        let count = (i64::from(reading) - i64::from(PEDESTAL)) << bits;
        count.clamp(i16::MIN.into(), i16::MAX.into()) as i16
    };
    let frames = readings.chunks_exact(121);
    frames
        .map(|frame| frame.iter().map(count).collect())
        .collect()
}

/// Pushes a window and compares every tensor.
fn compare<M: Memory>(file: &[u8], readings: &[u16], readout: Readout, memory: &mut M) {
    let model = Model::load(file).expect("a valid file");
    let mut oracle = Integer::new();
    let frames = inputs(readings, model.header.input_bits);
    if readout == Readout::Grid {
        let network = model.map.as_ref().expect("a network");
        let stages: Vec<_> = frames.iter().map(|f| oracle.unfold(network, f)).collect();
        oracle.unmix(network, &stages);
    } else {
        oracle.answer(model.head.as_ref().expect("a head"), &frames);
    }
    for kernels in Kernels::available() {
        let config = config(&model, readout);
        let mut stream =
            Stream::new(model.clone(), config, kernels, memory).expect("memory that fits");
        let mut seen = Kept::default();
        for frame in readings.chunks_exact(121) {
            stream.push_seen(frame, None, &mut seen).expect("a frame");
        }
        let tensors: Vec<_> = seen.0.keys().collect();
        assert_eq!(tensors, oracle.seen.keys().collect::<Vec<_>>());
        for (tensor, values) in &seen.0 {
            let same = *values == oracle.seen[tensor];
            assert!(same, "{tensor:?} differs, kernels {}", kernels.name());
        }
    }
}

#[test]
fn every_tensor_of_the_map_is_the_oracles() {
    for (seed, sizes) in [(1, [8, 1, 0]), (2, [8, 2, 1]), (3, [16, 1, 2])] {
        let sizes = Sizes {
            map: Some(sizes),
            head: None,
        };
        let file = biased_model(seed, sizes, 500.0 * (seed - 1) as f64);
        for kind in 0..KINDS {
            let readings = window(seed, kind);
            if sizes.map.is_some_and(|[channels, ..]| channels == 8) {
                compare(&file, &readings, Readout::Grid, &mut MapMemory::<8>::new());
            } else {
                compare(&file, &readings, Readout::Grid, &mut MapMemory::<16>::new());
            }
        }
    }
}

#[test]
fn every_tensor_of_the_head_is_the_oracles() {
    for (seed, head) in [(4, [8, 0]), (5, [8, 2]), (6, [16, 1])] {
        let sizes = Sizes {
            map: None,
            head: Some(head),
        };
        let file = random_model(seed, sizes);
        for kind in 0..KINDS {
            let readings = window(seed, kind);
            // The head alone, and in memory for maps, where weights come a few outputs at a time.
            compare(
                &file,
                &readings,
                Readout::Head,
                &mut HeadMemory::<24>::new(),
            );
            compare(&file, &readings, Readout::Head, &mut MapMemory::<16>::new());
        }
    }
}

/// A random network is alive: no tensor is all zero or all saturated on a blob.
#[test]
fn random_models_are_alive() {
    let sizes = Sizes {
        map: Some([8, 2, 1]),
        head: Some([8, 1]),
    };
    let file = random_model(2, sizes);
    let model = Model::load(&file).unwrap();
    let mut oracle = Integer::new();
    let frames = inputs(&window(2, 4), model.header.input_bits);
    let network = model.map.as_ref().unwrap();
    let stages: Vec<_> = frames.iter().map(|f| oracle.unfold(network, f)).collect();
    oracle.unmix(network, &stages);
    oracle.answer(model.head.as_ref().unwrap(), &frames);
    for (tensor, values) in &oracle.seen {
        let differing = values
            .iter()
            .filter(|&&v| v != 0 && v.abs() < i16::MAX)
            .count();
        assert!(
            20 * differing > values.len(),
            "{tensor:?}: {differing} of {}",
            values.len()
        );
    }
}

/// One memory serves maps and heads by turns: what another readout left there does not show.
#[test]
fn what_lies_in_the_memory_does_not_matter() {
    let sizes = Sizes {
        map: Some([16, 1, 1]),
        head: Some([24, 1]),
    };
    let file = random_model(13, sizes);
    let model = Model::load(&file).unwrap();
    let mut used = MapMemory::<16>::new();
    let readouts = [
        Readout::Grid,
        Readout::Head,
        Readout::HeadFit,
        Readout::Grid,
        Readout::Fit,
        Readout::Head,
    ];
    for (index, readout) in (0..).zip(readouts) {
        let readings = window(index, 4);
        let answer = |memory: &mut MapMemory<16>| {
            let config = config(&model, readout);
            let stream = Stream::new(model.clone(), config, Kernels::best(), memory);
            said(&stream.unwrap().window(&readings, None).unwrap())
        };
        let fresh = answer(&mut MapMemory::new());
        assert_eq!(answer(&mut used), fresh, "{index} {readout:?}");
    }
}

/// What a stream says, without what it borrows.
type Said = (Vec<[u64; 4]>, Option<Vec<i16>>, u32);

fn said(answer: &derefnet_core::stream::Answer) -> Said {
    let bits =
        |t: &derefnet_core::locate::Target| [t.x, t.y, t.intensity, t.score].map(f64::to_bits);
    let targets = answer.targets.iter().map(bits).collect();
    (
        targets,
        answer.map.map(|map| map.values.to_vec()),
        answer.saturated,
    )
}

#[derive(Clone, Debug)]
enum Act {
    Push { seed: u64, kind: u8, dead: u8 },
    Reset,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let push = (any::<u64>(), 0..KINDS, 0..4u8);
    let push = push.prop_map(|(seed, kind, dead)| Act::Push { seed, kind, dead });
    prop::collection::vec(prop_oneof![9 => push, 1 => Just(Act::Reset)], 5..10)
}

/// Streams answer as single windows do, whatever came before, gaps and masks among it.
fn stream_is_window(file: &[u8], readout: Readout, acts: &[Act]) {
    let model = Model::load(file).expect("a valid file");
    let config = config(&model, readout);
    let (mut memory, mut other) = (MapMemory::<8>::new(), MapMemory::<8>::new());
    let kernels = Kernels::best();
    let mut stream =
        Stream::new(model.clone(), config, kernels, &mut memory).expect("memory that fits");
    let mut single = Stream::new(model, config, kernels, &mut other).expect("memory that fits");
    let mut last: Vec<(Vec<u16>, Vec<bool>)> = Vec::new();
    for act in acts {
        let &Act::Push { seed, kind, dead } = act else {
            stream.reset();
            last.clear();
            continue;
        };
        let readings = window(seed, kind)[..121].to_vec();
        let mut numbers = Numbers(seed);
        let dead: Vec<bool> = (0..121)
            .map(|_| dead == 1 && numbers.share() < 0.05)
            .collect();
        let answer = stream
            .push(&readings, Some(&dead))
            .expect("a frame")
            .map(|a| said(&a));
        last.push((readings, dead));
        if last.len() < 5 {
            assert!(answer.is_none());
            continue;
        }
        let readings: Vec<u16> = last.iter().flat_map(|(r, _)| r.clone()).collect();
        let dead: Vec<bool> = last.iter().flat_map(|(_, d)| d.clone()).collect();
        let expected = said(&single.window(&readings, Some(&dead)).expect("a window"));
        let answer = answer.expect("an answer from the fifth frame on");
        assert_eq!((answer.0, answer.1), (expected.0, expected.1));
        last.remove(0);
    }
}

dear_properties! {
    fn maps_of_streams_are_those_of_windows(acts in acts()) {
        let sizes = Sizes { map: Some([8, 1, 0]), head: None };
        stream_is_window(&random_model(7, sizes), Readout::Grid, &acts);
    }

    fn fits_of_streams_are_those_of_windows(acts in acts()) {
        let sizes = Sizes { map: None, head: Some([8, 0]) };
        stream_is_window(&random_model(9, sizes), Readout::HeadFit, &acts);
    }
}

properties! {
    fn claims_of_streams_are_those_of_windows(acts in acts()) {
        let sizes = Sizes { map: None, head: Some([8, 1]) };
        stream_is_window(&random_model(8, sizes), Readout::Head, &acts);
    }

    fn random_answers_are_read_without_fault(seed in any::<u64>()) {
        let mut numbers = Numbers(seed);
        let answer: Vec<i16> = (0..7623).map(|_| numbers.bits() as i16).collect();
        let claims = read_steps(&answer, &[1e-3, 1e-4, 1e-4, 1e-4, 1e-4, 1e-3, 1e-4], 100.0);
        prop_assert!(claims.iter().all(|c| c.x.is_finite() && c.sigma_x > 0.0));
    }
}
