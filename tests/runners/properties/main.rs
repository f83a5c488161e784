//! Properties of the whole: what must hold for every scene, frame, map and number, whatever computes
//! it. Properties that belong to one suite stand in that suite.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

mod numbers;
mod optics;
mod readings;
mod scenes;
mod symmetry;
mod units;
