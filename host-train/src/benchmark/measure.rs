//! Frames per second.

use super::answers::Reader;
use super::clock::Clock;
use crate::scene::Trajectory;
use crate::{Error, Result};

/// Repeats, of which the median counts.
const REPEATS: usize = 5;
/// Least processor time of a repeat, seconds: clocks of processor time tick in hundredths.
const LEAST: f64 = 0.3;

/// Frames that one thread answers in a second of processor time.
///
/// # Errors
/// If there is no answer, or no processor time to read.
pub(super) fn frames_per_second(reader: &Reader<'_>, trajectories: &[Trajectory]) -> Result<f64> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|e| Error::usage(format!("threads: {e}")))?;
    pool.install(|| {
        // The first pass makes the buffers.
        if let Some(first) = trajectories.first() {
            reader.work(first)?;
        }
        let repeats = (0..REPEATS).map(|_| repeat(reader, trajectories));
        let mut rates: Vec<f64> = repeats.collect::<Result<_>>()?;
        rates.sort_by(f64::total_cmp);
        Ok(rates[REPEATS / 2])
    })
}

fn repeat(reader: &Reader<'_>, trajectories: &[Trajectory]) -> Result<f64> {
    let clock = Clock::start()?;
    let mut frames = 0;
    for trajectory in trajectories.iter().cycle() {
        frames += reader.work(trajectory)?;
        let seconds = clock.seconds()?;
        if seconds >= LEAST {
            return Ok(frames as f64 / seconds);
        }
    }
    Err(Error::usage("data: no trajectories"))
}
