//! Damaged model files are refused, whatever is damaged; and those whose checksum was put right do no
//! harm either.
//!
//! Exhaustive: every truncation of all models; every bit of a small head and one bit of every byte of a
//! small model with a map, read one by one; every bit of the shipped models by the algebra of the
//! checksum, of which samples are read.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use derefnet_core::arch::Kernels;
use derefnet_core::stream::{MapMemory, Readout, Stream, StreamConfig};
use derefnet_core::weights::{LoadError, Model, PREFIX, checksum};
use derefnet_tests::models::{Sizes, random_model, repair};
use rayon::prelude::*;

const EDGE: &[u8] = include_bytes!("../../core/models/edge.dref");
const PAPER: &[u8] = include_bytes!("../../core/models/paper.dref");

/// A head alone, quick to read, and a model with both networks.
fn small() -> [Vec<u8>; 2] {
    let head = Some([8, 0]);
    [None, Some([8, 1, 0])].map(|map| random_model(5, Sizes { map, head }))
}

/// Every small model with a bit flipped: all bits of the first, one bit of every byte of the second.
fn flips() -> impl ParallelIterator<Item = (usize, Vec<u8>)> {
    let [head, both] = small();
    let all = (0..8 * head.len()).into_par_iter();
    let some = (0..both.len())
        .into_par_iter()
        .map(|byte| 8 * byte + byte % 8);
    let all = all.map(move |bit| (bit, flip(&head, bit)));
    all.chain(some.map(move |bit| (bit, flip(&both, bit))))
}

fn flip(file: &[u8], bit: usize) -> Vec<u8> {
    let mut file = file.to_vec();
    file[bit / 8] ^= 1 << (bit % 8);
    file
}

#[test]
fn every_flip_is_seen() {
    assert!(small().iter().all(|file| Model::load(file).is_ok()));
    let unseen = flips().filter(|(_, file)| Model::load(file).is_ok());
    let unseen: Vec<usize> = unseen.map(|(bit, _)| bit).collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}

#[test]
fn every_truncation_is_seen() {
    let [head, both] = small();
    for file in [&head, &both, EDGE, PAPER] {
        for length in 0..file.len() {
            let error = Model::load(&file[..length]).unwrap_err();
            assert!(matches!(error, LoadError::Length { got, .. } if got == length));
        }
        let longer = [file, &[0]].concat();
        let error = Model::load(&longer).unwrap_err();
        assert!(matches!(error, LoadError::Length { .. }));
    }
}

/// Truncations whose length and checksum were put right reach the checks behind them.
#[test]
fn repaired_truncations_are_refused() {
    for file in small() {
        (0..file.len()).into_par_iter().for_each(|length| {
            let mut short = file[..length].to_vec();
            repair(&mut short);
            assert!(Model::load(&short).is_err(), "{length} bytes");
        });
    }
}

/// Flipped bits whose checksum was put right: refused, or a model that answers.
#[test]
fn repaired_flips_do_no_harm() {
    let readings: Vec<u16> = (0..605).map(|i| (i * 7_919 % 1_500) as u16).collect();
    let loaded = flips().filter_map(|(bit, mut file)| {
        repair(&mut file);
        let model = Model::load(&file).ok()?;
        // A pass takes a hundred times as long as reading.
        if bit % 97 == 0 {
            answer(model, &readings);
        }
        Some(())
    });
    let most = small()[0].len();
    assert!(loaded.count() > most, "most flips are in weights and load");
}

fn answer(model: Model, readings: &[u16]) {
    for readout in [Readout::Grid, Readout::Head] {
        let config = StreamConfig {
            readout,
            ..StreamConfig::of(&model)
        };
        let mut memory = MapMemory::<8>::new();
        if let Ok(mut stream) = Stream::new(model.clone(), config, Kernels::best(), &mut memory) {
            stream.window(readings, None).unwrap();
        }
    }
}

/// By how much one flipped bit changes the checksum of a file, from the last bit to the first.
///
/// CRC is linear: the difference depends on the distance from the end alone. A further zero byte
/// multiplies it by x⁸ modulo the polynomial, here bit by bit in the reflected form.
fn differences() -> impl Iterator<Item = [u32; 8]> {
    let step =
        |difference: u32| (difference >> 1) ^ (0xedb8_8320 & (difference & 1).wrapping_neg());
    let advance = move |byte: &[u32; 8]| Some(byte.map(|bit| (0..8).fold(bit, |d, _| step(d))));
    let last = std::array::from_fn(|bit| (0..8).fold(1u32 << bit, |d, _| step(d)));
    std::iter::successors(Some(last), advance)
}

#[test]
fn every_flipped_bit_of_the_shipped_models_changes_the_checksum() {
    for file in [EDGE, PAPER] {
        let sum = checksum(file);
        // The four bytes of the checksum itself are no part of it: 0..12, then 16 to the end.
        let covered = (0..12).chain(PREFIX..file.len()).rev();
        for (index, (at, differences)) in covered.zip(differences()).enumerate() {
            for (bit, difference) in differences.into_iter().enumerate() {
                assert_ne!(difference, 0, "byte {at}, bit {bit}");
                // The algebra against the code, and the code's verdict, on samples.
                if bit == index % 8 && index % 1_009 == 0 {
                    let mut file = file.to_vec();
                    file[at] ^= 1 << bit;
                    assert_eq!(checksum(&file) ^ sum, difference, "byte {at}, bit {bit}");
                    assert!(Model::load(&file).is_err(), "byte {at}, bit {bit}");
                }
            }
        }
        for bit in 0..8 * PREFIX {
            assert!(Model::load(&flip(file, bit)).is_err(), "bit {bit}");
        }
    }
}
