//! Packed weights and sums of products.

use derefnet_core::arch::{Kernels, MAX_PIXELS, Product, ProductShape};

use super::others;
use crate::board::Room;
use crate::numbers::Numbers;
use crate::report::Report;

/// Outputs, segments, weights of a run, from pixel to pixel, pixels: layers of the network, and
/// shapes that end the inner loops everywhere.
const CASES: [[usize; 5]; 16] = [
    [32, 3, 96, 32, 33],
    [18, 3, 96, 32, 33],
    [32, 3, 3, 1, 33],
    [16, 1, 32, 32, 33],
    [16, 3, 48, 16, 11],
    [32, 3, 15, 5, 11],
    [1, 3, 96, 32, 33],
    [2, 3, 6, 2, 33],
    [1, 3, 6, 2, 33],
    [64, 1, 64, 64, 5],
    [8, 1, 288, 288, 3],
    [24, 2, 49, 7, 2],
    [7, 1, 1, 1, 1],
    [9, 2, 2, 3, 4],
    [17, 1, 20, 4, 3],
    [40, 2, 30, 0, 3],
];
const MOST_WEIGHTS: usize = 32 * 288;
const MOST_INPUTS: usize = 3 * 34 * 32;
const MOST_SUMS: usize = MAX_PIXELS * 32;

struct Memory {
    weights: [u8; MOST_WEIGHTS],
    packed: [i16; MOST_WEIGHTS + 1],
    inputs: [i16; MOST_INPUTS + 1],
    expected: [i32; MOST_SUMS],
    sums: [i32; MOST_SUMS],
}

static MEMORY: Room<Memory> = Room::new(Memory {
    weights: [0; MOST_WEIGHTS],
    packed: [0; MOST_WEIGHTS + 1],
    inputs: [0; MOST_INPUTS + 1],
    expected: [0; MOST_SUMS],
    sums: [0; MOST_SUMS],
});

pub(super) fn check(report: &mut Report) {
    let Some(room) = MEMORY.take() else {
        return report.check(false, "products", "memory", 0);
    };
    let mut numbers = Numbers::new(0x5eed_0001);
    for (case, &[outputs, segments, run, stride, pixels]) in CASES.iter().enumerate() {
        let shape = ProductShape {
            outputs,
            segments,
            run,
        };
        room.check(report, &mut numbers, case, shape, (stride, pixels));
    }
    for run in 1..=40 {
        let shape = ProductShape {
            outputs: 8,
            segments: 1,
            run,
        };
        room.check(report, &mut numbers, 100 + run, shape, (run % 3 + 1, 3));
    }
}

impl Memory {
    fn check(
        &mut self,
        report: &mut Report,
        numbers: &mut Numbers,
        case: usize,
        shape: ProductShape,
        (stride, pixels): (usize, usize),
    ) {
        numbers.fill(&mut self.weights, Numbers::byte);
        numbers.fill(&mut self.inputs, Numbers::half);
        let needed = (pixels - 1) * stride + shape.padded_run();
        // On and off words, whole and short, all runs and one too few.
        for variant in 0..8 {
            let [odd, short, absent] = [1, 2, 4].map(|bit| variant & bit != 0);
            let length = if short {
                needed - 1 - needed / 3
            } else {
                needed
            };
            let from = usize::from(odd);
            let inputs = &self.inputs[from..];
            let mut runs = [0, 1, 2].map(|segment| inputs[segment * needed..].get(..length));
            if absent {
                runs[case % shape.segments] = None;
            }
            let mut sums = |kernels: Kernels, sums: &mut [i32]| {
                let packed = &mut self.packed[from..];
                packed.fill(-1);
                kernels.pack(shape, &self.weights[..shape.weights_len()], packed);
                sums.fill(-1);
                let product = Product {
                    shape,
                    packed,
                    runs,
                    stride,
                    pixels,
                };
                kernels.accumulate(&product, sums);
            };
            sums(Kernels::SCALAR, &mut self.expected);
            report.record(&self.expected[..pixels * shape.padded_outputs()]);
            for kernels in others() {
                sums(kernels, &mut self.sums);
                let good = self.sums == self.expected;
                report.check(good, "products", kernels.name(), case * 10 + variant);
            }
        }
    }
}
