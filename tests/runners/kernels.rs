//! The kernels of the integer network: the scalar set against plain loops, every other set against
//! the scalar one, bit for bit.

#![allow(
    clippy::unwrap_used,
    reason = "a helper outside a test function fails the test all the same"
)]

use derefnet_core::arch::{
    Finish, Kernels, MAX_OUTPUTS, MAX_PIXELS, Product, ProductShape, SEGMENTS, Sampling, Scaling,
};
use derefnet_core::fixed::Requant;
use derefnet_tests::oracle::kernels::{Weights, requantised, sampled, sums};
use derefnet_tests::strategies::mix;
use proptest::prelude::*;

/// What outputs hold before, so that a number not written shows.
const BEFORE: i16 = 0x5A5A;

/// Numbers that depend on `seed` and their index alone.
fn words(seed: u64, len: usize) -> impl Iterator<Item = u64> {
    (0..len as u64).map(move |index| mix(seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ index))
}

/// What fills inputs and weights.
#[derive(Clone, Copy, Debug)]
enum Fill {
    Zero,
    /// Everything at one end of its range.
    Ends(bool, bool),
    /// Signs by turns.
    Checkerboard,
    Random(u64),
}

impl Fill {
    /// Inputs below `most` in magnitude, or -`most`.
    fn inputs(self, len: usize, most: i16) -> Vec<i16> {
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

    fn weights(self, len: usize) -> Vec<i8> {
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

#[derive(Clone, Copy, Debug)]
struct Row {
    shape: ProductShape,
    stride: usize,
    pixels: usize,
    /// Which runs are inside the map.
    inside: [bool; SEGMENTS],
    /// Numbers that the runs lack at their end.
    missing: usize,
    fill: Fill,
}

impl Row {
    /// The greatest input with which sums stay below 2³¹.
    fn most(&self) -> i16 {
        let products = self.shape.segments * self.shape.padded_run().max(1) * 128;
        (((1_usize << 31) - 1) / products).min(32_767) as i16
    }

    fn check(&self) {
        let shape = self.shape;
        let reach = self.pixels.saturating_sub(1) * self.stride + shape.padded_run();
        let buffer = self.fill.inputs(reach + SEGMENTS, self.most());
        let len = reach.saturating_sub(self.missing);
        // Each run starts elsewhere, at any alignment.
        let run = |s: usize| self.inside[s].then(|| &buffer[s..s + len]);
        let runs = [run(0), run(1), run(2)];
        let values = self.fill.weights(shape.weights_len());
        let bytes: Vec<u8> = values.iter().map(|&w| w as u8).collect();
        let mut packed = vec![0x7777; shape.packed_len()];
        Kernels::SCALAR.pack(shape, &bytes, &mut packed);
        let product = Product {
            shape,
            packed: &packed,
            runs,
            stride: self.stride,
            pixels: self.pixels,
        };
        let all = |set: Kernels| {
            let mut sums = vec![i32::MIN; product.sums_len() + 5];
            set.accumulate(&product, &mut sums);
            sums
        };
        let expected = all(Kernels::SCALAR);
        if self.missing == 0 {
            self.check_scalar(&values, &runs, &expected);
        }
        for set in Kernels::available() {
            assert_eq!(all(set), expected, "{} {self:?}", set.name());
        }
    }

    fn check_scalar(&self, values: &[i8], runs: &[Option<&[i16]>; SEGMENTS], got: &[i32]) {
        let ProductShape {
            outputs,
            segments,
            run,
        } = self.shape;
        let weights = Weights {
            outputs,
            segments,
            run,
            values: values.to_vec(),
        };
        let padded = self.shape.padded_outputs();
        let (rows, after) = got.split_at(padded * self.pixels);
        let got: Vec<i64> = rows
            .chunks(padded)
            .flat_map(|row| row[..outputs].iter().map(|&sum| sum.into()))
            .collect();
        assert_eq!(
            got,
            sums(&weights, runs, self.stride, self.pixels),
            "{self:?}"
        );
        assert!(after.iter().all(|&sum| sum == i32::MIN), "{self:?}");
    }
}

const OUTPUTS: [usize; 11] = [1, 2, 7, 8, 16, 18, 24, 32, 48, 63, 64];

fn fill() -> impl Strategy<Value = Fill> {
    prop_oneof![
        6 => any::<u64>().prop_map(Fill::Random),
        1 => any::<(bool, bool)>().prop_map(|(a, b)| Fill::Ends(a, b)),
        1 => Just(Fill::Checkerboard),
    ]
}

fn row() -> impl Strategy<Value = Row> {
    let shape = (
        prop::sample::select(OUTPUTS.to_vec()),
        1..=SEGMENTS,
        1..200_usize,
    );
    let missing = prop_oneof![4 => Just(0), 1 => 1..70_usize];
    let place = (
        1..=64_usize,
        0..=MAX_PIXELS,
        any::<[bool; SEGMENTS]>(),
        missing,
    );
    (shape, place, fill()).prop_map(|((outputs, segments, run), place, fill)| {
        let (stride, pixels, inside, missing) = place;
        Row {
            shape: ProductShape {
                outputs,
                segments,
                run,
            },
            stride,
            pixels,
            inside,
            missing,
            fill,
        }
    })
}

#[test]
fn sums_at_the_ends_of_their_range() {
    let ends = [false, true].map(|a| [false, true].map(|b| Fill::Ends(a, b)));
    let fills = [Fill::Zero, Fill::Checkerboard, Fill::Random(7)];
    for fill in fills.into_iter().chain(ends.concat()) {
        for outputs in OUTPUTS {
            for (segments, run, stride) in
                [(1, 1, 1), (3, 3, 1), (3, 48, 16), (3, 96, 32), (1, 288, 33)]
            {
                let shape = ProductShape {
                    outputs,
                    segments,
                    run,
                };
                for inside in [[true; 3], [false, true, true]] {
                    let (pixels, missing) = (MAX_PIXELS, 0);
                    Row {
                        shape,
                        stride,
                        pixels,
                        inside,
                        missing,
                        fill,
                    }
                    .check();
                }
            }
        }
    }
}

#[test]
fn shapes_beyond_the_usual_write_nothing_beyond_the_sums() {
    let shape = ProductShape {
        outputs: 32,
        segments: 3,
        run: 96,
    };
    let packed = vec![1; shape.packed_len()];
    let inputs = vec![1; 200];
    for set in Kernels::available() {
        for (packed, stride, pixels) in [
            (&packed[1..], 32, 3),
            (&packed[..], 1 << 40, 3),
            (&packed[..], 1, 40),
        ] {
            let product = Product {
                shape,
                packed,
                runs: [Some(&inputs); SEGMENTS],
                stride,
                pixels,
            };
            let results = [Kernels::SCALAR, set].map(|set| {
                let mut sums = vec![0; product.sums_len()];
                set.accumulate(&product, &mut sums);
                sums
            });
            assert_eq!(results[0], results[1], "{}", set.name());
            let mut short = vec![9; product.sums_len() - 1];
            set.accumulate(&product, &mut short);
            assert!(short.iter().all(|&sum| sum == 9), "{}", set.name());
        }
    }
}

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

#[derive(Clone, Copy, Debug)]
struct Patches {
    side: usize,
    channels: usize,
    row: usize,
    column: usize,
    pixels: usize,
    bits: u32,
    /// Bits that displacements lose, so that some stay on the map.
    near: u32,
    /// Numbers that the map lacks at its end.
    missing: usize,
    fill: Fill,
}

impl Patches {
    fn check(&self) {
        let len = (self.side * (self.side + 1) + 1) * self.channels;
        let mut map = self.fill.inputs(len, i16::MAX);
        let pixels = map.chunks_mut(self.channels);
        let border = pixels.step_by(self.side + 1);
        border.for_each(|pixel| pixel.fill(0));
        map.truncate(len.saturating_sub(self.missing));
        let seed = (self.bits + self.near) as u64;
        let offsets: Vec<i16> = words(seed, self.pixels * 18)
            .map(|word| word as i16 >> self.near)
            .collect();
        let sampling = Sampling {
            map: &map,
            side: self.side,
            channels: self.channels,
            row: self.row,
            column: self.column,
            offsets: &offsets,
            bits: self.bits,
        };
        let all = |set: Kernels| {
            let mut patches = vec![BEFORE; self.pixels * 9 * self.channels + 3];
            set.sample(&sampling, &mut patches);
            patches
        };
        let expected = all(Kernels::SCALAR);
        if self.missing == 0 {
            let taps = offsets.chunks_exact(2).enumerate();
            let patches = taps.flat_map(|(index, offset)| {
                let column = self.column + index / 9;
                sampled(&sampling, column, index % 9, [offset[0], offset[1]])
            });
            let patches: Vec<i16> = patches.chain([BEFORE; 3]).collect();
            assert_eq!(expected, patches, "{self:?}");
        }
        for set in Kernels::available() {
            assert_eq!(all(set), expected, "{} {self:?}", set.name());
        }
    }
}

fn patches() -> impl Strategy<Value = Patches> {
    let missing = prop_oneof![4 => Just(0), 1 => 1..300_usize];
    let map = (1..=MAX_PIXELS, (1..=8_usize).prop_map(|c| 8 * c), missing);
    let place = (0..MAX_PIXELS, 0..MAX_PIXELS, 0..=MAX_PIXELS);
    (map, place, 6..=14_u32, 0..12_u32, fill()).prop_map(
        |((side, channels, missing), (row, column, pixels), bits, near, fill)| Patches {
            side,
            channels,
            row,
            column,
            pixels,
            bits,
            near,
            missing,
            fill,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn sums_agree(row in row()) {
        row.check();
    }

    #[test]
    fn requantised_values_and_their_counts_agree(case in requantisation()) {
        case.check();
    }

    #[test]
    fn samples_agree(case in patches()) {
        case.check();
    }
}
