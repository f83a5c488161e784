//! Ranks that are processes started by `mpirun`.

use mpi::Threading;
use mpi::collective::{CommunicatorCollectives, Root};
use mpi::environment::Universe;
use mpi::topology::{Communicator, SimpleCommunicator};

use super::{Ranks, Wire};
use crate::{Error, Result};

/// This process's part in MPI, from its start to its end.
///
/// Where it is dropped before its end, as by a panic, all processes end: the others would wait for
/// this one for ever.
pub struct Session(Option<Universe>);

impl Session {
    /// Joins the other processes; without `mpirun` there are none.
    ///
    /// # Errors
    /// If it was joined before, or MPI cannot be used beside worker threads.
    pub fn start() -> Result<Self> {
        let (universe, threading) = mpi::initialize_with_threading(Threading::Funneled)
            .ok_or_else(|| Error::usage("--mpi: MPI was started in this process before"))?;
        if threading < Threading::Funneled {
            return Err(Error::usage(
                "--mpi: this MPI bears no threads beside it, expected at least MPI_THREAD_FUNNELED",
            ));
        }
        Ok(Self(Some(universe)))
    }

    /// The processes that were started together. Only the thread that began the session may use them.
    pub fn ranks(&self) -> Ranks {
        let world = SimpleCommunicator::world();
        Ranks::over(World {
            rank: world.rank().unsigned_abs() as usize,
            count: world.size().unsigned_abs() as usize,
        })
    }

    /// Number of this process among those of the same machine, from 0.
    pub fn local_rank(&self) -> usize {
        let world = SimpleCommunicator::world();
        let machine = world.split_shared(world.rank());
        machine.rank().unsigned_abs() as usize
    }

    /// Leaves MPI after work with the given outcome, whose error goes to `complain` first: launchers end
    /// the processes that are left as soon as one has failed.
    ///
    /// Comes back where all processes came to an end together; an error of this process alone ends all.
    ///
    /// # Errors
    /// That of the work, as told.
    pub fn end<T>(mut self, outcome: Result<T>, complain: impl FnOnce(&Error)) -> Result<T> {
        let told = outcome.map_err(|error| {
            complain(&error);
            let world = SimpleCommunicator::world();
            if world.size() > 1 && !matches!(error, Error::Together { .. }) {
                world.abort(error.exit_code().into());
            }
            Error::Together {
                message: error.to_string(),
                code: error.exit_code(),
                told: true,
            }
        });
        drop(self.0.take());
        told
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.0.is_some() {
            let failed = Error::usage(String::new()).exit_code();
            SimpleCommunicator::world().abort(failed.into());
        }
    }
}

/// All processes of the session. Errors inside MPI end all of them, as is its default.
struct World {
    rank: usize,
    count: usize,
}

impl Wire for World {
    fn rank(&self) -> usize {
        self.rank
    }

    fn count(&self) -> usize {
        self.count
    }

    fn gather_bytes(&self, own: &[u8], all: &mut [u8]) {
        SimpleCommunicator::world().all_gather_into(own, all);
    }

    fn gather(&self, own: &[f32], all: &mut [f32]) {
        SimpleCommunicator::world().all_gather_into(own, all);
    }

    fn exchange(&self, parts: &[f32], received: &mut [f32]) {
        SimpleCommunicator::world().all_to_all_into(parts, received);
    }

    fn broadcast(&self, bytes: &mut [u8]) {
        let world = SimpleCommunicator::world();
        world.process_at_rank(0).broadcast_into(bytes);
    }
}
