//! The workspace with every feature that can be built here, the same for lints and all suites: one build
//! does for them, and what only a feature compiles is linted too.

use std::process::Command;

use crate::mpi;

/// Needs no CUDA: the driver is loaded by the program that runs.
const CUDA: &str = "derefnet-tests/cuda";
/// Needs an MPI installation.
const MPI: &str = ",derefnet-tests/mpi,derefnet-benches/mpi";

/// `cargo name --workspace` with the features, then `more`.
pub fn workspace(name: &str, more: &[&str]) -> Command {
    let features = match mpi::missing() {
        None => [CUDA, MPI].concat(),
        Some(_) => CUDA.to_owned(),
    };
    let args = [name, "--workspace", "--locked", "--features", &features];
    mpi::with_mpi(&[&args[..], more].concat())
}
