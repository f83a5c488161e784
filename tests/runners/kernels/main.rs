//! The kernels of the integer network: the scalar set against plain loops, every other set against
//! the scalar one, bit for bit.

#![allow(
    clippy::unwrap_used,
    reason = "a helper outside a test function fails the test all the same"
)]

mod fill;
mod problems;
mod products;
mod requantisation;
mod samples;
