//! Lines of `core` that its own tests run, counted by LLVM.
//!
//! The suites of `tests/` are not among what is run here: they need the host's crates and tract, whose
//! building alone takes longer than all of this may. Tests are no lines of `core`, and neither is what
//! is not compiled for this machine or what its processor cannot run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::debian;
use crate::lines::{Counts, Lines, share};
use crate::shell::{cargo, command, output, root, run, works, write};
use crate::step::{Options, Outcome, Tools};

/// Least share of lines, per cent.
const LEAST: f64 = 95.0;
/// What is counted.
const SOURCES: &str = "core/src/";
/// Everything that is built and written here.
const FOLDER: &str = "target/coverage";

/// LLVM's readers of profiles, as new as the compiler that writes them.
struct Readers {
    profdata: PathBuf,
    cov: PathBuf,
}

/// What `rustc -vV` says.
struct Compiler {
    host: String,
    /// Major version of its LLVM.
    llvm: String,
}

/// The step: runs the tests, prints the share of every file, fails below [`LEAST`].
pub fn check(options: &Options) -> Outcome {
    match require(options) {
        Ok(readers) => measure(&readers).into(),
        Err(why) if options.tools == Tools::Unused => Outcome::Skipped(why),
        Err(why) => options.lacking(why),
    }
}

/// The readers are here, or get installed where they may be; how to get them, if not.
pub fn require_readers(options: &Options) -> Result<(), String> {
    require(options).map(drop)
}

fn require(options: &Options) -> Result<Readers, String> {
    let compiler = Compiler::ask()?;
    let package = format!("llvm-{}", compiler.llvm);
    if let Some(readers) = compiler.readers() {
        return Ok(readers);
    }
    if options.tools.install() {
        let _ = run(command("rustup", &["component", "add", "llvm-tools"]));
        if compiler.readers().is_none() {
            debian::install(&[&package], false, options.tools)
                .unwrap_or_else(|why| eprintln!("    {why}"));
        }
    }
    compiler.readers().ok_or_else(|| {
        let install = debian::arguments(&[&package], false).join(" ");
        format!(
            "no llvm-profdata and llvm-cov: cargo xtask setup, rustup component add llvm-tools or, as \
             root, apt-get update && apt-get {install}"
        )
    })
}

impl Compiler {
    fn ask() -> Result<Self, String> {
        let said = output(command("rustc", &["-vV"]))?;
        let field = |name: &str| {
            let value = said.lines().find_map(|line| line.strip_prefix(name));
            value.ok_or_else(|| format!("rustc -vV: expected a line with '{name}'"))
        };
        let llvm = field("LLVM version: ")?;
        Ok(Self {
            host: field("host: ")?.to_owned(),
            llvm: llvm.split('.').next().unwrap_or(llvm).to_owned(),
        })
    }

    /// Those of rustup's component, or else of Debian's package.
    fn readers(&self) -> Option<Readers> {
        let sysroot = output(command("rustc", &["--print", "sysroot"])).ok()?;
        let tools = Path::new(sysroot.trim()).join("lib/rustlib");
        let tools = tools.join(&self.host).join("bin");
        let both = [
            ["llvm-profdata", "llvm-cov"].map(|name| tools.join(name)),
            ["llvm-profdata", "llvm-cov"].map(|name| format!("{name}-{}", self.llvm).into()),
        ];
        let run = |path: &PathBuf| works(command(&path.to_string_lossy(), &["--version"]));
        let [profdata, cov] = both.into_iter().find(|pair| pair.iter().all(run))?;
        Some(Readers { profdata, cov })
    }
}

fn measure(readers: &Readers) -> Result<Outcome, String> {
    let host = Compiler::ask()?.host;
    let program = build(&host)?;
    let profiles = root().join(FOLDER).join("profiles");
    if profiles.exists() {
        std::fs::remove_dir_all(&profiles).map_err(|e| format!("{}: {e}", profiles.display()))?;
    }
    let mut tests = command(&program.to_string_lossy(), &["--quiet"]);
    tests.current_dir(root().join("core"));
    run(recording(tests))?;
    let report = readers.read(&profiles, &program)?;
    Ok(judge(&count(&report)?))
}

/// Profiles of whatever `command` runs go to one folder.
fn recording(mut command: std::process::Command) -> std::process::Command {
    let file = root().join(FOLDER).join("profiles/%p-%m.profraw");
    command.env("LLVM_PROFILE_FILE", file);
    command
}

/// Builds the tests of core, which count what they run; the program.
fn build(host: &str) -> Result<PathBuf, String> {
    let package = ["--package", "derefnet-core", "--features", "capi", "--lib"];
    // With a target named, flags are not for build scripts and macros, which run at once.
    let places = ["--target", host, "--target-dir", FOLDER];
    let args = ["test", "--no-run", "--locked", "--message-format=json"];
    let mut build = cargo(&[&args[..], &package, &places].concat());
    build.env("RUSTFLAGS", "-C instrument-coverage");
    build.env_remove("CARGO_ENCODED_RUSTFLAGS");
    let said = output(recording(build))?;
    let program = said.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    program.ok_or_else(|| "cargo test --no-run: built no tests of core".to_owned())
}

impl Readers {
    /// The profiles of `program` in lcov's form.
    fn read(&self, profiles: &Path, program: &Path) -> Result<String, String> {
        let merged = root().join(FOLDER).join("core.profdata");
        let mut merge = command(&self.profdata.to_string_lossy(), &["merge", "--sparse"]);
        merge.arg(profiles).arg("-o").arg(&merged);
        run(merge)?;
        let mut export = command(&self.cov.to_string_lossy(), &["export", "--format=lcov"]);
        export.arg("--instr-profile").arg(&merged).arg(program);
        let report = output(export)?;
        write(&root().join(FOLDER).join("core.lcov"), &report)?;
        Ok(report)
    }
}

/// Counts of every file below [`SOURCES`] that has lines of its own; none for those not compiled.
fn count(report: &str) -> Result<BTreeMap<String, Option<Counts>>, String> {
    let lines = Lines::parse(report, &root())?;
    let mut all = BTreeMap::new();
    for (path, text) in crate::rules::rust_files()? {
        if path.starts_with(SOURCES) && !is_test(&path) {
            let counts = lines.of(&path).map(|seen| Counts::of(seen, &text));
            all.insert(path, counts);
        }
    }
    Ok(all)
}

/// Whether a file is nothing but tests.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// Why this processor cannot run a file.
fn beyond(path: &str) -> Option<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        let wide = has!("avx512f") && has!("avx512bw") && has!("avx512vl") && has!("avx512vnni");
        if path.contains("/arch/x86/avx512/") && !wide {
            return Some("AVX-512 VNNI");
        }
        if path.contains("/arch/x86/avx2") && !has!("avx2") {
            return Some("AVX2");
        }
    }
    let _ = path;
    None
}

/// Prints all files, and judges them together.
fn judge(files: &BTreeMap<String, Option<Counts>>) -> Outcome {
    let mut total = Counts::default();
    let (mut absent, mut unable) = (Vec::new(), BTreeMap::new());
    println!("\n{:<40} {:>6} {:>9}  not run", "file", "lines", "share");
    for (path, counts) in files {
        let name = path.trim_start_matches(SOURCES);
        match (counts, beyond(path)) {
            (Some(counts), Some(lacks)) => *unable.entry(lacks).or_insert(0) += counts.lines,
            (Some(counts), None) if counts.lines > 0 => {
                println!("{name:<40} {counts}");
                total.add(counts);
            }
            // Declarations alone.
            (Some(_), None) => {}
            (None, _) if name.starts_with("arch/") => absent.push(name),
            (None, _) => {}
        }
    }
    println!("{:<40} {total}\n", "total");
    let mut notes = vec![format!(
        "core: tests run {} of {} lines, {:.2} % (at least {LEAST} %)",
        total.run,
        total.lines,
        share(total.run, total.lines)
    )];
    if !absent.is_empty() {
        notes.push(format!(
            "not counted, not compiled for this machine: {}",
            absent.join(", ")
        ));
    }
    for (lacks, lines) in unable {
        notes.push(format!(
            "not counted: {lines} lines of kernels, this processor has no {lacks}"
        ));
    }
    if total.lines > 0 && share(total.run, total.lines) >= LEAST {
        return Outcome::noted(notes);
    }
    Outcome::unless(notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(run: usize, lines: usize) -> Outcome {
        let counts = Counts {
            run,
            lines,
            ..Counts::default()
        };
        let files = [
            ("core/src/a.rs".to_owned(), Some(counts)),
            ("core/src/arch/arm/b.rs".to_owned(), None),
        ];
        judge(&files.into())
    }

    #[test]
    fn too_few_lines_fail() {
        let Outcome::Passed { notes, .. } = judged(95, 100) else {
            panic!("95 of 100 lines failed");
        };
        assert_eq!(notes.len(), 2);
        assert!(notes[0].contains("95 of 100 lines, 95.00 %"), "{notes:?}");
        assert!(notes[1].ends_with(": arch/arm/b.rs"), "{notes:?}");
        assert!(matches!(judged(949, 1000), Outcome::Failed { .. }));
        assert!(matches!(judged(0, 0), Outcome::Failed { .. }));
    }

    #[test]
    fn tests_are_told_by_their_place() {
        assert!(is_test("core/src/metric/tests.rs"));
        assert!(is_test("core/src/locate/tests/limits.rs"));
        assert!(!is_test("core/src/locate/mod.rs"));
    }
}
