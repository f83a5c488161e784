//! Machines that QEMU imitates, and programs built for them.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::results::words;
use crate::compiler::{Compiler, host_cargo};
use crate::setup::require_emulator;
use crate::shell::{command, read, root, run};
use crate::step::Options;

/// A machine that QEMU imitates.
#[derive(Debug)]
pub struct Board {
    /// Its folder in `firmware-example/boards/`.
    pub name: &'static str,
    pub processor: &'static str,
    /// What the compiler builds for.
    pub target: &'static str,
    pub emulator: &'static str,
    /// Instructions of 64 ns (`-icount shift=6`) a tick of the board's clock.
    pub instructions: f64,
    /// Most instructions a multiply-add of the 3×3 convolution from 32 to 32 channels, with the
    /// board's fastest kernels.
    pub limit: Option<f64>,
}

/// Cortex-M4.
pub const AN386: Board = Board {
    name: "mps2-an386",
    processor: "Cortex-M4",
    target: "thumbv7em-none-eabihf",
    emulator: "qemu-system-arm",
    // 25 MHz.
    instructions: 40.0 / 64.0,
    limit: Some(0.85),
};
/// Cortex-M7.
pub const AN500: Board = Board {
    name: "mps2-an500",
    processor: "Cortex-M7",
    ..AN386
};
/// Cortex-M7 with the flash and RAM that the preset `edge` may take.
pub const EDGE: Board = Board {
    name: "mps2-an500-edge",
    ..AN500
};
/// Cortex-M55.
pub const AN547: Board = Board {
    name: "mps3-an547",
    processor: "Cortex-M55",
    target: "thumbv8m.main-none-eabihf",
    // 32 MHz.
    instructions: 31.25 / 64.0,
    limit: Some(0.40),
    ..AN386
};
/// RISC-V.
pub const VIRT: Board = Board {
    name: "virt",
    processor: "RV32IMAC",
    target: "riscv32imac-unknown-none-elf",
    emulator: "qemu-system-riscv32",
    // The processor counts them itself.
    instructions: 1.0,
    limit: None,
};

/// All boards, one a processor.
pub const BOARDS: [&Board; 4] = [&AN386, &AN500, &AN547, &VIRT];

/// A program that does not end by then hangs: the longest takes two minutes on a free processor.
const LIMIT: Duration = Duration::from_secs(1800);

/// A program as it was built.
#[derive(Debug)]
pub struct Program {
    name: String,
    /// What runs it; empty on this machine.
    runner: Vec<String>,
    /// The board's folder, or this machine.
    place: &'static str,
    pub path: PathBuf,
}

/// What a program left.
#[derive(Debug)]
pub struct Ran {
    pub text: String,
    /// Bytes of its stack that it used; none on this machine.
    pub stack: usize,
}

impl Board {
    /// Who compiles for it; what is missing, if something is.
    pub fn tools(&self, options: &Options) -> Result<Compiler, String> {
        require_emulator(self.emulator, options)?;
        Compiler::require(self.target, options)
    }

    /// Builds programs. Boards of one target share cargo's folder, so each gets a copy.
    pub fn build(&self, compiler: Compiler, names: &[&str]) -> Result<Vec<Program>, String> {
        let config = format!("boards/{}/config.toml", self.name);
        let args = arguments(names, &["--config", &config]);
        build(compiler.cargo(&args, self.target)?)?;
        let copies = root().join("target/xtask/firmware").join(self.name);
        std::fs::create_dir_all(&copies).map_err(|e| format!("{}: {e}", copies.display()))?;
        let copy = |name: &&str| {
            let built = folder().join(self.target).join("release").join(name);
            let path = copies.join(name);
            std::fs::copy(&built, &path).map_err(|e| format!("{}: {e}", built.display()))?;
            self.program(name, path)
        };
        names.iter().map(copy).collect()
    }

    /// The program at `path`.
    pub fn program(&self, name: &str, path: PathBuf) -> Result<Program, String> {
        let config = format!("firmware-example/boards/{}/config.toml", self.name);
        let runner = runner(&read(&config)?)
            .ok_or_else(|| format!("{config}: expected a line runner = \"…\""))?;
        Ok(Program {
            name: name.to_owned(),
            runner,
            place: self.name,
            path,
        })
    }
}

/// Builds a program for this machine.
pub fn build_here(name: &str) -> Result<Program, String> {
    build(host_cargo(&arguments(&[name], &[])))?;
    Ok(Program {
        name: name.to_owned(),
        runner: Vec::new(),
        place: "this machine",
        path: folder().join("release").join(name),
    })
}

fn folder() -> PathBuf {
    root().join("firmware-example/target")
}

fn arguments<'a>(names: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["build", "--quiet", "--release", "--locked"];
    args.extend(["--target-dir", "target"]);
    args.extend(names.iter().flat_map(|name| ["--bin", name]));
    args.extend(more);
    args
}

fn build(mut build: Command) -> Result<(), String> {
    build.current_dir(root().join("firmware-example"));
    run(build)
}

/// The emulator and its arguments out of a board's flags.
fn runner(config: &str) -> Option<Vec<String>> {
    let line = config
        .lines()
        .find_map(|line| line.strip_prefix("runner = \""))?;
    let words = line.trim_end().strip_suffix('"')?.split_whitespace();
    Some(words.map(str::to_owned).collect())
}

impl Program {
    /// Runs it with `args`; it must succeed, in time, and keep to its stack.
    pub fn run(&self, args: &[&str]) -> Result<Ran, String> {
        let fail = |why: String| format!("{} on {}: {why}", self.name, self.place);
        let (text, good) = ended(self.command(args), LIMIT).map_err(fail)?;
        if !good {
            let last: Vec<&str> = text.lines().rev().take(5).collect();
            return Err(fail(format!("failed after: {}", last.join(" | "))));
        }
        let stack = if self.runner.is_empty() {
            0
        } else {
            stack(&text).map_err(fail)?
        };
        Ok(Ran { text, stack })
    }

    fn command(&self, args: &[&str]) -> Command {
        let Some((emulator, options)) = self.runner.split_first() else {
            let mut here = command(&self.path.to_string_lossy(), args);
            here.stdin(Stdio::null());
            return here;
        };
        let mut run = command(emulator, &[]);
        run.args(options).arg(&self.path);
        if !args.is_empty() {
            run.args(["-append", &args.join(" ")]);
        }
        run
    }
}

/// Standard output of `command` and whether it succeeded; it has to end within `limit`.
fn ended(mut command: Command, limit: Duration) -> Result<(String, bool), String> {
    let fail = |error: std::io::Error| error.to_string();
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(fail)?;
    let mut pipe = child.stdout.take().ok_or("no standard output")?;
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).map(|_| text)
    });
    let status = wait(&mut child, limit)?;
    let text = reader.join().map_err(|_| "its output was lost")?;
    Ok((text.map_err(fail)?, status))
}

fn wait(child: &mut Child, limit: Duration) -> Result<bool, String> {
    let fail = |error: std::io::Error| error.to_string();
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(fail)? {
            return Ok(status.success());
        }
        if started.elapsed() > limit {
            child.kill().and_then(|()| child.wait()).map_err(fail)?;
            return Err(format!("not done after {} s, stopped", limit.as_secs_f64()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Bytes of the stack that a program says it used, at most its linker script's reserve.
fn stack(text: &str) -> Result<usize, String> {
    let found = words(text, "stack");
    let numbers: Vec<usize> = found.iter().flatten().flat_map(|w| w.parse()).collect();
    match numbers[..] {
        [used, reserve] if used <= reserve => Ok(used),
        [used, reserve] => Err(format!(
            "{used} bytes of stack, expected at most _stack_reserve, {reserve}"
        )),
        _ => Err("expected one line: stack USED RESERVE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runner_of_every_board() {
        for board in [AN386, AN500, EDGE, AN547, VIRT] {
            let path = format!("firmware-example/boards/{}/config.toml", board.name);
            let runner = runner(&read(&path).unwrap()).unwrap();
            assert_eq!(runner[0], board.emulator);
            assert_eq!(runner.last().unwrap(), "-kernel");
        }
        assert!(runner("[build]\ntarget = \"x\"\n").is_none());
    }

    #[test]
    fn programs_that_hang_are_stopped() {
        let started = Instant::now();
        let hangs = ended(command("sleep", &["60"]), Duration::from_millis(100));
        assert!(hangs.unwrap_err().contains("not done after 0.1 s"));
        assert!(started.elapsed() < Duration::from_secs(30));
        let ends = ended(command("echo", &["7"]), Duration::from_secs(30));
        assert_eq!(ends.unwrap(), ("7\n".to_owned(), true));
    }

    #[test]
    fn the_stack_keeps_to_its_reserve() {
        assert_eq!(stack("a\nstack 70 80\n"), Ok(70));
        assert!(stack("stack 81 80\n").unwrap_err().contains("81"));
        assert!(stack("stack 81\n").is_err() && stack("").is_err());
    }
}
