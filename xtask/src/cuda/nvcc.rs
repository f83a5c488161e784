//! nvcc and ptxas, from the Python packages that NVIDIA publishes.

use std::path::{Path, PathBuf};

use crate::shell::{command, root, run, works};
use crate::step::Options;

/// The compiler, and the headers that it includes by itself. Other versions give other PTX.
const PACKAGES: [&str; 2] = ["nvidia-cuda-nvcc==13.5.37", "nvidia-cuda-runtime==13.5.37"];

/// The version of [`PACKAGES`], as nvcc says it.
const VERSION: &str = "V13.5.37";

/// Where they are installed, from the root.
const FOLDER: &str = "target/xtask/nvcc";

/// Folder of `nvcc` and `ptxas`; installs them where that may be, or says how to.
pub fn require(options: &Options) -> Result<PathBuf, String> {
    let folder = root().join(FOLDER);
    let bin = folder.join("nvidia/cu13/bin");
    if present(&bin) {
        return Ok(bin);
    }
    let args = [
        &["-m", "pip", "install", "--quiet", "--target", FOLDER],
        &PACKAGES[..],
    ]
    .concat();
    let how = format!("python3 {}", args.join(" "));
    if !options.tools.install() {
        return Err(format!("no nvcc: cargo xtask setup, or {how}"));
    }
    // A broken installation is not mended by installing over it.
    let _ = std::fs::remove_dir_all(&folder);
    let installed = run(command("python3", &args));
    if present(&bin) {
        return Ok(bin);
    }
    let why = installed
        .err()
        .unwrap_or("it does not run, or is another version".to_owned());
    Err(format!("no nvcc: {how} ({why}); nvcc also needs g++"))
}

fn present(bin: &Path) -> bool {
    let nvcc = bin.join("nvcc");
    let version = std::process::Command::new(&nvcc).arg("--version").output();
    let current =
        version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(VERSION));
    current && works(command("g++", &["--version"]))
}
