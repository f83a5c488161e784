//! Heap-free core of derefnet: the physics of the sensor and the CSO-mAP metric.
//!
//! Everything here is `no_std`, allocates nothing, and gives the same bits on every platform:
//! transcendental functions come from `libm`, and every reduction has a fixed order.
//!
//! Coordinates: `x` is the row axis, `y` the column axis, in low-resolution pixels; pixel centres
//! are the integers.
#![no_std]
#![forbid(unsafe_code)]

pub mod metric;
pub mod physics;
