//! Every set of kernels against the scalar one, and that against plain loops, over the layouts and
//! edges that sets treat apart. The suite `kernels` of `tests/` draws many more problems; these are
//! few enough for every tool that watches memory or counts lines.

use std::vec;
use std::vec::Vec;

use super::*;
use crate::fixed::rounded_shift;

/// Numbers of any size from a linear congruence (Knuth, MMIX).
fn words(seed: u64, len: usize) -> impl Iterator<Item = i64> {
    let next = |state: &mut u64| {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Some((*state >> 24) as i64)
    };
    (0..len).scan(seed, move |state, _| next(state))
}

fn inputs(seed: u64, len: usize) -> Vec<i16> {
    // Small enough that no sum of 64 · 3 · 128 products wraps around.
    words(seed, len).map(|word| word as i16 >> 2).collect()
}

const OUTPUTS: [usize; 10] = [1, 2, 7, 8, 9, 16, 18, 24, 32, 64];
/// Segments, run, stride: single numbers, layers of few and of many channels, odd runs.
const RUNS: [(usize, usize, usize); 5] =
    [(1, 1, 1), (3, 3, 1), (3, 48, 16), (1, 45, 9), (2, 95, 5)];
const WAYS: [Finish; 5] = [
    Finish::Plain,
    Finish::Relu,
    Finish::Add,
    Finish::Shrink(77),
    Finish::Shrink(-40_000),
];

/// Sums of a row with its weights, inputs and requantisation.
struct Row {
    shape: ProductShape,
    weights: Vec<u8>,
    inputs: Vec<i16>,
    stride: usize,
    pixels: usize,
    /// Numbers that the runs lack at their end.
    missing: usize,
    shift: i32,
}

impl Row {
    fn new(outputs: usize, (segments, run, stride): (usize, usize, usize), pixels: usize) -> Self {
        let shape = ProductShape {
            outputs,
            segments,
            run,
        };
        let len = pixels * stride + shape.padded_run() + SEGMENTS;
        Self {
            shape,
            weights: words(3, shape.weights_len()).map(|w| w as u8).collect(),
            inputs: inputs(7, len),
            stride,
            pixels,
            missing: 0,
            shift: 40,
        }
    }

    /// Inputs that the pixels of a run read.
    fn reach(&self) -> usize {
        (self.pixels.max(1) - 1) * self.stride + self.shape.padded_run()
    }

    /// Packed weights of `set`, then `use_it`: two runs at different alignments, none above the map.
    fn product<T>(&self, set: Kernels, use_it: impl FnOnce(&Product) -> T) -> T {
        let mut packed = vec![0x7777; self.shape.packed_len()];
        set.pack(self.shape, &self.weights, &mut packed);
        let run = |s: usize| self.inputs.get(s..s + self.reach() - self.missing);
        let above = if self.shape.segments == 3 {
            None
        } else {
            run(0)
        };
        use_it(&Product {
            shape: self.shape,
            packed: &packed,
            runs: [above, run(1), run(2)],
            stride: self.stride,
            pixels: self.pixels,
        })
    }

    fn sums(&self, set: Kernels) -> Vec<i32> {
        self.product(set, |product| {
            let mut sums = vec![i32::MIN; product.sums_len() + 3];
            set.accumulate(product, &mut sums);
            sums
        })
    }

    /// Whole rows, finished in every way, and how many values were saturated.
    fn finished(&self, set: Kernels) -> Vec<(Vec<i16>, u32)> {
        let mut scaling = Scaling::ZERO;
        for output in 0..MAX_OUTPUTS {
            scaling.bias[output] = 1000 - 37 * output as i32;
            scaling.multiplier[output] = 0x5555_5555 + output as i32;
            scaling.shift[output] = self.shift + output as i32 % 5;
        }
        let stride = self.shape.outputs + 3;
        let finish = |finish| {
            self.product(set, |product| {
                let (mut sums, mut out) =
                    (vec![0; product.sums_len()], inputs(5, self.pixels * stride));
                let to = (&mut out[..], stride);
                let saturated = set.row(product, &mut sums, &scaling, finish, to);
                (out, saturated)
            })
        };
        WAYS.map(finish).into()
    }

    /// The sum of an output by plain loops.
    fn sum(&self, pixel: usize, output: usize) -> i64 {
        let ProductShape { segments, run, .. } = self.shape;
        let weight = |s: usize, k: usize| self.weights[(output * segments + s) * run + k] as i8;
        // What a run lacks counts as 0.
        let end = self.reach() - self.missing;
        let input = |s: usize, k: usize| {
            let at = pixel * self.stride + k;
            if at < end { self.inputs[s + at] } else { 0 }
        };
        let inside = |s: &usize| segments < 3 || *s > 0;
        let terms = (0..segments)
            .filter(inside)
            .flat_map(|s| (0..run).map(move |k| (s, k)));
        terms
            .map(|(s, k)| i64::from(weight(s, k)) * i64::from(input(s, k)))
            .sum()
    }

    fn check(&self) {
        let (sums, finished) = (self.sums(Kernels::SCALAR), self.finished(Kernels::SCALAR));
        let what = (self.shape, self.pixels, self.missing);
        for set in Kernels::available() {
            assert_eq!(self.sums(set), sums, "{} {what:?}", set.name());
            assert_eq!(self.finished(set), finished, "{} {what:?}", set.name());
        }
        let (rows, after) = sums.split_at(self.pixels * self.shape.padded_outputs());
        assert_eq!(after, [i32::MIN; 3]);
        for (pixel, row) in rows.chunks(self.shape.padded_outputs()).enumerate() {
            for (output, &got) in row.iter().take(self.shape.outputs).enumerate() {
                assert_eq!(i64::from(got), self.sum(pixel, output), "{what:?}");
            }
        }
    }
}

#[test]
fn rows_agree_for_every_layout() {
    for outputs in OUTPUTS {
        for run in RUNS {
            for pixels in [0, 1, 5, MAX_PIXELS] {
                Row::new(outputs, run, pixels).check();
            }
        }
    }
}

/// Runs that end early, and factors outside [`Requant::SHIFTS`]: the definition says what happens.
#[test]
fn rows_agree_beyond_what_vectors_take() {
    for outputs in [1, 8, 32] {
        for missing in [1, 50, 63] {
            let mut short = Row::new(outputs, (3, 48, 16), 5);
            short.missing = missing;
            short.check();
        }
        let mut steep = Row::new(outputs, (3, 48, 16), 5);
        steep.shift = 20;
        steep.check();
    }
}

#[test]
fn rescaled_values_are_rounded_and_saturated_once() {
    let mut scaling = Scaling::ZERO;
    let factor = Requant::new(1 << 30, 32).unwrap();
    (0..8).for_each(|output| scaling.set(output, 1, factor));
    scaling.set(MAX_OUTPUTS, 9, factor);
    assert!(!scaling.bias.contains(&9));
    let sums = [i32::MIN, i32::MAX - 1, -7, 0, 1, 5, 400_000, 77_777];
    let clamp = |value: i64| {
        let kept = value.clamp(-32_768, 32_767);
        (kept, kept != value)
    };
    for (finish, there) in WAYS.into_iter().zip([0, 5, -9, 3, 2]) {
        let by_hand = sums.map(|sum| {
            let value = rounded_shift((i64::from(sum) + 1) << 30, 32);
            let (value, clipped) = match finish {
                Finish::Plain => clamp(value),
                Finish::Relu => clamp(value.max(0)),
                Finish::Add => clamp(value + there),
                Finish::Shrink(theta) => {
                    let (value, first) = clamp(value);
                    let size = (value.abs() - i64::from(theta)).max(0);
                    let (value, second) = clamp(size * value.signum());
                    (value, first || second)
                }
            };
            (value as i16, clipped)
        });
        for set in Kernels::available() {
            let mut out = [there as i16; 8];
            let saturated = set.requantise(&sums, 8, &scaling, finish, (&mut out, 8));
            assert_eq!(out, by_hand.map(|(value, _)| value), "{finish:?}");
            let clipped = by_hand.iter().filter(|(_, clipped)| *clipped).count();
            assert_eq!(saturated as usize, clipped, "{} {finish:?}", set.name());
        }
    }
}

/// Rows that overlap: each is written over the one before.
#[test]
fn overlapping_rows_are_written_one_after_the_other() {
    let sums: Vec<i32> = words(23, 4 * 16).map(|word| word as i32).collect();
    let finish = |set: Kernels| {
        let mut scaling = Scaling::ZERO;
        let factor = Requant::new(1 << 30, 45).unwrap();
        (0..16).for_each(|output| scaling.set(output, 5, factor));
        let mut out = [7; 40];
        let saturated = set.requantise(&sums, 16, &scaling, Finish::Add, (&mut out, 5));
        (out, saturated)
    };
    let expected = finish(Kernels::SCALAR);
    assert_ne!(expected.0[..20], [7; 20]);
    assert_eq!(expected.0[20..], [7; 20]);
    assert!(Kernels::available().all(|set| finish(set) == expected));
}

#[test]
fn what_is_out_of_range_is_left_alone() {
    let wide = ProductShape {
        outputs: MAX_OUTPUTS + 1,
        segments: 1,
        run: 1,
    };
    for set in Kernels::available() {
        let mut packed = [7; 100];
        set.pack(wide, &[1; 65], &mut packed);
        assert_eq!(packed, [7; 100]);
        let row = Row::new(8, (1, 1, 1), 5);
        set.pack(row.shape, &row.weights[1..], &mut packed);
        assert_eq!(packed, [7; 100]);
        row.product(set, |product| {
            let (mut sums, mut out) = ([7; 40], [7; 40]);
            let shape = wide;
            set.accumulate(&Product { shape, ..*product }, &mut sums);
            set.accumulate(product, &mut sums[1..]);
            let to = (&mut out[..], 8);
            let wide = Product { shape, ..*product };
            let saturated = set.row(&wide, &mut sums, &Scaling::ZERO, Finish::Plain, to);
            assert_eq!((saturated, sums, out), (0, [7; 40], [7; 40]));
            let to = (&mut out[..], 8);
            set.row(product, &mut sums[1..], &Scaling::ZERO, Finish::Plain, to);
            assert_eq!(out, [7; 40]);
        });
    }
}

/// Bilinear samples over a map of `side` with its border of zeros.
fn check_samples(side: usize, channels: usize, (near, bits): (u32, u32), missing: usize) {
    let mut map = inputs(11, (side * (side + 1) + 1) * channels);
    let pixels = map.chunks_mut(channels).step_by(side + 1);
    pixels.for_each(|border| border.fill(0));
    map.truncate(map.len() - missing);
    let count = 3.min(side);
    let offsets: Vec<i16> = words(13, count * 18).map(|w| w as i16 >> near).collect();
    let sampling = Sampling {
        map: &map,
        side,
        channels,
        row: side / 2,
        column: side - count,
        offsets: &offsets,
        bits,
    };
    let patches = |set: Kernels| {
        let mut patches = vec![i16::MIN; count * 9 * channels + 3];
        set.sample(&sampling, &mut patches);
        patches
    };
    let expected = patches(Kernels::SCALAR);
    assert_eq!(expected[count * 9 * channels..], [i16::MIN; 3]);
    for set in Kernels::available() {
        let what = (side, channels, near, bits, missing);
        assert_eq!(patches(set), expected, "{} {what:?}", set.name());
    }
    if missing > 0 {
        return;
    }
    for (index, offset) in offsets.chunks(2).enumerate() {
        let base = [
            side / 2 + index % 9 / 3,
            side - count + index / 9 + index % 3,
        ];
        let unit = f64::from(1 << bits);
        let [row, column] = [0, 1].map(|k| base[k] as f64 - 1.0 + f64::from(offset[k]) / unit);
        let patch = &expected[index * channels..][..channels];
        for (channel, &got) in patch.iter().enumerate() {
            let want = bilinear(&map, side, (channel, channels), (row, column));
            // Weights of 14 bits, of which the products are rounded, on values below 2¹³.
            assert!((f64::from(got) - want).abs() <= 2.0, "{got} {want}");
        }
    }
}

/// A sample by its definition, outside the map 0.
fn bilinear(
    map: &[i16],
    side: usize,
    (channel, channels): (usize, usize),
    (row, column): (f64, f64),
) -> f64 {
    let mut sum = 0.0;
    for r in 0..side {
        for c in 0..side {
            let weight = |place: f64, at: usize| (1.0 - (place - at as f64).abs()).max(0.0);
            let weight = weight(row, r) * weight(column, c);
            let value = map[(r * (side + 1) + c + 1) * channels + channel];
            sum += weight * f64::from(value);
        }
    }
    sum
}

#[test]
fn samples_agree_inside_and_outside_the_map() {
    for side in [1, 5, MAX_PIXELS] {
        for channels in [8, 16, 24] {
            for offsets in [(2, 14), (5, 9), (0, 6)] {
                check_samples(side, channels, offsets, 0);
                check_samples(side, channels, offsets, channels + 1);
            }
        }
    }
    let beyond = Sampling {
        map: &[1; 64],
        side: MAX_PIXELS + 1,
        channels: 8,
        row: 0,
        column: 0,
        offsets: &[0; 18],
        bits: 14,
    };
    for set in Kernels::available() {
        let mut patches = [7; 72];
        set.sample(&beyond, &mut patches);
        assert_eq!(patches, [7; 72]);
    }
}

#[test]
fn rows_times_tables() {
    let rows = inputs(17, 3 * TABLE_SIDE);
    let mut table = inputs(19, TABLE_SIDE * TABLE_SIDE);
    table.iter_mut().step_by(3).for_each(|x| *x = 0);
    for set in Kernels::available() {
        let mut sums = [7; 3 * TABLE_SIDE + 1];
        set.multiply(&rows, &table, &mut sums);
        for (at, &got) in sums[..3 * TABLE_SIDE].iter().enumerate() {
            let (row, column) = (at / TABLE_SIDE, at % TABLE_SIDE);
            let term = |k: usize| {
                let factor = i64::from(rows[row * TABLE_SIDE + k]);
                factor * i64::from(table[k * TABLE_SIDE + column])
            };
            assert_eq!(i64::from(got), (0..TABLE_SIDE).map(term).sum::<i64>());
        }
        assert_eq!(sums[3 * TABLE_SIDE], 7);
    }
}

#[test]
fn sets_have_names_and_the_definition_comes_first() {
    let sets: Vec<Kernels> = Kernels::available().collect();
    assert_eq!(
        (sets[0], sets.last()),
        (Kernels::SCALAR, Some(&Kernels::best()))
    );
    let mut names: Vec<&str> = sets.iter().map(|set| set.name()).collect();
    assert_eq!(names[0], "scalar");
    names.dedup();
    assert_eq!(names.len(), sets.len());
    for set in sets {
        let most = set.peak(4);
        assert_eq!(most.is_none(), set == Kernels::SCALAR);
        assert_eq!(most, set.peak(2).map(|half| 2 * half));
    }
}
