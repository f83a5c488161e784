//! One hash over many windows, extreme ones among them: every set of kernels must give the pinned one,
//! here and on every other processor.

use derefnet_core::arch::Kernels;
use derefnet_core::net::{Picture, Probe, Tensor};
use derefnet_core::stream::{HeadMemory, MapMemory, Memory, Readout, Stream, StreamConfig};
use derefnet_core::weights::Model;
use derefnet_tests::fnv::Fnv;
use derefnet_tests::models::{Numbers, Sizes, random_model};
use derefnet_tests::tolerance::{HEAD_BITS, MAP_BITS};
use rayon::prelude::*;

/// Hashes the network's answers alone.
#[derive(Default)]
struct Answers(Fnv);

impl Probe for Answers {
    fn see(&mut self, tensor: Tensor, picture: Picture<'_>) {
        if matches!(tensor, Tensor::Map | Tensor::HeadAnswer) {
            picture.values().for_each(|v| self.0.take(&v.to_le_bytes()));
        }
    }
}

/// Window `index`: dark, full, a checkerboard of both, a checkerboard of neighbouring readings, pure
/// noise, or a blob of random place and height with noise, most often.
fn readings(index: u64) -> Vec<u16> {
    let mut numbers = Numbers(index);
    let (row, column) = (numbers.within(1, 10), numbers.within(1, 10));
    let height = numbers.within(100, 1000);
    let pixel = |at: usize| {
        let (r, c) = ((at % 121 / 11) as i64, (at % 11) as i64);
        let is_white = (at / 121 + (r + c) as usize).is_multiple_of(2);
        match index % 16 {
            0 => 0,
            1 => u16::MAX,
            2 => {
                if is_white {
                    u16::MAX
                } else {
                    0
                }
            }
            3 => 1000 + u16::from(is_white),
            4 => numbers.bits() as u16,
            _ => {
                let distance = (r - row).pow(2) + (c - column).pow(2);
                (1000 + height / (1 + distance) + numbers.within(0, 12)) as u16
            }
        }
    };
    (0..605).map(pixel).collect()
}

/// Hash of the answers to `windows` windows.
fn hash<M: Memory>(
    file: &[u8],
    readout: Readout,
    kernels: Kernels,
    windows: u64,
    memory: impl Fn() -> M + Send + Sync,
) -> u64 {
    let model = Model::load(file).expect("a valid file");
    let config = StreamConfig {
        readout,
        pedestal: 1000,
        ..StreamConfig::of(&model)
    };
    let of_one = |memory: &mut M, index: u64| {
        let stream = Stream::new(model.clone(), config, kernels, memory);
        let mut stream = stream.expect("memory that fits");
        let mut answers = Answers::default();
        for frame in readings(index).chunks_exact(121) {
            let answer = stream
                .push_seen(frame, None, &mut answers)
                .expect("a frame");
            let saturated = answer.map_or(0, |answer| answer.saturated);
            answers.0.take(&saturated.to_le_bytes());
        }
        answers.0.value()
    };
    let hashes = (0..windows).into_par_iter().map_init(memory, of_one);
    let hashes: Vec<u64> = hashes.collect();
    let mut all = Fnv::default();
    hashes.iter().for_each(|hash| all.take(&hash.to_le_bytes()));
    all.value()
}

fn head_file() -> Vec<u8> {
    let sizes = Sizes {
        map: None,
        head: Some([16, 1]),
    };
    random_model(11, sizes)
}

fn map_file() -> Vec<u8> {
    let sizes = Sizes {
        map: Some([8, 2, 1]),
        head: None,
    };
    random_model(12, sizes)
}

#[test]
fn ten_thousand_windows_of_the_head_have_the_pinned_hash() {
    let file = head_file();
    for kernels in Kernels::available() {
        let got = hash(&file, Readout::Head, kernels, 10_000, HeadMemory::<16>::new);
        assert_eq!(got, HEAD_BITS, "kernels {}: {got:#018x}", kernels.name());
    }
}

/// As many windows of the map as an ordinary test run has time for.
#[test]
fn windows_of_the_map_have_the_pinned_hash() {
    let file = map_file();
    for kernels in Kernels::available() {
        let got = hash(&file, Readout::Grid, kernels, 320, MapMemory::<8>::new);
        assert_eq!(got, MAP_BITS[0], "kernels {}: {got:#018x}", kernels.name());
    }
}

/// `cargo test --release -p derefnet-tests --test integer_bits -- --ignored`
#[test]
#[ignore = "minutes with the scalar kernels"]
fn ten_thousand_windows_of_the_map_have_the_pinned_hash() {
    let file = map_file();
    for kernels in Kernels::available() {
        let got = hash(&file, Readout::Grid, kernels, 10_000, MapMemory::<8>::new);
        assert_eq!(got, MAP_BITS[1], "kernels {}: {got:#018x}", kernels.name());
    }
}
