//! Shared pieces of the test suites: oracles and tolerances.
