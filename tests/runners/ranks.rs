//! Training on several ranks, here threads: one process's gradients up to the order of summation, the
//! same bits on every run, and one end for all.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use std::fs;
use std::path::Path;

use derefnet::backend::cpu::Cpu;
use derefnet::model::{HeadConfig, Preset};
use derefnet::train::run::CHECKPOINT;
use derefnet::train::{
    Checkpoint, Event, LossConfig, LossVariant, Objective, Ranks, Run, Source, Stop, TrainConfig,
};
use derefnet::{Error, Result};
use derefnet_tests::threads::together;
use derefnet_tests::tolerance::{RANKS_GRADIENT, RANKS_PATH};
use tempfile::tempdir;

/// A small network and batch; 7 frames, so 3 windows a trajectory.
fn tiny(batch: usize) -> TrainConfig {
    let mut config = TrainConfig::preset(Preset::Edge);
    (config.model.stages, config.model.channels) = (2, 4);
    config.model.residual_blocks = 1;
    (config.scene.frames, config.batch, config.steps) = (7, batch, 6);
    config.qinit_trajectories = 20;
    config.validate_trajectories = 1;
    (config.checkpoint_every, config.validate_every, config.ema) = (3, 4, 0.9);
    config
}

/// The likelihood of the head, with windows mixed from many trajectories and gradients clipped.
fn heads(batch: usize) -> TrainConfig {
    let mut config = tiny(batch);
    config.objective = Objective::Offsets;
    (config.spread, config.clip_norm) = (2, 0.05);
    config.model.head = Some(HeadConfig {
        channels: 4,
        blocks: 1,
    });
    config
}

fn begin(ranks: Ranks, folder: &Path, config: &TrainConfig) -> Result<Run> {
    let source = Source::generated(config);
    Run::create_among(ranks, Cpu::new(), folder, config.clone(), source, None)
}

fn again(ranks: Ranks, folder: &Path) -> Result<Run> {
    let source = |config: &TrainConfig| Ok(Source::generated(config));
    Run::resume_among(ranks, Cpu::new(), folder, source)
}

/// Trains until `config.steps` on `count` ranks.
fn train(count: usize, folder: &Path, config: &TrainConfig) {
    for stop in together(count, |ranks| {
        begin(ranks, folder, config)?.train(None, |_| Ok(()))
    }) {
        assert_eq!(stop.unwrap(), Stop::Finished);
    }
}

fn state(folder: &Path) -> Checkpoint {
    Checkpoint::load(&folder.join(CHECKPOINT)).unwrap()
}

fn norm<'v>(values: impl Iterator<Item = (&'v f32, &'v f32)>) -> f64 {
    let squares = values.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    squares.sum::<f64>().sqrt()
}

/// Largest error of a tensor, relative to what it is without `zero`.
fn worst(got: &[Vec<f32>], want: &[Vec<f32>], zero: &[Vec<f32>]) -> f64 {
    let errors = got.iter().zip(want).zip(zero).map(|((got, want), zero)| {
        let size = norm(want.iter().zip(zero));
        norm(got.iter().zip(want)) / size.max(f64::MIN_POSITIVE)
    });
    errors.fold(0.0, f64::max)
}

/// What `config` trains on 1 and on `count` ranks: the moments that its first step leaves, which are
/// a tenth of its gradient, and the paths of the weights over all its steps.
fn compare(count: usize, config: &TrainConfig) {
    let scratch = tempdir().unwrap();
    let folder = |name: &str| scratch.path().join(name);
    let mut first = config.clone();
    first.steps = 1;
    train(1, &folder("one"), &first);
    train(count, &folder("many"), &first);
    let [one, many] = ["one", "many"].map(|name| state(&folder(name)).adam.first);
    let zero: Vec<Vec<f32>> = one.iter().map(|t| vec![0.0; t.len()]).collect();
    let error = worst(&many, &one, &zero);
    assert!(error < RANKS_GRADIENT, "{count} ranks: gradient {error:e}");

    let weights = |name: &str| -> Vec<Vec<f32>> {
        let tensors = state(&folder(name)).network.parameters.tensors;
        tensors.into_iter().map(|t| t.values).collect()
    };
    drop(begin(Ranks::alone(), &folder("start"), config).unwrap());
    train(1, &folder("lone"), config);
    train(count, &folder("all"), config);
    let error = worst(&weights("all"), &weights("lone"), &weights("start"));
    assert!(error < RANKS_PATH, "{count} ranks: path {error:e}");
    assert_eq!(state(&folder("all")).ranks, count);
}

#[test]
fn two_and_four_ranks_take_the_steps_of_one() {
    compare(2, &tiny(4));
    compare(4, &tiny(4));
}

#[test]
fn ranks_with_uneven_shares_take_the_steps_of_one() {
    let mut config = tiny(4);
    config.loss = LossConfig::published(LossVariant::Released);
    compare(3, &config);
}

#[test]
fn ranks_train_the_head_as_one_does() {
    compare(2, &heads(3));
}

/// Every file but the log, whose lines hold times.
fn assert_same_bits(a: &Path, b: &Path) {
    for name in ["checkpoint", "best", "model"].map(|stem| format!("{stem}.safetensors")) {
        let read = |folder: &Path| fs::read(folder.join(&name)).unwrap();
        assert!(read(a) == read(b), "{name} differs");
    }
    let read = |folder: &Path| fs::read(folder.join("validation.csv")).unwrap();
    assert_eq!(read(a), read(b));
}

#[test]
fn equal_runs_have_the_same_bits() {
    let scratch = tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| scratch.path().join(name));
    for folder in [&a, &b] {
        train(3, folder, &heads(4));
    }
    assert_same_bits(&a, &b);
}

/// Rank 1 is interrupted in step 5 and so all stop after it; then two ranks go on.
#[test]
fn one_interrupted_rank_stops_all_and_all_resume_to_the_same_bits() {
    let scratch = tempdir().unwrap();
    let [left_alone, stopped] = ["a", "b"].map(|name| scratch.path().join(name));
    let config = heads(4);
    train(2, &left_alone, &config);
    let ends = together(2, |ranks| {
        let presses = ranks.rank() == 1;
        let mut run = begin(ranks, &stopped, &config).unwrap();
        let end = run.train(None, |event| match event {
            Event::Step(5, _) if presses => Err(Error::Interrupted),
            _ => Ok(()),
        });
        (run.step(), end.unwrap_err())
    });
    for (rank, (step, error)) in ends.into_iter().enumerate() {
        assert_eq!((step, error.exit_code()), (5, 130));
        assert_eq!(error.to_string(), "interrupted");
        assert!(matches!(error, Error::Together { told, .. } if told == (rank != 0)));
    }
    let resumed = together(2, |ranks| again(ranks, &stopped)?.train(None, |_| Ok(())));
    assert!(resumed.into_iter().all(|r| r.unwrap() == Stop::Finished));
    assert_same_bits(&left_alone, &stopped);
}

/// Time is over for one rank, and so for all; one process goes on.
#[test]
fn a_run_goes_on_with_another_number_of_ranks() {
    let scratch = tempdir().unwrap();
    let folder = scratch.path();
    let config = tiny(4);
    let stops = together(2, |ranks| {
        let time = (ranks.rank() == 1).then_some(std::time::Duration::ZERO);
        begin(ranks, folder, &config)?.train(time, |_| Ok(()))
    });
    assert!(
        stops
            .into_iter()
            .all(|stop| stop.unwrap() == Stop::TimeOver)
    );
    let mut run = again(Ranks::alone(), folder).unwrap();
    assert_eq!((run.step(), run.ranks_before()), (1, 2));
    run.train(None, |_| Ok(())).unwrap();
    assert_eq!((state(folder).step, state(folder).ranks), (6, 1));
}

/// What two ranks say that begin with one configuration each.
fn refused(folder: &Path, configs: [TrainConfig; 2]) -> String {
    let errors = together(2, |ranks| {
        let config = &configs[ranks.rank()];
        begin(ranks, folder, config).map(drop).unwrap_err()
    });
    for (rank, error) in errors.iter().enumerate() {
        assert_eq!(error.exit_code(), 2);
        assert!(matches!(error, Error::Together { told, .. } if *told == (rank != 0)));
    }
    assert_eq!(errors[0].to_string(), errors[1].to_string());
    errors[0].to_string()
}

#[test]
fn ranks_that_do_not_fit_together_are_refused() {
    let scratch = tempdir().unwrap();
    let folder = scratch.path().join("run");
    let mut other = tiny(4);
    other.seed = 2;
    let said = refused(&folder, [tiny(4), other]);
    assert_eq!(said, "rank 1: seed is 2, expected that of rank 0, 1");
    let mut other = tiny(4);
    other.scene.noise = [0.0, 3.0];
    let said = refused(&folder, [tiny(4), other]);
    assert!(
        said.starts_with("rank 1: scene.noise is [0.0, 3.0]"),
        "{said}"
    );
    let mut other = tiny(4);
    other.schedule.rate = -1.0;
    let said = refused(&folder, [tiny(4), other]);
    assert!(said.starts_with("rank 1: schedule.rate is -1"), "{said}");
    let said = refused(&folder, [tiny(1), tiny(1)]);
    assert!(
        said.starts_with("batch is 1, expected at least 2"),
        "{said}"
    );
    assert!(!folder.exists());
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join(CHECKPOINT), "").unwrap();
    let said = refused(&folder, [tiny(4), tiny(4)]);
    assert!(said.contains("a run is here already"), "{said}");
}

#[test]
fn ranks_with_other_data_are_refused() {
    let scratch = tempdir().unwrap();
    let config = tiny(2);
    let loaded = |seed| {
        let made = TrainConfig {
            seed,
            ..config.clone()
        };
        Source::Loaded {
            train: Source::generated(&made)
                .of_step(0, &made, &(0..2))
                .into_iter()
                .map(|t| t.1)
                .collect(),
            validation: Source::generated(&made).validation(&made),
        }
    };
    let errors = together(2, |ranks| {
        let source = loaded(ranks.rank() as u64);
        let run = Run::create_among(
            ranks,
            Cpu::new(),
            scratch.path(),
            config.clone(),
            source,
            None,
        );
        run.map(drop).unwrap_err().to_string()
    });
    assert!(
        errors[0].starts_with("rank 1: data is folder-"),
        "{errors:?}"
    );
    assert_eq!(errors[0], errors[1]);
}
