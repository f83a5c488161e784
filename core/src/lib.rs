//! Heap-free core of derefnet: the physics of the sensor, off-grid localisation of point sources and
//! the CSO-mAP metric.
//!
//! Everything here is `no_std`, allocates nothing, and gives the same bits on every platform:
//! transcendental functions come from `libm`, and every reduction has a fixed order. No function
//! panics on any input: slices of the wrong length and values out of range are [`Error`]s.
//!
//! Coordinates: `x` is the row axis, `y` the column axis, in low-resolution pixels; pixel centres
//! are the integers.
#![no_std]
#![deny(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod arch;
#[cfg(feature = "capi")]
pub mod capi;
pub mod error;
pub mod fixed;
pub mod locate;
pub mod metric;
pub mod net;
pub mod ops;
pub mod physics;
pub mod stream;
pub mod weights;

pub use error::{Error, Result};
