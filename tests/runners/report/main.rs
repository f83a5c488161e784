//! `derefnet report` on made-up results: the page, the Markdown, and what it refuses.

#![allow(clippy::unwrap_used)]

mod browser;
mod devtools;
mod page;
mod refused;
mod text;

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program with `report` and these arguments.
fn report(args: &[&Path], options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_derefnet-under-test"));
    command.arg("report").args(args).args(options);
    command.stdin(Stdio::null()).output().unwrap()
}

/// What it wrote to `page`, where it must succeed.
fn written(args: &[&Path], options: &[&str], page: &Path) -> String {
    let out = page.to_str().unwrap();
    let output = report(args, &[&["--out", out], options].concat());
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{complaint}");
    std::fs::read_to_string(page).unwrap()
}

/// The records of the boards that are under version control.
fn records() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/record/qemu")
}
