//! What is linked into a program in C: no function that panics, and the functions of the header.

use std::path::{Path, PathBuf};

use crate::compiler::{Compiler, linker};
use crate::shell::{cargo, command, output, read, root, run, write};
use crate::step::Outcome;

/// Sources of the C interface, in the order of the header.
const SOURCES: [&str; 3] = [
    "core/src/capi/codes.rs",
    "core/src/capi/types.rs",
    "core/src/capi.rs",
];
/// The header.
const HEADER: &str = "core/include/derefnet.h";

/// Parts of the names of symbols that only a panic needs: its handler, and what leads to it.
pub const PANICS: [&str; 2] = ["panic", "begin_unwind"];

/// A library with one function that panics, to see that the check sees it.
const PROBE: &str = "#![no_std]\n\n#[panic_handler]\n\
    fn panic(_: &core::panic::PanicInfo) -> ! {\n    loop {}\n}\n\n\
    #[unsafe(no_mangle)]\n\
    pub extern \"C\" fn dref_probe(index: usize) -> u8 {\n    [3, 1, 4][index]\n}\n";
const PROBE_MANIFEST: &str = "[package]\nname = \"no-panic-probe\"\nedition = \"2024\"\n\n\
    [workspace]\n\n[lib]\ncrate-type = [\"staticlib\"]\npath = \"lib.rs\"\n\n\
    [profile.release]\npanic = \"abort\"\nlto = \"fat\"\ncodegen-units = 1\n";

/// Whatever the functions of the header reach in the linked image, none of it panics.
pub fn no_panic(compiler: Compiler, target: &str) -> Result<Outcome, String> {
    let (_, seen) = link_probe(compiler, target)?;
    if seen.is_empty() {
        return Ok(Outcome::failed("a function that panics went unseen"));
    }
    let functions = functions(&read(HEADER)?);
    if functions.is_empty() {
        return Ok(Outcome::failed(format!("{HEADER}: no functions")));
    }
    let library = library(compiler, &root().join("core/staticlib"), target)?;
    let (_, panics) = link(&library, &functions)?;
    if panics.is_empty() {
        let count = functions.len();
        return Ok(Outcome::noted(vec![format!("{count} functions")]));
    }
    Ok(Outcome::unless(panics))
}

/// An image with a function that panics, and how it does.
pub fn link_probe(compiler: Compiler, target: &str) -> Result<(PathBuf, Vec<String>), String> {
    let probe = root().join("target/xtask/no-panic");
    write(&probe.join("Cargo.toml"), PROBE_MANIFEST)?;
    write(&probe.join("lib.rs"), PROBE)?;
    let library = library(compiler, &probe, target)?;
    link(&library, &["dref_probe".to_owned()])
}

/// Builds the static library of the crate in `folder`.
fn library(compiler: Compiler, folder: &Path, target: &str) -> Result<PathBuf, String> {
    let output = root().join("target/static");
    let args = ["build", "--release", "--quiet", "--target", target];
    let mut build = compiler.cargo(&args, target)?;
    build.arg("--target-dir").arg(&output).current_dir(folder);
    run(build)?;
    let name = if folder.ends_with("staticlib") {
        "libderefnet_core.a"
    } else {
        "libno_panic_probe.a"
    };
    Ok(output.join(target).join("release").join(name))
}

/// Links `functions` out of `library`; the image, and how they reach a panic, one line each.
fn link(library: &Path, functions: &[String]) -> Result<(PathBuf, Vec<String>), String> {
    let linker = linker()?;
    let args = ["-flavor", "gnu", "--gc-sections", "--entry=0"];
    let mut link = command(&linker.to_string_lossy(), &args);
    for function in functions {
        link.arg(format!("--undefined={function}"));
    }
    for symbol in PANICS {
        link.arg(format!("--why-live=*{symbol}*"));
    }
    let image = library.with_extension("elf");
    link.arg(library).arg("-o").arg(&image);
    Ok((image, chains(&output(link)?)))
}

/// Chains of callers out of what the linker says about live symbols.
fn chains(said: &str) -> Vec<String> {
    let mut chains: Vec<String> = Vec::new();
    for line in said.lines() {
        let line = line.trim_end_matches(" (undefined command line flag)");
        let name = line.rsplit_once(":(").map_or(line, |(_, name)| name);
        let name = name.trim_end_matches(')');
        if line.starts_with("live symbol:") {
            chains.push(name.to_owned());
        } else if let (true, Some(chain)) = (line.starts_with(">>>"), chains.last_mut()) {
            chain.push_str(" < ");
            chain.push_str(name);
        }
    }
    chains
}

/// Names of the functions that a header declares.
fn functions(header: &str) -> Vec<String> {
    let code = header
        .lines()
        .filter(|line| !line.starts_with([' ', '#', '/', '*']));
    let declared = code.filter_map(|line| line.split_once('('));
    let name = |(before, _): (&str, &str)| {
        let name = before.rsplit([' ', '*']).next().unwrap_or_default();
        name.starts_with("dref_").then(|| name.to_owned())
    };
    declared.filter_map(name).collect()
}

/// The committed header is the one that the sources give.
pub fn header_is_current() -> Result<Outcome, String> {
    if generate()? == read(HEADER)? {
        return Ok(Outcome::passed());
    }
    let how = "differs from its sources: cargo xtask header";
    Ok(Outcome::failed(format!("{HEADER}: {how}")))
}

/// `cargo xtask header`: writes the header.
pub fn write_header() -> Result<bool, String> {
    write(&root().join(HEADER), &generate()?)?;
    println!("{HEADER}");
    Ok(true)
}

fn generate() -> Result<String, String> {
    let mut tool = cargo(&["run", "--quiet", "--locked", "--target-dir"]);
    tool.arg(root().join("target/header")).arg("--");
    tool.args(SOURCES.map(|source| root().join(source)));
    tool.current_dir(root().join("xtask/header"));
    output(tool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_a_header() {
        let header = "/* dref_no(\n */\n#define DREF_OK 0\nDrefStatus dref_push(DrefStream *s,\n  \
                      const uint8_t *dref_no(void);\nconst char *dref_text(int code);\n";
        assert_eq!(functions(header), ["dref_push", "dref_text"]);
    }

    #[test]
    fn chains_of_callers() {
        let said = "live symbol: a.a(b.o):(core::panicking::panic_fmt)\n\
                    >>> referenced by: a.a(b.o):(inner)\n\
                    >>> referenced by: a.a(b.o):(dref_push) (undefined command line flag)\n";
        let chain = "core::panicking::panic_fmt < inner < dref_push";
        assert_eq!(chains(said), [chain]);
        assert!(chains("").is_empty());
    }
}
