//! Shared pieces of the test suites: oracles, generators and tolerances.

pub mod datasets;
pub mod oracle;
pub mod statistics;
pub mod strategies;
pub mod tolerance;
