//! derefnet-core on Cortex-M and RISC-V boards.
//!
//! | module | holds |
//! | --- | --- |
//! | [`board`] | start, memory, files, text, clock, stack and exit of a board, or of this machine |
//! | [`report`], [`mod@hash`] | results of a self-test, and the hash that all boards must agree on |
//! | [`text`] | lines of text without formatting |
//! | [`numbers`] | pseudo-random and extreme inputs |
//! | [`kernels`] | every set of kernels against the scalar one |
//! | [`models`], [`recording`] | models in flash; recorded frames with their truth |
//! | [`network`] | every readout of a stream over recorded frames |
//! | [`latency`] | ticks of a piece of work |
//! | [`profile`] | ticks of every part of a new frame |
//! | [`windows`] | windows with targets |
#![cfg_attr(target_os = "none", no_std)]

pub mod board;
pub mod hash;
pub mod kernels;
pub mod latency;
pub mod models;
pub mod network;
pub mod numbers;
pub mod profile;
pub mod recording;
pub mod report;
pub mod text;
pub mod windows;
