//! Sums of products.

use derefnet_core::arch::{Finish, Kernels, MAX_PIXELS, Product, ProductShape, SEGMENTS, Scaling};
use derefnet_core::fixed::Requant;
use derefnet_tests::oracle::kernels::{Weights, sums};
use derefnet_tests::properties;
use proptest::prelude::*;

use crate::fill::{Fill, OUTPUTS, fill};

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
        let all = |set: Kernels| {
            let mut packed = vec![0x7777; shape.packed_len()];
            set.pack(shape, &bytes, &mut packed);
            let product = Product {
                shape,
                packed: &packed,
                runs,
                stride: self.stride,
                pixels: self.pixels,
            };
            let mut sums = vec![i32::MIN; product.sums_len() + 5];
            set.accumulate(&product, &mut sums);
            (sums, self.finished(set, &product))
        };
        let (expected, finished) = all(Kernels::SCALAR);
        // What a run lacks counts as zeros.
        let whole = runs.map(|run| {
            let mut run = run?.to_vec();
            run.resize(reach, 0);
            Some(run)
        });
        let whole = [0, 1, 2].map(|s: usize| whole[s].as_deref());
        self.check_scalar(&values, &whole, &expected);
        for set in Kernels::available() {
            let (sums, row) = all(set);
            assert_eq!(sums, expected, "{} {self:?}", set.name());
            assert_eq!(row, finished, "{} {self:?}", set.name());
        }
    }

    /// The row requantised, for every way to finish, with how many values were saturated.
    fn finished(&self, set: Kernels, product: &Product) -> Vec<(Vec<i16>, u32)> {
        let mut scaling = Scaling::ZERO;
        for output in 0..self.shape.outputs {
            let shift = 33 + (output % 9) as u8;
            let factor = Requant::new(0x5555_5555 + output as i32, shift).unwrap();
            scaling.set(output, 1000 - 37 * output as i32, factor);
        }
        let stride = self.shape.outputs + 3;
        let ways = [Finish::Plain, Finish::Relu, Finish::Add, Finish::Shrink(77)];
        let ways = ways.into_iter().map(|finish| {
            let values = 0..(self.pixels * stride) as i64;
            let mut out: Vec<i16> = values
                .map(|k| (k * 7919 % 65_536 - 32_768) as i16)
                .collect();
            let mut sums = vec![0; product.sums_len()];
            let to = (&mut out[..], stride);
            let saturated = set.row(product, &mut sums, &scaling, finish, to);
            (out, saturated)
        });
        ways.collect()
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

properties! {
    fn sums_agree(row in row()) {
        row.check();
    }
}

/// Small tables against plain loops, for every set.
#[test]
fn tables_are_multiplied() {
    let value = |k: usize| (k * 7919 % 65_521) as i32 - 32_760;
    let rows: Vec<i16> = (0..3 * 33).map(|k| (value(k) / 40) as i16).collect();
    let table: Vec<i16> = (0..33 * 33)
        .map(|k| if k % 5 == 0 { 0 } else { value(k * 3) as i16 })
        .collect();
    let sum = |at: usize| -> i64 {
        let (row, column) = (at / 33, at % 33);
        let terms = (0..33).map(|k| (rows[row * 33 + k], table[k * 33 + column]));
        terms.map(|(a, b)| i64::from(a) * i64::from(b)).sum()
    };
    for set in Kernels::available() {
        let mut sums = [7; 100];
        set.multiply(&rows, &table, &mut sums);
        for (at, &got) in sums[..99].iter().enumerate() {
            assert_eq!(i64::from(got), sum(at), "{} {at}", set.name());
        }
        assert_eq!(sums[99], 7);
    }
}
