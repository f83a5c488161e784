//! What the boards need on this machine: compiler targets and QEMU.

use std::path::Path;

use crate::shell::{command, output, run, works};
use crate::step::{Options, Outcome, Step};

/// Targets of the boards in `firmware-example/boards/`.
const TARGETS: [&str; 3] = [
    "thumbv7em-none-eabihf",
    "thumbv8m.main-none-eabihf",
    "riscv32imac-unknown-none-elf",
];

/// Debian's and Ubuntu's packages and the programs they bring.
const EMULATORS: [[&str; 2]; 2] = [
    ["qemu-system-arm", "qemu-system-arm"],
    ["qemu-system-misc", "qemu-system-riscv32"],
];

/// The steps of `cargo xtask setup`.
pub const STEPS: &[Step] = &[
    Step {
        name: "targets",
        group: "setup",
        about: "compiler targets of the boards, by rustup",
        run: |options| all(&TARGETS, |target| require_target(target, options)),
    },
    Step {
        name: "qemu",
        group: "setup",
        about: "QEMU for ARM and RISC-V, by apt-get",
        run: |options| {
            let programs = EMULATORS.map(|[_, program]| program);
            all(&programs, |program| require_emulator(program, options))
        },
    },
];

fn all(names: &[&str], require: impl Fn(&str) -> Result<(), String>) -> Outcome {
    let missing = names.iter().filter_map(|name| require(name).err());
    Outcome::unless(missing.collect())
}

/// The compiler has `target`, or gets it where that may be installed; how to get it, if not.
pub fn require_target(target: &str, options: &Options) -> Result<(), String> {
    let print = ["--print", "target-libdir", "--target", target];
    let present = || {
        let folder = output(command("rustc", &print));
        folder.is_ok_and(|folder| Path::new(folder.trim()).is_dir())
    };
    let add = ["target", "add", target];
    require(present, options, || command("rustup", &add), "rustup")
        .map_err(|why| format!("no target {target}: rustup target add {target} ({why})"))
}

/// The emulator `program` runs, or gets installed where that may be; how to get it, if not.
pub fn require_emulator(program: &str, options: &Options) -> Result<(), String> {
    let package = EMULATORS.iter().find(|[_, brings]| *brings == program);
    let package = package.map_or(program, |[package, _]| package);
    let present = || works(command(program, &["--version"]));
    // Nothing that is there already may have to go.
    let mut install = vec!["install", "--yes", "--no-remove", "--no-install-recommends"];
    let suite = backports();
    if let Some(suite) = &suite {
        install.extend(["--target-release", suite]);
    }
    install.push(package);
    let get = || {
        // Lists that cannot be renewed may still do.
        let _ = run(command("apt-get", &["update"]));
        command("apt-get", &install)
    };
    require(present, options, get, "apt-get").map_err(|why| {
        let install = install.join(" ");
        format!("no {program}: as root, apt-get update && apt-get {install} ({why})")
    })
}

/// Tries `install` unless `present`.
fn require(
    present: impl Fn() -> bool,
    options: &Options,
    install: impl Fn() -> std::process::Command,
    tool: &str,
) -> Result<(), String> {
    if present() {
        return Ok(());
    }
    if !options.install {
        return Err("not installed here".to_owned());
    }
    let result = run(install());
    if present() {
        return Ok(());
    }
    Err(result.err().unwrap_or(format!("{tool} did not bring it")))
}

/// The suite of backports that apt-get knows, whose QEMU is newer.
fn backports() -> Option<String> {
    let policy = output(command("apt-cache", &["policy"])).ok()?;
    let word = policy
        .split([' ', ',', '\n', '/'])
        .find(|word| word.ends_with("-backports"))?;
    Some(
        word.trim_start_matches("n=")
            .trim_start_matches("a=")
            .to_owned(),
    )
}
