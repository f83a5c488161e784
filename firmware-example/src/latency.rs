//! Ticks of a piece of work.

use crate::board::ticks;
use crate::say;

/// Runs `work` and prints `ticks NAME SET TICKS UNITS`, where `units` counts the multiply-adds,
/// values or whatever else the work consists of. Nothing is printed while the clock runs.
pub fn measure(name: &str, set: &str, units: usize, work: impl FnOnce()) {
    let before = ticks();
    work();
    let taken = ticks() - before;
    say!("ticks {name} {set} {taken} {units}");
}
