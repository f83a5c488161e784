//! The program `derefnet` as a process: answers, refusals, interruption.

mod answers;
mod bad_arguments;
mod bad_frames;
mod damage;
mod files;
mod interruption;
mod process;
mod round_trip;
