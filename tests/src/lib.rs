//! Shared pieces of the test suites: oracles and tolerances.

pub mod oracle;
pub mod statistics;
pub mod tolerance;
