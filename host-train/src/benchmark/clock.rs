//! Processor time.

use std::path::Path;
use std::time::Instant;

use crate::cli::backend::BackendKind;
use crate::{Error, Result, atomic};

/// Processor time of this process, by the kernel's own account.
const ACCOUNT: &str = "/proc/self/stat";
/// Its unit, seconds: what Linux shows to programs, whatever it counts in.
const TICK: f64 = 0.01;
/// Fields after the program's name before the time in user mode; that in kernel mode follows.
const BEFORE: usize = 11;

/// Time since it started: what all threads of this process have spent on a processor, or, where a
/// device computes, what has passed.
pub struct Clock(Since);

enum Since {
    Processor(f64),
    Wall(Instant),
}

impl Clock {
    /// Starts counting processor time.
    ///
    /// # Errors
    /// On systems that do not tell a process's times as Linux does.
    pub fn start() -> Result<Self> {
        Ok(Self(Since::Processor(now()?)))
    }

    /// Starts counting the time that tells how long `backend` computes.
    ///
    /// # Errors
    /// As [`Clock::start`].
    pub fn of(backend: BackendKind) -> Result<Self> {
        match backend {
            BackendKind::Cpu => Self::start(),
            BackendKind::Cuda => Ok(Self(Since::Wall(Instant::now()))),
        }
    }

    /// Seconds since the start.
    ///
    /// # Errors
    /// As [`Clock::start`].
    pub fn seconds(&self) -> Result<f64> {
        match self.0 {
            Since::Processor(start) => Ok(now()? - start),
            Since::Wall(start) => Ok(start.elapsed().as_secs_f64()),
        }
    }
}

fn now() -> Result<f64> {
    let path = Path::new(ACCOUNT);
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
    parse(&text).ok_or_else(|| Error::format(path, "no processor times where Linux has them"))
}

/// The name, in brackets, may hold anything.
fn parse(text: &str) -> Option<f64> {
    let (_, fields) = text.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(BEFORE);
    let user: f64 = times.next()?.parse().ok()?;
    let kernel: f64 = times.next()?.parse().ok()?;
    Some(TICK * (user + kernel))
}

/// Where a run's time is kept between slices.
const SPENT: &str = "seconds";

/// Seconds that the run in `folder` has had; 0 before its first slice ends.
///
/// # Errors
/// If the file is damaged.
pub fn spent(folder: &Path) -> Result<f64> {
    let path = folder.join(SPENT);
    match std::fs::read_to_string(&path) {
        Ok(text) => text
            .trim()
            .parse()
            .map_err(|_| Error::format(&path, "expected a number of seconds")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(0.0),
        Err(e) => Err(Error::io(&path, e)),
    }
}

/// Writes what [`spent`] reads.
///
/// # Errors
/// If the file cannot be written.
pub fn spend(folder: &Path, seconds: f64) -> Result<()> {
    atomic::write_bytes(folder.join(SPENT), format!("{seconds}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The process's other tests work meanwhile: no less than this one, no more than all cores.
    #[test]
    fn work_is_counted() {
        let (clock, wall) = (Clock::start().unwrap(), std::time::Instant::now());
        let mut x = 1.0_f64;
        while clock.seconds().unwrap() < 0.3 {
            x = std::hint::black_box(x * 1.000_001);
        }
        let counted = clock.seconds().unwrap();
        let cores = std::thread::available_parallelism().unwrap().get() as f64;
        let most = wall.elapsed().as_secs_f64() * cores + 4.0 * TICK;
        assert!(counted <= most, "{counted} of {most}");
    }

    #[test]
    fn names_may_hold_anything() {
        let text = "7 (a) b) R 1 1 1 0 -1 4 5 0 0 0 250 50 0 0 20 0 1 0 9";
        assert_eq!(parse(text), Some(3.0));
        assert_eq!(parse("7 (a) R 1"), None);
    }

    #[test]
    fn time_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(spent(folder.path()).unwrap(), 0.0);
        spend(folder.path(), 12.5).unwrap();
        assert_eq!(spent(folder.path()).unwrap(), 12.5);
        std::fs::write(folder.path().join(SPENT), "much").unwrap();
        let message = spent(folder.path()).unwrap_err().to_string();
        assert!(message.contains("seconds"), "{message}");
    }
}
