//! Compiles CUDA kernels for this processor: `build-native KERNELS PTX WORK OBJECT`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [kernels, ptx, work, object] = &args[..] else {
        eprintln!(
            "Usage: build-native KERNELS PTX WORK OBJECT (folders of .cu and .ptx, scratch, result)"
        );
        return ExitCode::from(2);
    };
    let [kernels, ptx, work, object] = [kernels, ptx, work, object].map(Path::new);
    match cuda::native::build::build(kernels, ptx, work, object) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
