//! The loop of every training, and what it does after each step.

use std::time::{Duration, Instant};

use super::checkpoint::Best;
use super::journal::{Journal, LogRow, ValidationRow};
use super::ranks::Ranks;
use super::run::{Event, StepLosses, Stop};
use crate::Result;
use crate::eval::metric::Report;

/// How far a training is, and when it does what, in steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Steps taken.
    pub(crate) step: u64,
    /// Steps of the whole training.
    pub(crate) steps: u64,
    /// Steps between validations.
    pub(crate) validate_every: u64,
    /// Steps between checkpoints.
    pub(crate) checkpoint_every: u64,
}

/// A training, as its loop sees it.
pub(crate) trait Training {
    /// How far it is.
    fn pace(&self) -> Pace;

    /// Who trains.
    fn ranks(&self) -> &Ranks;

    /// What it logs.
    fn log(&mut self) -> &mut Journal;

    /// Learning rate of `step`, from 0.
    fn rate(&self, step: u64) -> f32;

    /// One optimisation step.
    ///
    /// # Errors
    /// If a loss is not finite.
    fn advance(&mut self) -> Result<StepLosses>;

    /// Evaluates the present weights on the validation split and keeps them if they are the best.
    ///
    /// # Errors
    /// If a map is not finite or a file cannot be written.
    fn validate(&mut self) -> Result<Report>;

    /// Stages that give nothing; see [`Event::Dead`].
    fn dead_stages(&self) -> Vec<usize> {
        Vec::new()
    }

    /// Checks that all ranks have the same weights.
    ///
    /// # Errors
    /// On every rank, if one has others.
    fn compare_weights(&self) -> Result<()> {
        Ok(())
    }

    /// Writes the logs and the checkpoint.
    ///
    /// # Errors
    /// If a file cannot be written.
    fn save(&mut self) -> Result<()>;

    /// Writes the present model.
    ///
    /// # Errors
    /// If the file cannot be written.
    fn save_last(&self) -> Result<()>;
}

/// Trains until all steps are done or `time` is over; `watch` sees every step, on the lead also every
/// validation, and may stop the loop with an error. The state is saved in each case. What stops one
/// rank stops all of them after the same step.
///
/// # Errors
/// If a loss is not finite (the last checkpoint stays), a file cannot be written, or `watch` says so.
pub(crate) fn drive(
    training: &mut impl Training,
    time: Option<Duration>,
    mut watch: impl FnMut(Event<'_>) -> Result<()>,
) -> Result<Stop> {
    let started = Instant::now();
    while training.pace().step < training.pace().steps {
        let step_started = Instant::now();
        let losses = training.advance()?;
        let over = time.is_some_and(|limit| started.elapsed() >= limit);
        let over = training.ranks().any(over);
        let seen = look(training, &losses, step_started, &mut watch);
        let seen = training.ranks().agree(seen)?;
        let Pace { step, steps, .. } = training.pace();
        let seen = seen.and_then(|()| watch(Event::Step(step, &losses)));
        if let Err(stop) = training.ranks().agree(seen) {
            end(training)?;
            return Err(stop);
        }
        if over && step < steps {
            end(training)?;
            return Ok(Stop::TimeOver);
        }
    }
    end(training)?;
    Ok(Stop::Finished)
}

/// Logs a step and does what is due after it; the inner result is what `watch` said.
fn look(
    training: &mut impl Training,
    losses: &StepLosses,
    started: Instant,
    watch: &mut impl FnMut(Event<'_>) -> Result<()>,
) -> Result<Result<()>> {
    let pace = training.pace();
    let validates = pace.step.is_multiple_of(pace.validate_every) || pace.step == pace.steps;
    let saves = pace.step.is_multiple_of(pace.checkpoint_every);
    if saves {
        training.compare_weights()?;
    }
    let mut seen = Ok(());
    if !training.ranks().leads() {
        return Ok(seen);
    }
    let row = LogRow::new(pace.step, training.rate(pace.step - 1), losses, started);
    training.log().step(&row);
    if validates {
        let report = training.validate()?;
        seen = watch(Event::Validated(pace.step, &report));
        let dead = training.dead_stages();
        if !dead.is_empty() {
            seen = seen.and_then(|()| watch(Event::Dead(&dead)));
        }
    }
    if saves {
        training.save()?;
    }
    Ok(seen)
}

/// Saves what the lead keeps at the end of a run or of a part of it.
fn end(training: &mut impl Training) -> Result<()> {
    training.compare_weights()?;
    let saved = match training.ranks().leads() {
        true => training.save().and_then(|()| training.save_last()),
        false => Ok(()),
    };
    training.ranks().agree(saved)
}

/// Logs the validation `report`; the new best, where it has a higher `score` than the `old` one.
pub(crate) fn better(
    training: &mut impl Training,
    report: &Report,
    old: Option<Best>,
    score: impl Fn(&Best) -> f64,
) -> Option<Best> {
    let step = training.pace().step;
    training.log().validation(&ValidationRow::new(step, report));
    let found = Best {
        step,
        cso_map: report.cso_map,
        ap25: report.ap25,
    };
    let is_better = old.is_none_or(|old| score(&found) > score(&old));
    is_better.then_some(found)
}
