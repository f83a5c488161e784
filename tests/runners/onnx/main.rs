//! Exported networks: operators and whole networks on tract against oracles, the f32 path and the
//! integers, and ONNX's own checker and runtime where Python has them.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

mod file;
mod operators;
mod python;
mod quantised;
mod random;
mod trained;
mod windows;
