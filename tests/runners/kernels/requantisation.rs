//! Requantised sums and how many were saturated.

use derefnet_core::arch::{Finish, Kernels, MAX_OUTPUTS, MAX_PIXELS, ProductShape, Scaling};
use derefnet_core::fixed::Requant;
use derefnet_tests::oracle::kernels::requantised;
use derefnet_tests::properties;
use proptest::prelude::*;

use crate::fill::{BEFORE, OUTPUTS, words};

#[derive(Clone, Debug)]
struct Requantisation {
    outputs: usize,
    pixels: usize,
    beyond: usize,
    /// Numbers that the result lacks at its end.
    missing: usize,
    finish: Finish,
    shifts: (u8, u8),
    seed: u64,
}

impl Requantisation {
    fn scaling(&self) -> Scaling {
        let mut scaling = Scaling::ZERO;
        let (from, span) = (self.shifts.0, u64::from(self.shifts.1 - self.shifts.0) + 1);
        // Beyond the last output too: padding must count for nothing.
        for (output, word) in words(self.seed, MAX_OUTPUTS).enumerate() {
            let shift = from + (word % span) as u8;
            let factor = Requant::new((word >> 33) as i32, shift).unwrap();
            let bias = (word as i32) >> (word >> 48 & 31);
            scaling.set(output, bias, factor);
        }
        scaling
    }

    fn check(&self) {
        let one = ProductShape {
            outputs: self.outputs,
            segments: 1,
            run: 1,
        };
        let padded = one.padded_outputs();
        let (stride, scaling) = (self.outputs + self.beyond, self.scaling());
        let sums: Vec<i32> = words(!self.seed, self.pixels * padded)
            .map(|word| (word as i32) >> (word >> 59))
            .collect();
        let there: Vec<i16> = words(self.seed ^ 1, self.pixels * stride)
            .map(|word| word as i16)
            .take((self.pixels * stride).saturating_sub(self.missing))
            .collect();
        let all = |set: Kernels| {
            let mut out = there.clone();
            let to = (&mut out[..], stride);
            let saturated = set.requantise(&sums, self.outputs, &scaling, self.finish, to);
            (out, saturated)
        };
        let expected = all(Kernels::SCALAR);
        if self.missing == 0 {
            assert_eq!(expected, self.by_hand(&sums, &scaling, &there), "{self:?}");
        }
        for set in Kernels::available() {
            assert_eq!(all(set), expected, "{} {self:?}", set.name());
        }
    }

    fn by_hand(&self, sums: &[i32], scaling: &Scaling, there: &[i16]) -> (Vec<i16>, u32) {
        let (mut out, mut saturated) = (there.to_vec(), 0);
        let (padded, stride) = (sums.len() / self.pixels.max(1), self.outputs + self.beyond);
        for pixel in 0..self.pixels {
            for o in 0..self.outputs {
                let sum = sums[pixel * padded + o].wrapping_add(scaling.bias[o]);
                let factor = (scaling.multiplier[o].into(), scaling.shift[o] as u32);
                let slot = &mut out[pixel * stride + o];
                let (value, clipped) = requantised(sum.into(), factor, self.finish, *slot);
                *slot = value;
                saturated += u32::from(clipped);
            }
        }
        (out, saturated)
    }
}

fn finish() -> impl Strategy<Value = Finish> {
    prop_oneof![
        Just(Finish::Plain),
        Just(Finish::Relu),
        Just(Finish::Add),
        (-70_000..70_000).prop_map(Finish::Shrink),
        (-50..50).prop_map(Finish::Shrink),
    ]
}

fn requantisation() -> impl Strategy<Value = Requantisation> {
    let shifts = prop_oneof![
        Just((32, 62)),
        Just((32, 34)),
        (32..=62_u8).prop_map(|shift| (shift, shift)),
    ];
    let missing = prop_oneof![4 => Just(0), 1 => 1..70_usize];
    let shape = (
        prop::sample::select(OUTPUTS.to_vec()),
        0..=MAX_PIXELS,
        0..40_usize,
        missing,
    );
    let strategy = (shape, finish(), shifts, any::<u64>());
    strategy.prop_map(
        |((outputs, pixels, beyond, missing), finish, shifts, seed)| Requantisation {
            outputs,
            pixels,
            beyond,
            missing,
            finish,
            shifts,
            seed,
        },
    )
}

/// Sums of `i32::MIN` and `i32::MAX` at both ends of the factors.
#[test]
fn the_greatest_sums_are_requantised() {
    for (multiplier, shift) in [(i32::MAX, 32), (i32::MAX, 62), (1, 32), (1 << 30, 45)] {
        let mut scaling = Scaling::ZERO;
        let factor = Requant::new(multiplier, shift).unwrap();
        (0..MAX_OUTPUTS).for_each(|output| scaling.set(output, 0, factor));
        let sums: Vec<i32> = (0..64)
            .map(|i| [i32::MIN, i32::MAX, -1, 0, 1][i % 5])
            .collect();
        for finish in [
            Finish::Plain,
            Finish::Relu,
            Finish::Add,
            Finish::Shrink(-40_000),
        ] {
            let expected: Vec<_> = sums
                .iter()
                .map(|&sum| {
                    let factor = (multiplier.into(), u32::from(shift));
                    requantised(sum.into(), factor, finish, BEFORE)
                })
                .collect();
            for set in Kernels::available() {
                let mut out = [BEFORE; 64];
                let saturated = set.requantise(&sums, 64, &scaling, finish, (&mut out, 64));
                let values: Vec<i16> = expected.iter().map(|&(value, _)| value).collect();
                assert_eq!(out[..], values[..], "{} {finish:?}", set.name());
                let clipped = expected.iter().filter(|&&(_, clipped)| clipped).count();
                assert_eq!(saturated as usize, clipped, "{} {finish:?}", set.name());
            }
        }
    }
}

properties! {
    fn requantised_values_and_their_counts_agree(case in requantisation()) {
        case.check();
    }
}
