//! How many steps a budget buys, fixed before a training starts.
//!
//! A schedule must know its end, and a resumed run must end in the bits of one that was never
//! stopped: so a budget of time is turned into steps by a short trial, and the number is written
//! down.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::definition::{Budget, Definition};
use super::learn::{Config, Learner};
use super::result::{read_json, write_json};
use super::row::Row;
use crate::backend::Backend;
use crate::cli::backend::{BackendKind, OnBackend};
use crate::cli::interrupt;
use crate::train::{Event, Source};
use crate::{Error, Result};

/// Name of its file in a run folder.
const BUDGET: &str = "budget.json";
/// Folder of the trial, removed when it is over.
const TRIAL: &str = "trial";
/// Share of the budget's time that a trial takes, and its bounds, seconds.
const SHARE: f64 = 0.01;
const BOUNDS: [f64; 2] = [0.2, 5.0];
/// Seconds between checkpoints, and checkpoints of a run whose steps were not timed.
const CHECKPOINT_SECONDS: f64 = 30.0;
const CHECKPOINTS: u64 = 20;
/// Steps that never come.
const NEVER: u64 = 1 << 40;
/// Multiply-adds of a training step over those of inference: one pass forward, two back.
const PASSES: f64 = 3.0;

/// A training's steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Planned {
    /// All steps.
    pub(super) steps: u64,
    /// Those in which the rate rises.
    pub(super) warmup: u64,
    /// Steps between validations.
    pub(super) validate_every: u64,
    /// Steps between checkpoints.
    pub(super) checkpoint_every: u64,
    /// Processor time of a step by the trial; nothing where the budget is work.
    pub(super) seconds_per_step: Option<f64>,
}

impl Planned {
    fn new(steps: f64, seconds_per_step: Option<f64>, definition: &Definition) -> Self {
        let steps = (steps.floor() as u64).clamp(1, NEVER);
        let every = match seconds_per_step {
            Some(seconds) => (CHECKPOINT_SECONDS / seconds.max(1e-6)) as u64,
            None => steps / CHECKPOINTS,
        };
        Self {
            steps,
            warmup: (definition.warmup * steps as f64).round() as u64,
            validate_every: steps.div_ceil(definition.validations),
            checkpoint_every: every.max(1),
            seconds_per_step,
        }
    }

    /// What was written down in the run folder `folder`, or else is now.
    ///
    /// # Errors
    /// If the trial fails or the file is damaged or cannot be written.
    pub(super) fn of(
        definition: &Definition,
        row: &Row,
        config: &Config,
        backend: BackendKind,
        folder: &Path,
    ) -> Result<Self> {
        let path = folder.join(BUDGET);
        if path.exists() {
            return read_json(&path);
        }
        let planned = match definition.budget {
            Budget::Minutes(minutes) => {
                let seconds = 60.0 * minutes;
                let trial = Trial {
                    config,
                    source: config.source(&row.data)?,
                    folder: &folder.join(TRIAL),
                    least: (SHARE * seconds).clamp(BOUNDS[0], BOUNDS[1]),
                    clock: Clock::of(backend)?,
                };
                let per_step = backend.run(trial)?;
                Self::new(seconds / per_step, Some(per_step), definition)
            }
            Budget::MultiplyAdds(work) => {
                let frame = row.size.macs_per_frame_here.unwrap_or(1) as f64;
                let frames = f64::from(config.frames()) * config.batch() as f64;
                Self::new(work / (PASSES * frame * frames), None, definition)
            }
        };
        write_json(&path, &planned)?;
        Ok(planned)
    }
}

/// Takes a few steps to see how long one takes.
struct Trial<'a> {
    config: &'a Config,
    source: Source,
    folder: &'a Path,
    /// Least time, seconds.
    least: f64,
    clock: Clock,
}

impl OnBackend for Trial<'_> {
    /// Seconds per step.
    type Output = f64;

    fn run<B: Backend>(self, backend: B) -> Result<f64> {
        let Self {
            config,
            source,
            folder,
            least,
            clock,
        } = self;
        remove(folder)?;
        let endless = Planned {
            steps: NEVER,
            warmup: NEVER,
            validate_every: NEVER,
            checkpoint_every: NEVER,
            seconds_per_step: None,
        };
        let config = config.planned(&endless, 1);
        let mut learner = Learner::create(backend, folder, config, source)?;
        let mut per_step = None;
        let mut first = None;
        let ended = learner.train(|event| {
            let Event::Step(step, _) = event else {
                return Ok(());
            };
            interrupt::check()?;
            let now = clock.seconds()?;
            // The first step makes the buffers.
            let (begin, since) = *first.get_or_insert((step, now));
            let (steps, seconds) = (step - begin, now - since);
            if steps >= 2 && seconds >= least {
                per_step = Some(seconds / steps as f64);
                return Err(Error::Interrupted);
            }
            Ok(())
        });
        remove(folder)?;
        match (per_step, ended) {
            (Some(seconds), _) => Ok(seconds),
            (None, Err(error)) => Err(error),
            (None, Ok(_)) => Err(Error::usage("budget: the trial has no steps")),
        }
    }
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(folder, e)),
        _ => Ok(()),
    }
}
