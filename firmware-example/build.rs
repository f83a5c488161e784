//! Hands the linker the memory of the board that the environment variable BOARD names.

use std::env::var;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-env-changed=BOARD");
    // Without a board the programs are for this machine.
    if var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    let Ok(board) = var("BOARD") else {
        println!("cargo::error=no BOARD: build with --config boards/NAME/config.toml");
        return;
    };
    let folder = var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let boards = PathBuf::from(folder).join("boards");
    println!("cargo::rerun-if-changed={}", boards.display());
    // What all boards have in common, and the board.
    for folder in [boards.join(board), boards] {
        println!("cargo::rustc-link-search={}", folder.display());
    }
}
