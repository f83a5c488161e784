//! What boards, CUDA kernels, the coverage of core, training in several processes and the report need on
//! this machine: compilers, QEMU, readers of profiles, MPI, a browser.

use std::process::Command;

use crate::compiler::Compiler;
use crate::shell::{command, works};
use crate::step::{Options, Outcome, Step};
use crate::{browser, coverage, cuda, debian, mpi};

/// Targets of the boards in `firmware-example/boards/`.
const TARGETS: [&str; 3] = [
    "thumbv7em-none-eabihf",
    "thumbv8m.main-none-eabihf",
    "riscv32imac-unknown-none-elf",
];

/// A program of Debian's and Ubuntu's packages.
struct Tool {
    program: &'static str,
    package: &'static str,
    /// Whether from backports, where it is newer.
    newest: bool,
}

const EMULATORS: [Tool; 2] = [
    Tool {
        program: "qemu-system-arm",
        package: "qemu-system-arm",
        newest: true,
    },
    Tool {
        program: "qemu-system-riscv32",
        package: "qemu-system-misc",
        newest: true,
    },
];

/// The C compiler for the example in `firmware-example/c/`.
pub const GCC: &str = "arm-none-eabi-gcc";
const C_COMPILER: Tool = Tool {
    program: GCC,
    package: "gcc-arm-none-eabi",
    newest: false,
};

/// Chromium without windows, for the page of `derefnet report`.
const BROWSER: Tool = Tool {
    program: "chromium-headless-shell",
    package: "chromium-headless-shell",
    newest: false,
};

/// The steps of `cargo xtask setup`.
pub const STEPS: &[Step] = &[
    Step {
        name: "targets",
        group: "setup",
        about: "compiler targets of the boards, by rustup or of Debian's compiler",
        run: |options| all(&TARGETS, |target| require_target(target, options)),
    },
    Step {
        name: "c-compiler",
        group: "setup",
        about: "C compiler for ARM, by apt-get",
        run: |options| all(&[GCC], |_| require_gcc(options)),
    },
    Step {
        name: "qemu",
        group: "setup",
        about: "QEMU for ARM and RISC-V, by apt-get",
        run: |options| {
            let programs = EMULATORS.map(|tool| tool.program);
            all(&programs, |program| require_emulator(program, options))
        },
    },
    Step {
        name: "nvcc",
        group: "setup",
        about: "compiler of the CUDA kernels, by pip into target/",
        run: cuda::set_up,
    },
    Step {
        name: "coverage",
        group: "setup",
        about: "LLVM's readers of profiles, by rustup or apt-get",
        run: |options| all(&["llvm"], |_| coverage::require_readers(options)),
    },
    Step {
        name: "mpi",
        group: "setup",
        about: "Open MPI and libclang, by apt-get",
        run: |options| all(&["mpi"], |_| mpi::require(options)),
    },
    Step {
        name: "browser",
        group: "setup",
        about: "a browser for the page of `derefnet report`, by apt-get",
        run: browser::set_up,
    },
];

fn all(names: &[&str], require: impl Fn(&str) -> Result<(), String>) -> Outcome {
    let missing = names.iter().filter_map(|name| require(name).err());
    Outcome::unless(missing.collect())
}

/// A compiler has `target`, or gets it where that may be installed; how to get it, if not.
pub fn require_target(target: &str, options: &Options) -> Result<(), String> {
    Compiler::require(target, options).map(drop)
}

/// The emulator `program` runs, or gets installed where that may be; how to get it, if not.
pub fn require_emulator(program: &str, options: &Options) -> Result<(), String> {
    let tool = EMULATORS.iter().find(|tool| tool.program == program);
    let tool = tool.ok_or_else(|| format!("no package brings {program}"))?;
    tool.require(options)
}

/// The C compiler runs, or gets installed where that may be; how to get it, if not.
pub fn require_gcc(options: &Options) -> Result<(), String> {
    C_COMPILER.require(options)
}

/// The browser of Debian's package runs, or gets installed where that may be; how to get it, if not.
pub fn require_browser(options: &Options) -> Result<(), String> {
    BROWSER.require(options)
}

impl Tool {
    fn require(&self, options: &Options) -> Result<(), String> {
        if works(self.version()) {
            return Ok(());
        }
        let result = if options.tools.install() {
            debian::install(&[self.package], self.newest, options.tools)
        } else {
            Err("not installed here".to_owned())
        };
        if works(self.version()) {
            return Ok(());
        }
        let why = result
            .err()
            .unwrap_or("apt-get did not bring it".to_owned());
        let install = debian::arguments(&[self.package], self.newest).join(" ");
        let program = self.program;
        Err(format!(
            "no {program}: cargo xtask setup or, as root, apt-get update && apt-get {install} ({why})"
        ))
    }

    fn version(&self) -> Command {
        command(self.program, &["--version"])
    }
}
