//! The emulated driver: built, tested, and under the CUDA suites.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::check::component;
use crate::features::workspace;
use crate::shell::{cargo, command, root, run, works};
use crate::step::{Options, Outcome};

const MANIFEST: &str = "cuda-kernels/emulator/Cargo.toml";
const TARGET: &str = "target/emulator";

/// How the driver runs kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It interprets their PTX.
    Ptx,
    /// It calls what g++ made of their sources.
    Native,
}

/// Formatting and lints of a crate that no workspace holds.
pub fn lint(options: &Options) -> Outcome {
    let manifest = ["--manifest-path", MANIFEST];
    let format = [&["fmt"], &manifest[..], &["--check"]].concat();
    let formatted = component(options, "rustfmt", "fmt", cargo(&format));
    if matches!(formatted, Outcome::Failed { .. }) {
        return formatted;
    }
    let target = ["--target-dir", TARGET, "--all-targets", "--locked"];
    let clippy = [
        &["clippy"],
        &manifest[..],
        &target,
        &["--", "-D", "warnings"],
    ]
    .concat();
    component(options, "clippy", "clippy", cargo(&clippy))
}

/// The driver's own tests.
pub fn tests() -> Outcome {
    on_this_machine(|| run(emulator("test", &[])).map(|()| Outcome::passed()))
}

/// Every suite of the CUDA backend that takes seconds.
pub fn suites(mode: Mode) -> Outcome {
    on_this_machine(|| run_suites(mode, &[]))
}

/// Those that take minutes.
pub fn slow_suites() -> Outcome {
    on_this_machine(|| run_suites(Mode::Native, &["--", "--ignored"]))
}

fn run_suites(mode: Mode, more: &[&str]) -> Result<Outcome, String> {
    let folder = library()?;
    let mut test = workspace("test", &[&["--test", "cuda"], more].concat());
    test.env("LD_LIBRARY_PATH", path_with(&folder));
    if mode == Mode::Native {
        test.env("DEREFNET_CUDA_MODE", "native");
        test.env("DEREFNET_CUDA_NATIVE", compiled()?);
    }
    run(test)?;
    Ok(Outcome::passed())
}

fn on_this_machine(check: impl FnOnce() -> Result<Outcome, String>) -> Outcome {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Outcome::Skipped("needs x86-64 and Linux".to_owned());
    }
    if !works(command("g++", &["--version"])) {
        let missing = "needs g++, from the package of that name";
        return match std::env::var_os("CI") {
            Some(_) => Outcome::failed(missing),
            None => Outcome::Skipped(format!("NOT CHECKED: {missing}")),
        };
    }
    check().into()
}

/// `cargo what` for the driver, optimised: interpreted kernels are slow enough.
fn emulator(what: &str, more: &[&str]) -> Command {
    let args = [what, "--release", "--locked", "--manifest-path", MANIFEST];
    let mut cargo = cargo(&[&args[..], &["--target-dir", TARGET], more].concat());
    // Without them every fused multiply-add is a call.
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        cargo.env(
            "RUSTFLAGS",
            "-C target-feature=+avx2,+fma,+bmi1,+bmi2,+popcnt,+lzcnt",
        );
    }
    cargo
}

/// Builds the driver; the folder of its `libcuda.so.1`.
fn library() -> Result<PathBuf, String> {
    run(emulator("build", &["--lib"]))?;
    let folder = root().join(TARGET).join("lib");
    let fail = |error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(&folder).map_err(fail)?;
    let built = root().join(TARGET).join("release/libcuda.so");
    // Not over a file that a running program has mapped.
    let partial = folder.join("libcuda.partial");
    std::fs::copy(&built, &partial).map_err(fail)?;
    std::fs::rename(&partial, folder.join("libcuda.so.1")).map_err(fail)?;
    Ok(folder)
}

/// Compiles the kernels by g++; the shared object.
fn compiled() -> Result<PathBuf, String> {
    let work = root().join(TARGET).join("native");
    let object = work.join("kernels.so");
    let folders = ["cuda-kernels/kernels", "cuda-kernels/ptx"].map(|path| root().join(path));
    let mut build = emulator("run", &["--quiet", "--bin", "build-native", "--"]);
    build.args(folders).arg(&work).arg(&object);
    run(build)?;
    Ok(object)
}

fn path_with(folder: &Path) -> std::ffi::OsString {
    let mut path = folder.as_os_str().to_owned();
    if let Some(more) = std::env::var_os("LD_LIBRARY_PATH") {
        path.push(":");
        path.push(more);
    }
    path
}
