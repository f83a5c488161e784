//! The suite of training in several processes, where an MPI installation is or may come.

use std::path::Path;
use std::process::Command;

use crate::debian;
use crate::features::workspace;
use crate::shell::{cargo, command, output, run, works};
use crate::step::{Options, Outcome, Step};

/// What brings `mpirun`, `mpicc` and libclang; the build script of the crate `mpi-sys` reads the
/// system's `mpi.h` with the last two.
const PACKAGES: [&str; 3] = ["openmpi-bin", "libopenmpi-dev", "libclang1"];

/// The step that `cargo xtask test` adds.
pub const STEPS: &[Step] = &[Step {
    name: "mpi",
    group: "suites",
    about: "training in several processes by mpirun",
    run: |options| match require(options) {
        Ok(()) => suite().into(),
        Err(missing) => options.lacking(missing),
    },
}];

/// MPI is there, or gets installed where that may be; how to get it, if not.
pub fn require(options: &Options) -> Result<(), String> {
    let Some(before) = missing() else {
        return Ok(());
    };
    let result = if options.tools.install() {
        debian::install(&PACKAGES, false, options.tools)
    } else {
        Err("not installed here".to_owned())
    };
    let Some(what) = missing() else {
        return Ok(());
    };
    let why = result
        .err()
        .unwrap_or(format!("apt-get did not bring {before}"));
    let install = debian::arguments(&PACKAGES, false).join(" ");
    Err(format!(
        "no {what}: cargo xtask setup or, as root, apt-get update && apt-get {install} ({why})"
    ))
}

/// What of it is not there.
pub fn missing() -> Option<&'static str> {
    let runs = |program: &str| works(command(program, &["--version"]));
    let programs = ["mpirun", "mpicc"].into_iter();
    let mut lacking = programs.filter(|program| !runs(program));
    lacking.next().or((!has_libclang()).then_some("libclang"))
}

/// Whether a library lies where the crate `clang-sys` looks for it.
fn has_libclang() -> bool {
    if std::env::var_os("LIBCLANG_PATH").is_some() {
        return true;
    }
    let folders = |parent: &str| {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        entries.map(|entry| entry.path())
    };
    let of_llvm = folders("/usr/lib")
        .chain(folders("/usr/local"))
        .flat_map(|f| [f.join("lib"), f]);
    let usual = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(|f| Path::new(f).to_owned());
    of_llvm.chain(usual).any(|folder| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.any(|name| is_libclang(&name))
    })
}

/// Whether it is the C interface, and not one of the C++ parts beside it.
fn is_libclang(name: &str) -> bool {
    let rest = name.strip_prefix("libclang");
    let rest = rest.filter(|rest| rest.contains(".so"));
    rest.is_some_and(|rest| {
        rest.starts_with(".so") || rest.starts_with("-") && !rest.starts_with("-cpp")
    })
}

/// Cargo with `args`, and the environment that the feature `mpi` is built in. libclang comes without the
/// headers of its compiler; those of gcc do.
pub fn with_mpi(args: &[&str]) -> Command {
    let mut cargo = cargo(args);
    if std::env::var_os("BINDGEN_EXTRA_CLANG_ARGS").is_none()
        && let Ok(folder) = output(command("cc", &["-print-file-name=include"]))
    {
        cargo.env(
            "BINDGEN_EXTRA_CLANG_ARGS",
            format!("-idirafter{}", folder.trim()),
        );
    }
    cargo
}

fn suite() -> Result<Outcome, String> {
    run(workspace("test", &["--test", "mpi"]))?;
    Ok(Outcome::passed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_c_interface_of_clang_is_told_from_the_rest() {
        for name in [
            "libclang.so",
            "libclang-14.so.1",
            "libclang.so.1",
            "libclang-14.so.13",
        ] {
            assert!(is_libclang(name), "{name}");
        }
        for name in [
            "libclang-cpp.so.14",
            "libclangAST.a",
            "libclang_rt.asan.so",
            "libc.so",
        ] {
            assert!(!is_libclang(name), "{name}");
        }
    }
}
