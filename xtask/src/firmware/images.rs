//! Images as they are linked: nothing that panics, no more static memory than the stack leaves; and
//! the program in C.

use std::path::{Path, PathBuf};

use super::board::{EDGE, build_here};
use super::elf;
use super::record::Table;
use super::results::words;
use crate::compiler::Compiler;
use crate::image::{PANICS, link_probe};
use crate::setup::GCC;
use crate::shell::{command, root, run, write};

/// Instructions and floating point unit of a Cortex-M7, for both compilers.
const RUST_FLAGS: &str = "rustflags=['-Ctarget-cpu=cortex-m7']";
const C_FLAGS: &str = "-std=c11 -O2 -mcpu=cortex-m7 -mthumb -mfloat-abi=hard -mfpu=fpv5-d16 \
    -ffreestanding -nostdlib -Wall -Wextra -Werror -ffunction-sections -fdata-sections \
    -Wl,--gc-sections,--fatal-warnings,--nmagic,-z,noexecstack -I. -Icore/include \
    -Lfirmware-example/boards -Tfirmware-example/c/link.ld";
/// Windows that the program in C shows.
const SHOWN: usize = 32;
/// Static memory that the board's RAM could hold, but not beside the stack's reserve.
const OVERSIZED: &str =
    "SECTIONS { .oversized (NOLOAD) : { . += 60K; } > RAM } INSERT AFTER .bss;\n";

/// What the image `edge` takes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub sizes: elf::Sizes,
    /// Bytes of stack used at most.
    pub stack: usize,
}

/// The table of a record.
pub fn table(memory: &Memory) -> Table {
    let elf::Sizes { flash, ram } = memory.sizes;
    let bytes = [flash, ram, memory.stack].map(|bytes| bytes.to_string());
    let words = [EDGE.name, "edge"].map(str::to_owned);
    Table {
        name: "sensor",
        columns: "board,image,flash_bytes,static_ram_bytes,stack_bytes_used",
        keys: 2,
        limited: &["flash_bytes", "static_ram_bytes", "stack_bytes_used"],
        rows: vec![words.into_iter().chain(bytes).collect()],
    }
}

/// The image `edge`: nothing in it panics, and with more static memory it does not link.
pub fn edge(compiler: Compiler) -> Result<Vec<String>, String> {
    let programs = EDGE.build(compiler, &["edge"])?;
    let mut symbols = 0;
    for program in &programs {
        symbols += without_panics(compiler, &program.path)?;
    }
    oversized(compiler)?;
    Ok(vec![format!("{symbols} symbols, none of a panic")])
}

/// Symbols of an image, none of which is there for a panic; an image with a function that panics
/// shows that such symbols are seen.
fn without_panics(compiler: Compiler, image: &Path) -> Result<usize, String> {
    let (probe, _) = link_probe(compiler, EDGE.target)?;
    if panics(&elf::symbols(&probe)?).is_empty() {
        return Err("a function that panics went unseen".to_owned());
    }
    let symbols = elf::symbols(image)?;
    let found = panics(&symbols);
    if found.is_empty() {
        return Ok(symbols.len());
    }
    let how = "the linker's option --why-live=*panic* says where from";
    let (image, found) = (image.display(), found.join(", "));
    Err(format!(
        "{image}: expected nothing that panics, got {found}; {how}"
    ))
}

fn panics(symbols: &[String]) -> Vec<&str> {
    let is_one = |name: &&str| PANICS.iter().any(|panic| name.contains(panic));
    symbols.iter().map(String::as_str).filter(is_one).collect()
}

/// Links `edge` with static memory that leaves less than the reserve to its stack; the linker has to
/// refuse.
fn oversized(compiler: Compiler) -> Result<(), String> {
    let script = root().join("target/xtask/firmware/oversized.x");
    write(&script, OVERSIZED)?;
    let config = format!("boards/{}/config.toml", EDGE.name);
    let args = [
        "rustc",
        "--quiet",
        "--release",
        "--locked",
        "--bin",
        "edge",
        "--config",
    ];
    let mut link = compiler.cargo(&[&args[..], &[&config]].concat(), EDGE.target)?;
    // A folder of its own: the image there stays as it is.
    link.arg("--target-dir")
        .arg(root().join("target/oversized"));
    link.args(["--", "-C", &format!("link-arg=-T{}", script.display())]);
    let output = link.current_dir(root().join("firmware-example")).output();
    let output = output.map_err(|error| format!("cargo: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() || !said.contains("ERROR(derefnet): static memory is too large") {
        return Err(format!(
            "{}: too much static memory went unseen: {said}",
            EDGE.name
        ));
    }
    Ok(())
}

/// The program in C: nothing in it panics, and it finds what the program `edge` finds.
pub fn c_example(compiler: Compiler) -> Result<Vec<String>, String> {
    let image = compile(compiler)?;
    let symbols = without_panics(compiler, &image)?;
    let sizes = elf::sizes(&image)?;
    let ran = EDGE.program("c-example", image)?.run(&[])?;
    let edge = build_here("edge")?.run(&["fit", "firmware-example/assets/golden.frames"])?;
    let there = words(&ran.text, "window");
    // Behind the ticks; the program in C prints none.
    let mut here = words(&edge.text, "window");
    here.truncate(SHOWN);
    for words in &mut here {
        words.remove(0);
    }
    if there.len() != SHOWN || here != there {
        let got = there.len();
        return Err(format!(
            "c-example: expected the bits of edge in {SHOWN} windows, got {got}"
        ));
    }
    let (elf::Sizes { flash, ram }, stack) = (sizes, ran.stack);
    Ok(vec![format!(
        "{SHOWN} windows as from Rust, {symbols} symbols, none of a panic; {flash} bytes of flash, \
         {ram} + {stack} bytes of RAM and stack"
    )])
}

/// Builds the library and the program; its path.
fn compile(compiler: Compiler) -> Result<PathBuf, String> {
    let target = EDGE.target;
    let folder = root().join("target/c");
    let args = [
        "build",
        "--release",
        "--quiet",
        "--locked",
        "--target",
        target,
    ];
    let mut library = compiler.cargo(&args, target)?;
    library.args(["--config", &format!("target.{target}.{RUST_FLAGS}")]);
    library.arg("--target-dir").arg(&folder);
    library.current_dir(root().join("core/staticlib"));
    run(library)?;
    let image = folder.join("example.elf");
    let sources =
        ["main.c", "board.c", "assets.S"].map(|name| format!("firmware-example/c/{name}"));
    let mut gcc = command(GCC, &C_FLAGS.split_whitespace().collect::<Vec<_>>());
    gcc.arg(format!("-Lfirmware-example/boards/{}", EDGE.name));
    gcc.args(sources);
    gcc.arg(folder.join(target).join("release/libderefnet_core.a"));
    gcc.arg("-o").arg(&image);
    run(gcc)?;
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_of_panics() {
        let names = [
            "main",
            "_ZN4core9panicking9panic_fmt17h0E",
            "rust_begin_unwind",
        ];
        let symbols = names.map(str::to_owned);
        assert_eq!(panics(&symbols), names[1..]);
        assert!(panics(&symbols[..1]).is_empty());
    }
}
