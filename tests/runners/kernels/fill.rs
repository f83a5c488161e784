//! What fills inputs, weights and maps.

use derefnet_tests::strategies::mix;
use proptest::prelude::*;

/// What outputs hold before, so that a number not written shows.
pub const BEFORE: i16 = 0x5A5A;

/// Numbers that depend on `seed` and their index alone.
pub fn words(seed: u64, len: usize) -> impl Iterator<Item = u64> {
    (0..len as u64).map(move |index| mix(seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ index))
}

/// What fills inputs and weights.
#[derive(Clone, Copy, Debug)]
pub enum Fill {
    /// Nothing but 0.
    Zero,
    /// Everything at one end of its range.
    Ends(bool, bool),
    /// Signs by turns.
    Checkerboard,
    /// What follows from a seed.
    Random(u64),
}

impl Fill {
    /// Inputs below `most` in magnitude, or -`most`.
    pub fn inputs(self, len: usize, most: i16) -> Vec<i16> {
        let least = most
            .wrapping_neg()
            .wrapping_sub(i16::from(most == i16::MAX));
        match self {
            Self::Zero => vec![0; len],
            Self::Ends(up, _) => vec![if up { most } else { least }; len],
            Self::Checkerboard => (0..len).map(|i| [most, least][i % 2]).collect(),
            Self::Random(seed) => {
                let span = u64::from(most.unsigned_abs()) + 1;
                let value = |word: u64| (word % span) as i16;
                let sign = |word: u64| 1 - 2 * (word >> 63) as i16;
                words(seed, len).map(|w| value(w) * sign(w)).collect()
            }
        }
    }

    /// Weights in -127..=127.
    pub fn weights(self, len: usize) -> Vec<i8> {
        match self {
            Self::Zero => vec![0; len],
            Self::Ends(_, up) => vec![if up { 127 } else { -127 }; len],
            Self::Checkerboard => (0..len).map(|i| [-127, 127, 127][i % 3]).collect(),
            Self::Random(seed) => {
                let value = |word: u64| ((word >> 32) % 255) as i16 - 127;
                words(!seed, len).map(|w| value(w) as i8).collect()
            }
        }
    }
}

/// Numbers of outputs: blocks of 16 and of 8, whole and in part, and a single one.
pub const OUTPUTS: [usize; 11] = [1, 2, 7, 8, 16, 18, 24, 32, 48, 63, 64];

/// Fills, mostly random ones.
pub fn fill() -> impl Strategy<Value = Fill> {
    prop_oneof![
        6 => any::<u64>().prop_map(Fill::Random),
        1 => any::<(bool, bool)>().prop_map(|(a, b)| Fill::Ends(a, b)),
        1 => Just(Fill::Checkerboard),
    ]
}
