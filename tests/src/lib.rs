//! Shared pieces of the test suites: oracles, problems, generators and tolerances.

pub mod cases;
pub mod oracle;
pub mod strategies;
pub mod tolerance;
