//! PTX: made by nvcc, rewritten for older drivers, compared with what is committed.

use std::path::Path;

use super::{nvcc, stems};
use crate::shell::{command, output, read, root, write as write_text};
use crate::step::{Options, Outcome, Tools};

/// Sources and PTX: the kernels, and the fixtures of the emulated driver.
const FOLDERS: [(&str, &str); 2] = [
    ("cuda-kernels/kernels", "cuda-kernels/ptx"),
    (
        "cuda-kernels/emulator/fixtures",
        "cuda-kernels/emulator/fixtures",
    ),
];

/// nvcc 13.5 writes version 9.5, which older drivers refuse; nothing in the kernels needs more than
/// this one, and ptxas compiles the result.
const VERSION: &str = ".version 7.0";

/// Every committed file is what nvcc gives.
pub fn check(bin: &Path) -> Result<Outcome, String> {
    let mut findings = Vec::new();
    let mut count = 0;
    for (sources, folder) in FOLDERS {
        for stem in stems(sources)? {
            let path = format!("{folder}/{stem}.ptx");
            let made = make(bin, sources, &stem)?;
            count += 1;
            if read(&path).is_ok_and(|committed| committed == made) {
                continue;
            }
            findings.push(format!(
                "{path} is not what nvcc makes: cargo xtask cuda --write"
            ));
        }
    }
    if findings.is_empty() {
        return Ok(Outcome::noted(vec![format!("{count} files")]));
    }
    Ok(Outcome::unless(findings))
}

/// Writes the PTX of every source.
pub fn write() -> Result<bool, String> {
    let options = Options {
        skip: Vec::new(),
        list: false,
        tools: Tools::Installed,
        compiler: None,
    };
    let bin = nvcc::require(&options)?;
    for (sources, folder) in FOLDERS {
        for stem in stems(sources)? {
            let path = root().join(folder).join(format!("{stem}.ptx"));
            write_text(&path, &make(&bin, sources, &stem)?)?;
        }
    }
    Ok(true)
}

/// PTX of a source, the same on every machine: nvcc is called where the source is, so that no
/// folder gets into names.
fn make(bin: &Path, sources: &str, stem: &str) -> Result<String, String> {
    let nvcc = bin.join("nvcc");
    let source = format!("{stem}.cu");
    let args = ["-ptx", "-arch=compute_80", &source, "-o", "-"];
    let mut compile = command(&nvcc.to_string_lossy(), &args);
    compile.current_dir(root().join(sources));
    Ok(rewritten(&output(compile)?))
}

fn rewritten(ptx: &str) -> String {
    let line = |line: &str| match line.starts_with(".version ") {
        true => format!("{VERSION}\n"),
        false => format!("{line}\n"),
    };
    ptx.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_version_changes() {
        let made = "//\n.version 9.5\n.target sm_80\n";
        assert_eq!(rewritten(made), "//\n.version 7.0\n.target sm_80\n");
    }
}
