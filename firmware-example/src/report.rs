//! Results of a self-test.

use crate::say;

/// Findings, and a hash of all results: FNV-1a, 64 bits.
#[derive(Debug)]
pub struct Report {
    hash: u64,
    checks: u32,
    failures: u32,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            checks: 0,
            failures: 0,
        }
    }
}

impl Report {
    /// Results become part of the hash.
    pub fn record<T: Copy + Into<i32>>(&mut self, results: &[T]) {
        for &result in results {
            for byte in result.into().to_le_bytes() {
                self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
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
        say!("hash {name} {:016x}", self.hash);
        self.checks > 0 && self.failures == 0
    }
}
