//! The program `derefnet`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(derefnet::cli::run(std::env::args_os()))
}
