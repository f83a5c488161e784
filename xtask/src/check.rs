//! What can be checked without installing anything, cheapest first; coverage where its tools are.

use std::process::Command;

use crate::features::workspace;
use crate::shell::{cargo, command, run, works};
use crate::step::{Options, Outcome, Step};
use crate::{coverage, licences, mpi, rules};

/// The steps of `cargo xtask check`.
pub const STEPS: &[Step] = &[
    Step {
        name: "hosts",
        group: "rules",
        about: "no tracked file names a package registry's host",
        run: |_| rules::hosts().into(),
    },
    Step {
        name: "unsafe",
        group: "rules",
        about: "unsafe code only at its addresses",
        run: |_| rules::unsafe_addresses().into(),
    },
    Step {
        name: "length",
        group: "rules",
        about: "Rust files of at most 400 lines without tests (warns)",
        run: |_| rules::length().into(),
    },
    Step {
        name: "fmt",
        group: "lint",
        about: "cargo fmt --check",
        run: |options| {
            component(
                options,
                "rustfmt",
                "fmt",
                cargo(&["fmt", "--all", "--check"]),
            )
        },
    },
    Step {
        name: "licences",
        group: "rules",
        about: "every dependency under a licence of deny.toml",
        run: |_| licences::check().into(),
    },
    Step {
        name: "clippy",
        group: "lint",
        about: "clippy over all targets, warnings denied",
        run: clippy,
    },
    Step {
        name: "docs",
        group: "docs",
        about: "documentation without warnings",
        run: |_| docs().into(),
    },
    Step {
        name: "coverage",
        group: "coverage",
        about: "core's own tests run 95 % of its lines (needs LLVM's tools)",
        run: coverage::check,
    },
];

fn clippy(options: &Options) -> Outcome {
    let all = workspace("clippy", &["--all-targets", "--", "-D", "warnings"]);
    let linted = component(options, "clippy", "clippy", all);
    if matches!(linted, Outcome::Failed { .. }) {
        return linted;
    }
    // Suites that run only where they are asked for are no targets of "all".
    let own: &[&str] = match mpi::missing() {
        None => &["--test", "cuda", "--test", "mpi"],
        Some(_) => &["--test", "cuda"],
    };
    let own = workspace("clippy", &[own, &["--", "-D", "warnings"]].concat());
    let linted = component(options, "clippy", "clippy", own);
    if matches!(linted, Outcome::Failed { .. }) {
        return linted;
    }
    // And what is compiled only without features.
    let plain = ["clippy", "--package", "derefnet", "--locked"];
    let plain = cargo(&[&plain[..], &["--", "-D", "warnings"]].concat());
    component(options, "clippy", "clippy", plain)
}

/// Runs `cargo_tool`, which needs a component of rustup.
pub fn component(options: &Options, component: &str, tool: &str, cargo_tool: Command) -> Outcome {
    let present = || works(cargo(&[tool, "--version"]));
    if !present() && options.tools.install() {
        let added = run(command("rustup", &["component", "add", component]));
        if let Err(error) = added {
            eprintln!("    {error}");
        }
    }
    if !present() {
        return Outcome::failed(format!(
            "install {component} (rustup component add {component}), or leave it out by --skip lint"
        ));
    }
    run(cargo_tool).map(|()| Outcome::passed()).into()
}

fn docs() -> Result<Outcome, String> {
    // Private items too: these pages are for whoever works on the code.
    let args = [
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
        "--locked",
    ];
    let mut doc = cargo(&args);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    run(doc)?;
    Ok(Outcome::passed())
}
