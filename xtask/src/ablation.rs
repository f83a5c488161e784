//! `cargo xtask ablation`: ways to train, compared in equal time.

use crate::shell::{cargo, run};

const PROGRAM: [&str; 9] = [
    "run",
    "--quiet",
    "--release",
    "--locked",
    "--package",
    "derefnet-benches",
    "--bin",
    "ablation",
    "--",
];

/// Builds the program in `benches/ablation/` and hands it `args`.
pub fn start(args: &[String]) -> Result<bool, String> {
    // Paths among the arguments are the caller's.
    let here = std::env::current_dir().map_err(|error| error.to_string())?;
    let mut program = cargo(&PROGRAM);
    program.args(args).current_dir(here);
    run(program).map(|()| true)
}
