//! What the program was built with.

use serde::Serialize;

use crate::Result;
use crate::backend::cpu::Cpu;
use crate::cli::{Common, output};

#[derive(Serialize)]
struct Build {
    version: &'static str,
    /// Processor and system that it was built for.
    target: String,
    /// Vector instructions in use here.
    vector: String,
    /// Whether `--backend cuda` is built in.
    cuda: bool,
    /// How far the CUDA backend was verified.
    cuda_verified: &'static str,
    /// Whether `train --mpi` is built in.
    mpi: bool,
}

/// Whether a GPU has run the kernels.
const VERIFIED: &str = "no GPU has run it; verified CPU-emulated";

pub(super) fn show(common: &Common) -> Result<()> {
    let build = Build {
        version: env!("CARGO_PKG_VERSION"),
        target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        vector: format!("{:?}", Cpu::new().isa()).to_lowercase(),
        cuda: cfg!(feature = "cuda"),
        cuda_verified: VERIFIED,
        mpi: cfg!(feature = "mpi"),
    };
    let built = |is: bool| if is { "built in" } else { "not built in" };
    let (cuda, mpi) = (built(build.cuda), built(build.mpi));
    let text = format!(
        "version        {}\n\
         target         {}\n\
         backend cpu    vector instructions: {}\n\
         backend cuda   {cuda}; {VERIFIED}\n\
         train --mpi    {mpi}",
        build.version, build.target, build.vector
    );
    output::emit(common, &build, &text)
}
