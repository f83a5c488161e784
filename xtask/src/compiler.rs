//! Compilers for the boards: that of rustup, or Debian's with a sysroot of its own.
//!
//! Where no target can be downloaded, Debian's compiler builds `core` from the sources that come
//! with it, once, into `target/sysroot/`; later builds need nothing but that folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::debian;
use crate::shell::{cargo, command, output, root, run, works, write};
use crate::step::Options;

/// Debian's packages.
const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
/// Where they put their programs, behind rustup's on the path.
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";

const MANIFEST: &str = "[package]\nname = \"sysroot\"\nedition = \"2024\"\n\n[workspace]\n\n\
    [lib]\npath = \"lib.rs\"\n\n[profile.release]\npanic = \"abort\"\n";

/// Who compiles for a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// The compiler of this repository's toolchain, with a target that rustup brings.
    Rustup,
    /// The one of Debian's packages.
    Debian,
}

impl Compiler {
    /// Reads the word of `--compiler`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "rustup" => Some(Self::Rustup),
            "debian" => Some(Self::Debian),
            _ => None,
        }
    }

    /// A compiler for `target`: the one asked for, else the first that is there or may be had; what
    /// to do, if none is.
    pub fn require(target: &str, options: &Options) -> Result<Self, String> {
        let choices = match options.compiler {
            Some(one) => vec![one],
            None => vec![Self::Rustup, Self::Debian],
        };
        let mut missing = Vec::new();
        for one in choices {
            if one.has(target) {
                return Ok(one);
            }
            let got = if options.tools.install() {
                one.get(target, options)
            } else {
                Err("not installed here".to_owned())
            };
            match got {
                Ok(()) if one.has(target) => return Ok(one),
                Ok(()) => missing.push(format!("{} ({target} is not there)", one.how(target))),
                Err(why) => missing.push(format!("{} ({why})", one.how(target))),
            }
        }
        Err(format!("no target {target}: {}", missing.join("; or ")))
    }

    fn how(self, target: &str) -> String {
        match self {
            Self::Rustup => format!("rustup target add {target}"),
            Self::Debian => {
                let install = debian::arguments(&PACKAGES, false).join(" ");
                format!("as root, apt-get {install}, then cargo xtask setup --compiler debian")
            }
        }
    }

    fn has(self, target: &str) -> bool {
        match self {
            Self::Rustup => {
                let print = ["--print", "target-libdir", "--target", target];
                let folder = output(command("rustc", &print));
                folder.is_ok_and(|folder| Path::new(folder.trim()).is_dir())
            }
            Self::Debian => sysroot().is_ok_and(|sysroot| libraries(&sysroot, target).is_dir()),
        }
    }

    fn get(self, target: &str, options: &Options) -> Result<(), String> {
        match self {
            Self::Rustup => run(command("rustup", &["target", "add", target])),
            Self::Debian => {
                let there = [RUSTC, CARGO].map(|program| works(command(program, &["--version"])));
                if there != [true; 2] || !vendored()?.is_dir() {
                    debian::install(&PACKAGES, false, options.tools)?;
                }
                build(target)
            }
        }
    }

    /// What it says of itself.
    pub fn version(self) -> Result<String, String> {
        let program = match self {
            Self::Rustup => "rustc",
            Self::Debian => RUSTC,
        };
        let version = output(command(program, &["--version"]))?;
        Ok(version.trim().to_owned())
    }

    /// Cargo with `args`, which compiles for `target` by this compiler.
    pub fn cargo(self, args: &[&str], target: &str) -> Result<Command, String> {
        let mut build = host_cargo(args);
        if self == Self::Debian {
            let sysroot = sysroot()?;
            let mut set = |key: &str, value: String| {
                build.args(["--config", &format!("target.{target}.{key}={value}")]);
            };
            // They join those of the board.
            set("rustflags", format!("[\"--sysroot\", {sysroot:?}]"));
            set("linker", format!("{:?}", linker()?));
            build.env("RUSTC", RUSTC);
        }
        Ok(build)
    }
}

/// Cargo with `args`, which compiles for this machine; flags from outside would replace those that a
/// folder has for itself.
pub fn host_cargo(args: &[&str]) -> Command {
    let mut build = cargo(args);
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        build.env_remove(variable);
    }
    build
}

/// The linker that comes with rustup's compiler.
pub fn linker() -> Result<PathBuf, String> {
    let sysroot = output(command("rustc", &["--print", "sysroot"]))?;
    let host = field("rustc", "host")?;
    let folder = Path::new(sysroot.trim()).join("lib/rustlib").join(host);
    Ok(folder.join("bin/rust-lld"))
}

/// A line of what `rustc` says about itself.
fn field(rustc: &str, name: &str) -> Result<String, String> {
    let version = output(command(rustc, &["-vV"]))?;
    let value = |line: &str| {
        line.strip_prefix(name)?
            .strip_prefix(": ")
            .map(str::to_owned)
    };
    let value = version.lines().find_map(value);
    value.ok_or_else(|| format!("{rustc} -vV: names no {name}"))
}

/// Libraries fit the one compiler that built them.
fn sysroot() -> Result<PathBuf, String> {
    let hash = field(RUSTC, "commit-hash")?;
    Ok(root().join("target/sysroot").join(hash))
}

fn libraries(sysroot: &Path, target: &str) -> PathBuf {
    sysroot.join("lib/rustlib").join(target).join("lib")
}

/// Sources of the crates that `core` and its companions depend on.
fn vendored() -> Result<PathBuf, String> {
    if !works(command(RUSTC, &["--version"])) {
        return Ok(PathBuf::new());
    }
    let release = field(RUSTC, "release")?;
    Ok(PathBuf::from(format!(
        "/usr/src/rustc-{release}/library/vendor"
    )))
}

/// Builds `core` and its companions for `target`, for its generic processor: with the flags of a
/// Cortex-M55 the compiler fails on them.
fn build(target: &str) -> Result<(), String> {
    let folder = root().join("target/xtask/sysroot");
    write(&folder.join("Cargo.toml"), MANIFEST)?;
    write(&folder.join("lib.rs"), "#![no_std]\n")?;
    let vendored = vendored()?;
    let args = [
        "build",
        "--offline",
        "--release",
        "--quiet",
        "--target",
        target,
    ];
    let mut build = command(CARGO, &args);
    build.arg("-Zbuild-std=core,alloc");
    build.args(["--config", "source.crates-io.replace-with='vendored'"]);
    build.args([
        "--config",
        &format!("source.vendored.directory={vendored:?}"),
    ]);
    build.arg("--target-dir").arg(folder.join("target"));
    build.env("RUSTC", RUSTC).env("RUSTC_BOOTSTRAP", "1");
    // Programs are optimised together with `core`.
    build.env("RUSTFLAGS", "-Cembed-bitcode=yes");
    build
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .current_dir(&folder);
    eprintln!("    building core for {target}, once");
    run(build)?;
    let built = folder.join("target").join(target).join("release/deps");
    copy_libraries(&built, &libraries(&sysroot()?, target))
}

/// Copies the libraries of `core` and its companions; the folder `to` is there when all of them are.
fn copy_libraries(built: &Path, to: &Path) -> Result<(), String> {
    let fail = |error: std::io::Error| format!("{}: {error}", to.display());
    let part = to.with_extension("part");
    std::fs::create_dir_all(&part).map_err(fail)?;
    for entry in std::fs::read_dir(built).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let wanted = ["libcore-", "liballoc-", "libcompiler_builtins-"];
        if name.ends_with(".rlib") && wanted.iter().any(|start| name.starts_with(start)) {
            std::fs::copy(entry.path(), part.join(&name)).map_err(fail)?;
        }
    }
    std::fs::rename(&part, to).map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_option() {
        assert_eq!(Compiler::named("debian"), Some(Compiler::Debian));
        assert_eq!(Compiler::named("rustup"), Some(Compiler::Rustup));
        assert_eq!(Compiler::named("gcc"), None);
    }

    #[test]
    fn only_whole_sysroots_are_there() {
        let folder = std::env::temp_dir().join(format!("derefnet-sysroot-{}", std::process::id()));
        let (built, to) = (folder.join("deps"), folder.join("lib"));
        assert!(copy_libraries(&built, &to).is_err());
        assert!(!to.is_dir());
        std::fs::create_dir_all(&built).unwrap();
        for name in ["libcore-1.rlib", "libcore-1.rmeta", "libsysroot-1.rlib"] {
            std::fs::write(built.join(name), "").unwrap();
        }
        copy_libraries(&built, &to).unwrap();
        let names = std::fs::read_dir(&to).unwrap().flatten();
        let names: Vec<_> = names.map(|entry| entry.file_name()).collect();
        assert_eq!(names, ["libcore-1.rlib"]);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
