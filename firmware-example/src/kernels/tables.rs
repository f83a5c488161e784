//! Rows times a table.

use derefnet_core::arch::{Kernels, TABLE_SIDE};

use super::others;
use crate::numbers::Numbers;
use crate::report::Report;

const ROWS: usize = 2;

pub(super) fn check(report: &mut Report) {
    let mut numbers = Numbers::new(0x5eed_0005);
    let mut table = [0; TABLE_SIDE * TABLE_SIDE];
    let mut rows = [0; ROWS * TABLE_SIDE];
    // All rows; one number at either end; bands; nothing.
    for (case, band) in [0..33, 0..1, 32..33, 5..9, 30..33, 7..7]
        .into_iter()
        .enumerate()
    {
        numbers.fill(&mut table, Numbers::half);
        numbers.fill(&mut rows, Numbers::half);
        for row in rows.as_chunks_mut::<TABLE_SIDE>().0 {
            let outside = |k: &usize| !band.contains(k);
            (0..TABLE_SIDE).filter(outside).for_each(|k| row[k] = 0);
        }
        // A table and sums that end early.
        for (variant, short) in [0, 1].into_iter().enumerate() {
            let run = |kernels: Kernels| {
                let mut sums = [-1; ROWS * TABLE_SIDE];
                let length = sums.len() - short;
                kernels.multiply(
                    &rows,
                    &table[..table.len() - 40 * short],
                    &mut sums[..length],
                );
                sums
            };
            let expected = run(Kernels::SCALAR);
            report.record(&expected);
            for kernels in others() {
                let good = run(kernels) == expected;
                report.check(good, "tables", kernels.name(), case * 10 + variant);
            }
        }
    }
}
