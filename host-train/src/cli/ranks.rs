//! `--mpi`: training together with the other processes that `mpirun` started.

use crate::train::Ranks;
use crate::{Error, Result};

/// Variables by which launchers tell a process how many there are: Open MPI, then MPICH and Slurm.
const LAUNCHERS: [&str; 2] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];

/// Does `work` with the ranks and the number of this one on its machine: all processes of the launch
/// where `mpi` asks for them, else this process alone.
///
/// # Errors
/// Those of the work; if MPI is asked for and missing here, or if several processes were launched
/// without it: they would write one run.
pub fn among(mpi: bool, work: impl FnOnce(Ranks, usize) -> Result<()>) -> Result<()> {
    if mpi {
        return over_mpi(work);
    }
    let launched = |name: &&&str| {
        let count = std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
        count.is_some_and(|count| count > 1)
    };
    match LAUNCHERS.iter().find(launched) {
        None => work(Ranks::alone(), 0),
        Some(name) => Err(Error::usage(format!(
            "{name} says that this is one of several processes: add --mpi to train together"
        ))),
    }
}

#[cfg(feature = "mpi")]
fn over_mpi(work: impl FnOnce(Ranks, usize) -> Result<()>) -> Result<()> {
    let session = crate::train::ranks::mpi::Session::start()?;
    let outcome = work(session.ranks(), session.local_rank());
    session.end(outcome, super::output::complain)
}

#[cfg(not(feature = "mpi"))]
fn over_mpi(_: impl FnOnce(Ranks, usize) -> Result<()>) -> Result<()> {
    Err(Error::usage(
        "--mpi: this program was built without it; build with `cargo build --release --features \
         derefnet/mpi`",
    ))
}
