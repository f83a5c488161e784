//! Damaged model files are refused, whatever is damaged; and those whose checksum was put right do no
//! harm either.
//!
//! Exhaustive: every bit and every truncation of a small model; every bit of the shipped models by the
//! algebra of the checksum, of which samples are read.
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

fn small() -> Vec<u8> {
    let sizes = Sizes {
        map: Some([8, 1, 0]),
        head: Some([8, 0]),
    };
    random_model(5, sizes)
}

/// What reading `file` with bit `bit` flipped ends in.
fn flipped(file: &[u8], bit: usize) -> Result<(), LoadError> {
    let mut file = file.to_vec();
    file[bit / 8] ^= 1 << (bit % 8);
    Model::load(&file).map(drop)
}

#[test]
fn every_flipped_bit_of_a_small_model_is_seen() {
    let file = small();
    assert!(Model::load(&file).is_ok());
    let unseen: Vec<usize> = (0..8 * file.len())
        .into_par_iter()
        .filter(|&bit| flipped(&file, bit).is_ok())
        .collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}

#[test]
fn every_truncation_is_seen() {
    for file in [&small(), EDGE, PAPER] {
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
    let file = small();
    (0..file.len()).into_par_iter().for_each(|length| {
        let mut short = file[..length].to_vec();
        repair(&mut short);
        assert!(Model::load(&short).is_err(), "{length} bytes");
    });
}

/// Flipped bits whose checksum was put right: refused, or a model that answers.
#[test]
fn repaired_flips_do_no_harm() {
    let file = small();
    let readings: Vec<u16> = (0..605).map(|i| (i * 7_919 % 1_500) as u16).collect();
    let loaded = (0..8 * file.len()).into_par_iter().filter(|&bit| {
        let mut file = file.clone();
        file[bit / 8] ^= 1 << (bit % 8);
        repair(&mut file);
        let Ok(model) = Model::load(&file) else {
            return false;
        };
        // A pass takes a hundred times as long as reading.
        if bit % 97 == 0 {
            answer(model, &readings);
        }
        true
    });
    let loaded = loaded.count();
    assert!(loaded > file.len(), "{loaded} flips load, most should");
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
            assert!(flipped(file, bit).is_err(), "bit {bit}");
        }
    }
}
