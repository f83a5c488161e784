//! Host side of derefnet.
//!
//! Data flows one way: [`scene`] → [`dataset`] → [`train`] → model file → [`eval`].
//!
//! | module | holds |
//! | --- | --- |
//! | [`atomic`] | files written whole or not at all |
//! | [`rng`] | the one portable random generator |
//! | [`cholesky`] | factors of small dense matrices |
//! | [`scene`] | trajectories of point sources, clutter, noise, rendering |
//! | [`dataset`] | splits, on-disk layouts, loaders |
//! | [`tensor`], [`backend`], [`autograd`], [`ops`] | the training engine |
//! | [`model`] | DeRefNet |
//! | [`methods`] | the 23 methods of SeqCSIST Table 7, and ours, as one registry |
//! | [`onnx`] | networks as ONNX files |
//! | [`quantize`] | from a trained network to the integers of a model file |
//! | [`train`] | losses, Adam, schedules, checkpoints |
//! | [`eval`] | the metric over data sets, the Cramér–Rao bound, calibration |
//! | [`benchmark`] | methods trained for an equal budget, evaluated on the same frames |
//! | [`plot`] | figures |
//! | [`report`] | benchmark results as one HTML page |
//! | [`raster`] | grey PNG files |
//! | [`cli`] | the program `derefnet` |

#![deny(clippy::print_stdout)]

pub mod atomic;
pub mod autograd;
pub mod backend;
pub mod benchmark;
pub mod cholesky;
pub mod cli;
pub mod dataset;
pub mod error;
pub mod eval;
pub mod methods;
pub mod model;
pub mod onnx;
pub mod ops;
pub mod plot;
pub mod quantize;
pub mod raster;
pub mod report;
pub mod rng;
pub mod scene;
pub mod tensor;
pub mod train;

pub use error::{Error, Result};
