//! `--backend`: where a command computes.

use crate::Result;
use crate::backend::Backend;
use crate::backend::cpu::Cpu;

/// Where to compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum BackendKind {
    /// This machine's processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU; needs a program built with `--features cuda`.
    Cuda,
}

/// Work that any backend can do.
pub trait OnBackend {
    /// What comes of it.
    type Output;

    /// Does the work on `backend`.
    ///
    /// # Errors
    /// Those of the work.
    fn run<B: Backend>(self, backend: B) -> Result<Self::Output>;
}

impl BackendKind {
    /// Opens the backend and does `work` on it.
    ///
    /// # Errors
    /// If there is no such backend here, with what to do about it; and those of the work.
    pub fn run<W: OnBackend>(self, work: W) -> Result<W::Output> {
        self.run_on(0, work)
    }

    /// As [`BackendKind::run`]; processes with different numbers `device` get different GPUs, as far
    /// as there are enough.
    ///
    /// # Errors
    /// As there.
    pub fn run_on<W: OnBackend>(self, device: usize, work: W) -> Result<W::Output> {
        match self {
            Self::Cpu => work.run(Cpu::new()),
            Self::Cuda => on_cuda(device, work),
        }
    }
}

#[cfg(feature = "cuda")]
fn on_cuda<W: OnBackend>(device: usize, work: W) -> Result<W::Output> {
    work.run(crate::backend::cuda::Cuda::open_nth(device)?)
}

#[cfg(not(feature = "cuda"))]
fn on_cuda<W: OnBackend>(_: usize, _: W) -> Result<W::Output> {
    Err(crate::Error::usage(
        "--backend cuda: this program was built without it; build with `cargo build --release \
         --features derefnet/cuda`, or use --backend cpu",
    ))
}
