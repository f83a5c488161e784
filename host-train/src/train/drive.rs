//! The loop of every training, and what it does after each step.

use std::time::{Duration, Instant};

use super::checkpoint::Best;
use super::config::Schedule;
use super::journal::{Journal, LogRow, ValidationRow};
use super::ranks::Ranks;
use super::run::{BEST, Event, LAST, StepLosses, Stop};
use crate::Result;
use crate::eval::metric::Report;

/// How far a training is, and when it does what, in steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace<'a> {
    /// Steps taken.
    pub(crate) step: u64,
    /// Steps of the whole training.
    pub(crate) steps: u64,
    /// Learning rate over the steps.
    pub(crate) schedule: &'a Schedule,
    /// Steps between validations.
    pub(crate) validate_every: u64,
    /// Steps between checkpoints.
    pub(crate) checkpoint_every: u64,
}

impl Pace<'_> {
    /// Learning rate of the next step.
    pub(crate) fn rate(&self) -> f32 {
        self.schedule.rate_at(self.step, self.steps)
    }
}

/// What a validation finds.
#[derive(Clone, Debug)]
pub(crate) struct Validation {
    /// Of the grid readout; of a detector, whose components stand for cells.
    pub(crate) report: Report,
    /// Overlap of a detector's masks, per cent.
    pub(crate) iou: Option<f64>,
}

impl From<Report> for Validation {
    fn from(report: Report) -> Self {
        Self { report, iou: None }
    }
}

/// A training, as its loop sees it.
pub(crate) trait Training {
    /// How far it is.
    fn pace(&self) -> Pace<'_>;

    /// Who trains.
    fn ranks(&self) -> &Ranks;

    /// What it logs.
    fn log(&mut self) -> &mut Journal;

    /// The best validation so far.
    fn best(&mut self) -> &mut Option<Best>;

    /// What makes a validation the best: the highest of this.
    fn score(best: &Best) -> f64;

    /// One optimisation step.
    ///
    /// # Errors
    /// If a loss is not finite.
    fn advance(&mut self) -> Result<StepLosses>;

    /// Evaluates the present weights on the validation split.
    ///
    /// # Errors
    /// If a map is not finite.
    fn evaluate(&mut self) -> Result<Validation>;

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

    /// Writes the present model to `file` of the run's folder, with its CSO-mAP and AP25 where it was
    /// validated.
    ///
    /// # Errors
    /// If the file cannot be written.
    fn save_model(&self, file: &str, validation: Option<[f64; 2]>) -> Result<()>;
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
    let step = pace.step;
    let validates = step.is_multiple_of(pace.validate_every) || step == pace.steps;
    let saves = step.is_multiple_of(pace.checkpoint_every);
    let rate = pace.schedule.rate_at(step - 1, pace.steps);
    if saves {
        training.compare_weights()?;
    }
    let mut seen = Ok(());
    if !training.ranks().leads() {
        return Ok(seen);
    }
    let row = LogRow::new(step, rate, losses, started);
    training.log().step(&row);
    if validates {
        let report = validate(training)?;
        seen = watch(Event::Validated(step, &report));
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
        true => training
            .save()
            .and_then(|()| training.save_model(LAST, None)),
        false => Ok(()),
    };
    training.ranks().agree(saved)
}

/// Evaluates the present weights on the validation split and keeps them if they are the best; on the
/// lead.
///
/// # Errors
/// If a map is not finite or a file cannot be written.
pub(crate) fn validate<T: Training>(training: &mut T) -> Result<Report> {
    let Validation { report, iou } = training.evaluate()?;
    let step = training.pace().step;
    let row = ValidationRow::new(step, &report);
    training.log().validation(&row);
    let found = Best {
        step,
        cso_map: report.cso_map,
        ap25: report.ap25,
        iou,
    };
    let best = training.best();
    if best.is_none_or(|best| T::score(&found) > T::score(&best)) {
        *best = Some(found);
        training.save_model(BEST, Some([found.cso_map, found.ap25]))?;
    }
    Ok(report)
}
