//! Requantisation.

use derefnet_core::arch::{Finish, Kernels, MAX_OUTPUTS, Scaling};
use derefnet_core::fixed::Requant;

use super::others;
use crate::numbers::Numbers;
use crate::report::Report;

const PIXELS: usize = 5;
const STRIDE: usize = MAX_OUTPUTS + 3;

pub(super) fn check(report: &mut Report) {
    let mut numbers = Numbers::new(0x5eed_0002);
    for (case, outputs) in [1, 2, 5, 8, 16, 18, 31, 32, 64].into_iter().enumerate() {
        let mut scaling = Scaling::ZERO;
        for output in 0..outputs {
            let multiplier = numbers.word() & i32::MAX;
            let shift = match numbers.below(4) {
                0 => 32,
                1 => 33,
                _ => 32 + numbers.below(31) as u8,
            };
            let factor = Requant::new(multiplier, shift).unwrap_or(Requant::ZERO);
            scaling.set(output, numbers.word() >> 8, factor);
        }
        let theta = i32::from(numbers.half());
        let finishes = [
            Finish::Plain,
            Finish::Relu,
            Finish::Add,
            Finish::Shrink(theta),
            Finish::Shrink(-5),
        ];
        for (index, finish) in finishes.into_iter().enumerate() {
            compare(
                report,
                &mut numbers,
                (outputs, &scaling, finish),
                case * 10 + index,
            );
        }
    }
}

fn compare(
    report: &mut Report,
    numbers: &mut Numbers,
    (outputs, scaling, finish): (usize, &Scaling, Finish),
    case: usize,
) {
    let padded = if outputs == 1 {
        1
    } else {
        outputs.next_multiple_of(8)
    };
    let (mut sums, mut there) = ([0; PIXELS * MAX_OUTPUTS], [0; PIXELS * STRIDE]);
    numbers.fill(&mut sums, Numbers::word);
    numbers.fill(&mut there, Numbers::half);
    // Whole pixels; room that ends within the last one.
    let whole = PIXELS * STRIDE;
    let short = (PIXELS - 1) * outputs + outputs / 2;
    for (stride, room) in [(outputs, whole), (outputs + 3, whole), (outputs, short)] {
        let run = |kernels: Kernels| {
            let mut out = there;
            let sums = &sums[..PIXELS * padded];
            let to = (&mut out[..room], stride);
            let saturated = kernels.requantise(sums, outputs, scaling, finish, to);
            (out, saturated)
        };
        let expected = run(Kernels::SCALAR);
        report.record(&expected.0);
        report.record(&[expected.1 as i32]);
        for kernels in others() {
            report.check(run(kernels) == expected, "requantise", kernels.name(), case);
        }
    }
}
