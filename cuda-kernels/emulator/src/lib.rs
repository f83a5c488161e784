//! A CUDA driver for tests, on a machine without a GPU: `libcuda.so.1` with the calls that the host
//! backend makes through `cust`. `README.md` says how to use it and what it finds.
//!
//! | module | holds |
//! | --- | --- |
//! | [`api`] | the calls by their names in `cuda.h` |
//! | [`driver`] | the state behind them |
//! | [`queue`], [`event`], [`graph`] | work of streams, done as late as the rules allow |
//! | [`memory`] | device memory, hidden from the host |
//! | [`module`] | loaded PTX and its kernels |
//! | [`ptx`], [`machine`] | PTX, and what interprets it |
//! | [`race`] | which accesses to a word race |
//! | [`native`] | the same kernels, compiled by g++ |
//! | [`error`] | codes, and faults in words |

pub mod api;
pub mod driver;
pub mod error;
pub mod event;
pub mod graph;
pub mod machine;
pub mod memory;
pub mod module;
pub mod native;
pub mod ptx;
pub mod queue;
pub mod race;
