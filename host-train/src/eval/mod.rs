//! Networks over frames, and the metric over data sets.

pub mod frames_json;
pub mod metric;
pub mod network;
pub mod parity;
pub mod stream;
