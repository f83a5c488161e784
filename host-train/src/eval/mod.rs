//! The metric over data sets.

pub mod frames_json;
pub mod metric;
pub mod parity;
