//! What needs the whole program: suites, benches once, the core without std, the main job.

use std::path::Path;

use crate::compiler::Compiler;
use crate::features::workspace;
use crate::shell::{cargo, command, root, run, watch, works};
use crate::step::{Options, Outcome, Step};
use crate::{bench, browser, image};

/// A target without an operating system: nothing of std exists there.
const BARE_TARGET: &str = "thumbv7em-none-eabihf";

/// The steps that `cargo xtask test` adds to those of check.
pub const STEPS: &[Step] = &[
    Step {
        name: "no-std",
        group: "core",
        about: "core links into a program without std and without an allocator (this machine)",
        run: |_| no_std().into(),
    },
    Step {
        name: "cortex-m",
        group: "core",
        about: "core builds for thumbv7em-none-eabihf",
        run: cortex_m,
    },
    Step {
        name: "no-panic",
        group: "core",
        about: "nothing that the C interface reaches on a bare target can panic",
        run: no_panic,
    },
    Step {
        name: "header",
        group: "core",
        about: "the C header is the one that its sources give",
        run: |_| image::header_is_current().into(),
    },
    Step {
        name: "sanitizer",
        group: "core",
        about: "core's own tests and the C interface under AddressSanitizer",
        run: |_| sanitizer().into(),
    },
    Step {
        name: "suites",
        group: "suites",
        about: "every test of the workspace, optimised, with overflow checks",
        run: |_| suites().into(),
    },
    Step {
        name: "onnx",
        group: "suites",
        about: "exported networks pass ONNX's checker and give the same on onnxruntime (Python)",
        run: |_| onnxruntime().into(),
    },
    Step {
        name: "browser",
        group: "suites",
        about: "the page of `derefnet report` opens in a browser and fits wide and narrow windows",
        run: browser::test,
    },
    Step {
        name: "benches",
        group: "benches",
        about: "every benchmark runs once",
        run: |_| benches().into(),
    },
    Step {
        name: "demo",
        group: "demo",
        about: "the main job writes its pictures",
        run: |_| demo().into(),
    },
];

/// A static library without std fails to compile when any crate in it brings std (which has a
/// panic handler of its own) or alloc (which asks for an allocator).
fn no_std() -> Result<Outcome, String> {
    let fail = |error: std::io::Error| format!("no-std probe: {error}");
    let folder = root().join("target/xtask/no-std");
    std::fs::create_dir_all(&folder).map_err(fail)?;
    let manifest = format!(
        "[package]\nname = \"no-std-probe\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [lib]\ncrate-type = [\"staticlib\"]\npath = \"lib.rs\"\n\n\
         [dependencies]\nderefnet-core.path = {:?}\n\n\
         [profile.dev]\npanic = \"abort\"\n",
        root().join("core")
    );
    let source = "#![no_std]\nextern crate derefnet_core;\n\n#[panic_handler]\n\
                  fn panic(_: &core::panic::PanicInfo) -> ! {\n    loop {}\n}\n";
    std::fs::write(folder.join("Cargo.toml"), manifest).map_err(fail)?;
    std::fs::write(folder.join("lib.rs"), source).map_err(fail)?;
    // The versions that everything else uses.
    std::fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).map_err(fail)?;
    let mut build = cargo(&["build", "--quiet", "--target-dir", "target"]);
    build.current_dir(&folder);
    run(build)?;
    Ok(Outcome::passed())
}

fn no_panic(options: &Options) -> Outcome {
    match Compiler::require(BARE_TARGET, options) {
        Ok(compiler) => image::no_panic(compiler, BARE_TARGET).into(),
        Err(missing) => options.lacking(missing),
    }
}

/// The tests of core, whose unsafe code is all that needs watching.
fn sanitizer() -> Result<Outcome, String> {
    const TARGET: &str = "x86_64-unknown-linux-gnu";
    if !works(command("rustup", &["run", "nightly", "cargo", "--version"])) {
        let how = "rustup toolchain install nightly --profile minimal";
        return Ok(Outcome::Skipped(format!(
            "needs a nightly toolchain: {how}"
        )));
    }
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Ok(Outcome::Skipped(format!("needs {TARGET}")));
    }
    let args = ["run", "nightly", "cargo", "test", "--locked", "--lib"];
    let core = ["--package", "derefnet-core", "--features", "capi"];
    let target = ["--target", TARGET, "--target-dir", "target/sanitizer"];
    let mut test = command("rustup", &[&args[..], &core, &target].concat());
    test.env("RUSTFLAGS", "-Zsanitizer=address");
    // Of the toolchain that runs this program.
    test.env_remove("CARGO").env_remove("RUSTC");
    run(test)?;
    Ok(Outcome::passed())
}

fn cortex_m(options: &Options) -> Outcome {
    let compiler = match Compiler::require(BARE_TARGET, options) {
        Ok(compiler) => compiler,
        Err(missing) => return options.lacking(missing),
    };
    let args = [
        "build",
        "--package",
        "derefnet-core",
        "--locked",
        "--target",
    ];
    let build = compiler.cargo(&[&args[..], &[BARE_TARGET]].concat(), BARE_TARGET);
    build.and_then(run).map(|()| Outcome::passed()).into()
}

fn suites() -> Result<Outcome, String> {
    let mut counts = Counts::default();
    let tests = workspace("test", &["--no-fail-fast"]);
    let success = watch(tests, |line| counts.read(line))?;
    let Counts {
        passed,
        failed,
        ignored,
        names,
    } = counts;
    if success && failed == 0 {
        return Ok(Outcome::Passed {
            passed,
            skipped: ignored,
            notes: vec![format!("{passed} tests")],
        });
    }
    Ok(Outcome::Failed {
        passed,
        failed,
        reasons: if names.is_empty() {
            vec!["cargo test failed before its tests ran".to_owned()]
        } else {
            names
        },
    })
}

/// The one suite that needs Python; the others run exported networks on tract.
fn onnxruntime() -> Result<Outcome, String> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let probe = command(&python, &["-c", "import numpy, onnx, onnxruntime"]);
    if !works(probe) {
        let how = format!("{python} -m pip install numpy onnx onnxruntime");
        return Ok(Outcome::Skipped(format!(
            "needs Python with ONNX's checker and runtime: {how}"
        )));
    }
    run(workspace("test", &["--test", "onnx", "--", "--ignored"]))?;
    Ok(Outcome::passed())
}

/// Results of test programs, read off what they print.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    passed: usize,
    failed: usize,
    ignored: usize,
    names: Vec<String>,
}

impl Counts {
    fn read(&mut self, line: &str) {
        if let Some(results) = line.strip_prefix("test result: ") {
            let results = results.split_once(". ").map_or("", |(_, results)| results);
            for part in results.split("; ") {
                match part
                    .split_once(' ')
                    .and_then(|(n, what)| Some((n.parse().ok()?, what)))
                {
                    Some((n, "passed")) => self.add(n, 0, 0),
                    Some((n, "failed")) => self.add(0, n, 0),
                    Some((n, "ignored")) => self.add(0, 0, n),
                    _ => {}
                }
            }
        } else if let Some(test) = line.strip_prefix("test ")
            && let Some(name) = test.strip_suffix(" ... FAILED")
        {
            self.names.push(name.to_owned());
        }
    }

    fn add(&mut self, passed: usize, failed: usize, ignored: usize) {
        self.passed += passed;
        self.failed += failed;
        self.ignored += ignored;
    }
}

fn benches() -> Result<Outcome, String> {
    // Built as the suites are, which is done by then: nothing is timed.
    let named = bench::names().flat_map(|name| ["--bench", name]);
    let args: Vec<&str> = named.chain(["--", "--test"]).collect();
    run(workspace("test", &args))?;
    Ok(Outcome::passed())
}

fn demo() -> Result<Outcome, String> {
    let folder = std::env::temp_dir().join(format!("derefnet-demo-{}", std::process::id()));
    let result = demo_into(&folder);
    // A folder that stays behind is litter, not a failure.
    let _ = std::fs::remove_dir_all(&folder);
    result
}

fn demo_into(folder: &Path) -> Result<Outcome, String> {
    let mut demo = cargo(&["run", "--release", "--locked", "--", "demo", "--out"]);
    demo.arg(folder);
    run(demo)?;
    let entries = std::fs::read_dir(folder).map_err(|e| format!("demo wrote no folder: {e}"))?;
    let pictures = entries
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|end| end == "png"))
        .count();
    if pictures == 0 {
        return Ok(Outcome::failed("demo wrote no pictures"));
    }
    Ok(Outcome::noted(vec![format!("{pictures} pictures")]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_test_programs_add_up() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test a::b ... ok",
            "test a::c ... FAILED",
            "test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s",
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.2s",
        ] {
            counts.read(line);
        }
        let expected = Counts {
            passed: 13,
            failed: 1,
            ignored: 1,
            names: vec!["a::c".to_owned()],
        };
        assert_eq!(counts, expected);
    }
}
