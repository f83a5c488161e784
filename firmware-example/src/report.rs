//! Results of a self-test.

use crate::hash::Hash;
use crate::say;

/// Findings, and a hash of all results.
#[derive(Debug, Default)]
pub struct Report {
    hash: Hash,
    checks: u32,
    failures: u32,
}

impl Report {
    /// Results become part of the hash.
    pub fn record<T: Copy + Into<i32>>(&mut self, results: &[T]) {
        for &result in results {
            self.hash.take(&result.into().to_le_bytes());
        }
    }

    /// Counts a check, and names it where it failed.
    pub fn check(&mut self, good: bool, name: &str, set: &str, case: usize) {
        self.checks += 1;
        if !good {
            self.failures += 1;
            say!("failed {name} {set} case {case}");
        }
    }

    /// Prints the hash under `name`; whether all checks were good.
    pub fn finish(self, name: &str) -> bool {
        say!("checks {} failures {}", self.checks, self.failures);
        say!("hash {name} {:016x}", self.hash.value());
        self.checks > 0 && self.failures == 0
    }
}
