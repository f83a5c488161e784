//! The registry of methods: counts, gradients, training, files.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

mod counts;
mod exported;
mod gradients;
mod losses;
mod runs;
