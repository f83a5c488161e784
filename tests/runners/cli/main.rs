//! The program `derefnet` as a process: answers, refusals, interruption.

#![allow(
    clippy::unwrap_used,
    reason = "a helper outside a test function fails the test all the same"
)]

mod answers;
mod bad_arguments;
mod bad_frames;
mod damage;
mod files;
mod interruption;
mod process;
mod quantise;
mod round_trip;
mod unmix;
