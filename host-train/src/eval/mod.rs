//! Networks over frames, the metric over data sets, and how good the answers could be and say to be.

pub mod bound;
pub mod calibration;
pub mod covariance;
pub mod efficiency;
pub mod frames_json;
pub mod judge;
pub mod masks;
pub mod matching;
pub mod metric;
pub mod network;
pub mod offgrid;
pub mod parity;
pub mod peaks;
pub mod ratio;
pub mod stream;
