//! Shared pieces of the test suites: oracles, problems, generators and tolerances.

pub mod cases;
pub mod datasets;
pub mod exact;
pub mod fnv;
pub mod models;
pub mod oracle;
pub mod property;
pub mod results;
pub mod statistics;
pub mod strategies;
pub mod threads;
pub mod tolerance;
pub mod tract;
