//! Every set of kernels that the board can run, against the scalar one.

mod products;
mod requantise;
mod samples;
mod tables;

use derefnet_core::arch::Kernels;

use crate::report::Report;
use crate::say;

/// Checks all kernels.
pub fn check(report: &mut Report) {
    for kernels in Kernels::available() {
        say!("set {}", kernels.name());
    }
    products::check(report);
    requantise::check(report);
    samples::check(report);
    tables::check(report);
}

/// The sets to compare with the scalar one; it itself stands in for them where there are none.
fn others() -> impl Iterator<Item = Kernels> {
    let sets = Kernels::available().count();
    Kernels::available().skip(usize::from(sets > 1))
}
