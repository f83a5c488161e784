//! Sums of products.

use derefnet_core::arch::{Kernels, MAX_PIXELS, Product, ProductShape, SEGMENTS};
use derefnet_tests::oracle::kernels::{Weights, sums};
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn sums_agree(row in row()) {
        row.check();
    }
}
