//! Bilinear samples.

use derefnet_core::arch::{Kernels, Sampling};

use super::others;
use crate::board::Room;
use crate::numbers::Numbers;
use crate::report::Report;

/// Side, channels, row, first column, pixels, fraction bits of the displacements.
const CASES: [[usize; 6]; 8] = [
    [33, 8, 0, 0, 11, 9],
    [33, 8, 32, 22, 11, 14],
    [33, 8, 16, 5, 7, 12],
    [13, 32, 12, 0, 5, 0],
    [13, 32, 5, 4, 5, 11],
    [7, 16, 3, 0, 7, 13],
    [1, 24, 0, 0, 1, 14],
    // A map of nothing but its last pixel of zeros.
    [0, 8, 0, 0, 2, 9],
];
const MOST_NUMBERS: usize = (33 * 34 + 1) * 8;
const MOST_SAMPLES: usize = 5 * 9 * 32;
const TAPS: usize = 9;

struct Memory {
    map: [i16; MOST_NUMBERS],
    expected: [i16; MOST_SAMPLES + 1],
    samples: [i16; MOST_SAMPLES + 1],
}

static MEMORY: Room<Memory> = Room::new(Memory {
    map: [0; MOST_NUMBERS],
    expected: [0; MOST_SAMPLES + 1],
    samples: [0; MOST_SAMPLES + 1],
});

pub(super) fn check(report: &mut Report) {
    let mut numbers = Numbers::new(0x5eed_0003);
    let Some(room) = MEMORY.take() else {
        return report.check(false, "samples", "memory", 0);
    };
    for (case, numbers_of) in CASES.into_iter().enumerate() {
        let [side, channels, row, column, pixels, bits] = numbers_of;
        let mut offsets = [0; 2 * TAPS * 11];
        let offsets = &mut offsets[..2 * TAPS * pixels];
        numbers.fill(offsets, |n| n.half() >> n.below(12));
        // The whole map; a map that ends early.
        let whole = (side * (side + 1) + 1) * channels;
        numbers.fill(&mut room.map, Numbers::half);
        for pixel in room.map[..whole].chunks_mut(channels).step_by(side + 1) {
            pixel.fill(0);
        }
        for (variant, length) in [whole, whole / 2].into_iter().enumerate() {
            let sampling = Sampling {
                map: &room.map[..length],
                side,
                channels,
                row,
                column,
                offsets,
                bits: bits as u32,
            };
            let samples = pixels * TAPS * channels;
            let run = |kernels: Kernels, room: &mut [i16]| {
                room.fill(-1);
                // Off words.
                kernels.sample(&sampling, &mut room[variant..][..samples]);
            };
            run(Kernels::SCALAR, &mut room.expected);
            report.record(&room.expected);
            for kernels in others() {
                run(kernels, &mut room.samples);
                let good = room.samples == room.expected;
                report.check(good, "samples", kernels.name(), case * 10 + variant);
            }
        }
    }
}
