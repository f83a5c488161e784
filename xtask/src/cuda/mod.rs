//! `cargo xtask cuda`: PTX from the kernels' sources, what ptxas makes of it, and the suites on the
//! emulated driver.
//!
//! | module | holds |
//! | --- | --- |
//! | [`nvcc`] | the compiler, by its Python packages |
//! | [`ptx`] | committed PTX against what the compiler gives |
//! | [`ptxas`] | registers, shared memory, spills |
//! | [`occupancy`] | how many warps of a kernel a multiprocessor holds |
//! | [`emulator`] | the driver for tests, its own tests, the suites on it |

mod emulator;
mod nvcc;
mod occupancy;
mod ptx;
mod ptxas;

use std::path::{Path, PathBuf};

use crate::shell::root;
use crate::step::{Options, Outcome, Step};

pub use ptx::write;

/// The steps of `cargo xtask cuda`.
pub const STEPS: &[Step] = &[
    Step {
        name: "ptx",
        group: "cuda",
        about: "the committed PTX is what nvcc makes of the kernels",
        run: |options| with_nvcc(options, ptx::check),
    },
    Step {
        name: "ptxas",
        group: "cuda",
        about: "machine code for sm_80 and sm_90 without spills",
        run: |options| with_nvcc(options, ptxas::check),
    },
    Step {
        name: "emulator-lint",
        group: "cuda",
        about: "format and lints of the emulated driver",
        run: emulator::lint,
    },
    Step {
        name: "emulator",
        group: "cuda",
        about: "tests of the emulated driver, every planted fault among them",
        run: |_| emulator::tests(),
    },
    Step {
        name: "cuda-ptx",
        group: "cuda",
        about: "the CUDA suites, their PTX interpreted (CPU-emulated)",
        run: |_| emulator::suites(emulator::Mode::Ptx),
    },
];

/// What only `cargo xtask cuda` does: the kernels in the other mode, the last step half an hour of one
/// core.
pub const SLOW: &[Step] = &[
    Step {
        name: "cuda-native",
        group: "cuda",
        about: "the CUDA suites, their kernels compiled by g++ (CPU-emulated)",
        run: |_| emulator::suites(emulator::Mode::Native),
    },
    Step {
        name: "cuda-golden",
        group: "cuda",
        about: "golden tensors of the whole network, kernels compiled by g++ (CPU-emulated)",
        run: |_| emulator::slow_suites(),
    },
];

/// The step of `cargo xtask setup` that brings nvcc.
pub fn set_up(options: &Options) -> Outcome {
    match nvcc::require(options) {
        Ok(_) => Outcome::passed(),
        Err(missing) => Outcome::failed(missing),
    }
}

fn with_nvcc(options: &Options, check: fn(&Path) -> Result<Outcome, String>) -> Outcome {
    match nvcc::require(options) {
        Ok(folder) => check(&folder).into(),
        Err(missing) => options.lacking(missing),
    }
}

/// The kernels' sources, by the stems of their files, in order.
fn stems(folder: &str) -> Result<Vec<String>, String> {
    let path = root().join(folder);
    let fail = |error| format!("{folder}: {error}");
    let entries = std::fs::read_dir(&path).map_err(fail)?;
    let paths = entries.flatten().map(|entry| entry.path());
    let sources = paths.filter(|path| path.extension().is_some_and(|end| end == "cu"));
    let stem = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let mut stems: Vec<_> = sources.filter_map(stem).collect();
    stems.sort();
    Ok(stems)
}
