//! Trains the arms of a definition for equal times and compares how they validate.
//!
//! The arms take turns in slices of a minute or so, each resumed from its checkpoint. Time is what
//! the processor spent on an arm's own steps and validations, by all workers together: what else the
//! machine does meanwhile takes nothing from it. `Q_init` and loading are left out. Run again, it
//! goes on where it stopped.
//!
//! `DIR/<arm>/` are run folders as of `derefnet train`; `DIR/ablation.csv` holds the validations
//! over time and `DIR/ablation.png` shows them.

mod definition;
mod record;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use derefnet::benchmark::clock::{Clock, spend, spent};
use derefnet::cli::{interrupt, output};
use derefnet::eval::metric::Report;
use derefnet::train::run::CHECKPOINT;
use derefnet::train::{Event, Run, Source, TrainConfig};
use derefnet::{Error, Result};

use definition::{Arm, Definition};
use record::{Record, Row};

/// Trains the arms of a definition for equal times and compares how they validate.
#[derive(Debug, clap::Parser)]
#[command(name = "cargo xtask ablation")]
struct Args {
    /// TOML file with the arms.
    #[arg(long, value_name = "F.toml")]
    definition: PathBuf,
    /// Folder of the arms' runs and the results; one that is there already is gone on with.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Worker threads; 0 means one per core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Only this arm; may be given several times.
    #[arg(long, value_name = "NAME")]
    arm: Vec<String>,
    /// Minutes of training for each arm, in place of the definition's.
    #[arg(long)]
    minutes: Option<f64>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            output::complain(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Trains and reports; whether no arm failed.
fn run(args: &Args) -> Result<bool> {
    let mut definition = Definition::read(&args.definition)?;
    definition.limit(args.minutes, &args.arm)?;
    interrupt::install()?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads);
    pool.build_global()
        .map_err(|e| Error::usage(format!("--threads: {e}")))?;
    let good = train(&definition, &args.out)?;
    println!("{}", Record::open(&args.out)?.table());
    println!("results: {}", args.out.display());
    Ok(good)
}

/// Gives the arms their slices in turn until each has had its time; whether no arm failed.
fn train(definition: &Definition, out: &Path) -> Result<bool> {
    std::fs::create_dir_all(out).map_err(|e| Error::io(out, e))?;
    let mut good = true;
    let mut open: Vec<&Arm> = definition.arms.iter().collect();
    while !open.is_empty() {
        let mut left = Vec::new();
        for arm in open {
            match slice(definition, arm, out) {
                Ok(true) => {}
                Ok(false) => left.push(arm),
                // A loss that is not finite ends its arm and is a finding about it.
                Err(error @ Error::CheckFailed(_)) => {
                    eprintln!("{}: {error}", arm.name);
                    good = false;
                }
                Err(error) => return Err(error),
            }
            Record::open(out)?.draw(&definition.title)?;
        }
        open = left;
    }
    Ok(good)
}

/// One turn of `arm`; whether it has had its time or is through with its steps.
fn slice(definition: &Definition, arm: &Arm, out: &Path) -> Result<bool> {
    let mut run = open(&out.join(&arm.name), &arm.config)?;
    let mut record = Record::open(out)?;
    record.forget_after(&arm.name, run.step());
    let folder = out.join(&arm.name);
    let before = if run.step() == 0 {
        0.0
    } else {
        spent(&folder)?
    };
    let budget = 60.0 * definition.minutes;
    let steps = run.config().steps;
    let mut after = before;
    if before < budget && run.step() < steps {
        let time = definition.slice_seconds.min(budget - before);
        let clock = Clock::start()?;
        run.train(Some(Duration::from_secs_f64(time)), |event| {
            after = before + clock.seconds()?;
            if let Event::Validated(step, report) = event {
                record.add(row(arm, after, step, report))?;
            }
            interrupt::check()
        })?;
        spend(&folder, after)?;
    }
    eprintln!(
        "{:<16} {:>6.1} of {} min, step {}",
        arm.name,
        after / 60.0,
        definition.minutes,
        run.step()
    );
    let done = after >= budget || run.step() >= steps;
    if done && record.last_step(&arm.name) != Some(run.step()) {
        // All arms end with a validation at the same time.
        let report = run.validate_now()?;
        record.add(row(arm, after, run.step(), &report))?;
    }
    Ok(done)
}

fn row(arm: &Arm, seconds: f64, steps: u64, report: &Report) -> Row {
    let aps = report.average_precisions();
    Row {
        arm: arm.name.clone(),
        seconds,
        steps,
        cso_map: report.cso_map,
        ap20: aps[3],
        ap25: aps[4],
    }
}

/// Begins or resumes the run in `folder`.
fn open(folder: &Path, config: &TrainConfig) -> Result<Run> {
    if !folder.join(CHECKPOINT).exists() {
        return Run::create(folder, config.clone(), Source::generated(config), None);
    }
    let run = Run::resume(folder, |config| Ok(Source::generated(config)))?;
    if run.config() != config {
        let message = "begun under another definition: choose another --out";
        return Err(Error::format(folder, message));
    }
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: &str = "\
title = 'Tiny'
preset = 'edge'
minutes = 0.02
slice_seconds = 0.3
[base]
steps = 100000
qinit_trajectories = 50
validate_every = 7
validate_trajectories = 1
model.stages = 1
model.channels = 2
model.residual_blocks = 0
scene.frames = 5
[[arm]]
name = 'slow'
[[arm]]
name = 'fast'
[arm.set]
schedule.rate = 1e-3
steps = 5
[[arm]]
name = 'broken'
[arm.set]
model.intensity_scale = 1e-30
";

    fn definition(folder: &Path, text: &str) -> Definition {
        let path = folder.join("tiny.toml");
        std::fs::write(&path, text).unwrap();
        Definition::read(&path).unwrap()
    }

    #[test]
    fn arms_take_turns_and_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let mut tiny = definition(folder.path(), TINY);
        tiny.arms.retain(|arm| arm.name != "broken");
        assert!(train(&tiny, &out).unwrap());
        let first = Record::open(&out).unwrap();
        let end = |record: &Record, name: &str| record.rows_of(name).last().cloned().unwrap();
        // 1.2 s, less the step after the last validation, and more by what passed at once.
        let slow = end(&first, "slow");
        assert!((0.9..6.0).contains(&slow.seconds), "{}", slow.seconds);
        assert_eq!(end(&first, "fast").steps, 5);
        assert!(out.join("ablation.png").exists());

        assert!(train(&tiny, &out).unwrap());
        assert_eq!(Record::open(&out).unwrap(), first);
        tiny.minutes *= 2.0;
        assert!(train(&tiny, &out).unwrap());
        let second = Record::open(&out).unwrap();
        assert!(end(&second, "slow").seconds >= 2.0 && end(&second, "slow").steps > slow.steps);
        assert_eq!(
            second.rows_of("fast").count(),
            first.rows_of("fast").count()
        );

        tiny.arms[0].config.seed = 9;
        let refused = train(&tiny, &out).unwrap_err().to_string();
        assert!(refused.contains("another definition"), "{refused}");
    }

    /// Maps of 1e32 have squares beyond f32: the first loss is infinite.
    #[test]
    fn a_broken_arm_does_not_stop_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let mut tiny = definition(folder.path(), TINY);
        tiny.arms.retain(|arm| arm.name != "slow");
        tiny.arms.reverse();
        assert!(!train(&tiny, &out).unwrap());
        let record = Record::open(&out).unwrap();
        assert_eq!(record.last_step("fast"), Some(5));
    }
}
