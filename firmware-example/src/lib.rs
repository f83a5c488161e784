//! derefnet-core on Cortex-M and RISC-V boards.
//!
//! | module | holds |
//! | --- | --- |
//! | [`board`] | start, text, clock and exit of a board, or of this machine |
//! | [`report`] | results of a self-test, and the hash that all boards must agree on |
//! | [`numbers`] | pseudo-random and extreme inputs |
//! | [`kernels`] | every set of kernels against the scalar one |
//! | [`latency`] | ticks of a piece of work |
//! | [`windows`] | windows with targets |
#![cfg_attr(target_os = "none", no_std)]

pub mod board;
pub mod kernels;
pub mod latency;
pub mod numbers;
pub mod report;
pub mod windows;
