//! A benchmark from its definition to its results: complete, resumable to the same bits, strict.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use derefnet::benchmark::result::{Group, RowResult};
use tempfile::{TempDir, tempdir};

/// Three rows of seconds: a small network, a solver, the fit. The work buys 45 steps.
const TINY: &str = "\
title = 'Tiny'
about = 'nothing'
[budget.smoke]
multiply_adds = 2e9
[training]
warmup = 0.1
validations = 3
[data]
trajectories = 2
[methods]
width = 0.0
qinit_trajectories = 30
validate_trajectories = 1
scene.frames = 8
schedule = { rate = 1e-3, last = 0.1 }
[deref_net]
qinit_trajectories = 30
validate_trajectories = 1
[[row]]
name = 'net'
method = 'srcnn'
about = 'a small one'
[[row]]
name = 'bid'
method = 'bid'
group = 'baseline'
[[row]]
name = 'fit'
method = 'fit'
";

struct Scratch(TempDir);

impl Scratch {
    fn new(text: &str) -> Self {
        let scratch = Self(tempdir().unwrap());
        scratch.define(text);
        scratch
    }

    fn define(&self, text: &str) {
        fs::write(self.definition(), text).unwrap();
    }

    fn definition(&self) -> PathBuf {
        self.0.path().join("tiny.toml")
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    fn command(&self, rest: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_derefnet-under-test"));
        command.arg("benchmark").arg(self.definition());
        command.arg("--out").arg(self.out());
        command.args(["--preset", "smoke", "--threads", "1"]);
        command.args(rest.split_whitespace()).stdin(Stdio::null());
        command
    }

    fn run(&self, rest: &str) -> Output {
        self.command(rest).output().unwrap()
    }

    fn done(&self, rest: &str) -> String {
        let output = self.run(rest);
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{complaint}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, rest: &str, parts: &[&str]) {
        let output = self.run(rest);
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{complaint}");
        for part in parts {
            assert!(complaint.contains(part), "no '{part}': {complaint}");
        }
    }

    fn result(&self, row: &str) -> RowResult {
        RowResult::read(&self.out().join(row)).unwrap()
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.out().join(name)).unwrap()
    }
}

/// Files of a run that hold no times.
const EXACT: [&str; 3] = [
    "checkpoint.safetensors",
    "best.safetensors",
    "validation.csv",
];

#[test]
fn results_are_complete_and_rows_are_done_once() {
    let scratch = Scratch::new(TINY);
    let text = scratch.done("");
    assert!(
        text.contains("Tiny, preset smoke") && text.contains("net"),
        "{text}"
    );
    assert_eq!(scratch.bytes("definition.toml"), TINY.as_bytes());

    let net = scratch.result("net");
    assert_eq!((net.row.as_str(), net.label.as_str()), ("net", "SRCNN"));
    assert_eq!(
        (net.group, net.about.as_deref()),
        (Group::Published, Some("a small one"))
    );
    assert_eq!(net.published.map(|p| p.cso_map), Some(49.64));
    assert_eq!((net.data.trajectories, net.data.frames), (2, 32));
    let training = net.runs[0].training.clone().unwrap();
    assert_eq!(
        (training.batch, training.threads, training.rate),
        (1, 1, 1e-3)
    );
    assert!(training.steps >= 20, "{}", training.steps);
    assert!(
        training
            .best_step
            .is_some_and(|step| step <= training.steps)
    );
    let run = &net.runs[0];
    assert!(run.grid.is_some() && run.off_grid.is_some() && net.interval.is_none());
    assert_eq!(run.off_grid_readout.as_deref(), Some("fit-from-map"));
    assert!(net.frames_per_second.is_some_and(|rate| rate > 1.0));
    assert!(net.peak_mib.is_some_and(|peak| peak > 1.0));
    assert_eq!(net.validation_curve.len(), 3);
    assert!(!net.training_curve.is_empty());
    assert_eq!((net.precision_recall.len(), net.gallery.len()), (5, 2));
    let shown = &net.gallery[0];
    assert_eq!((shown.frame, shown.frame_counts.len()), (10, 121));
    assert_eq!(shown.map.as_ref().map(Vec::len), Some(1089));

    let [bid, fit] = ["bid", "fit"].map(|row| scratch.result(row));
    assert_eq!((bid.group, bid.parameters), (Group::Baseline, 0));
    assert!(bid.runs[0].training.is_none() && bid.runs[0].grid.is_some());
    assert!(fit.runs[0].grid.is_none() && fit.gallery[0].map.is_none());
    // Integer counts without noise: the fit is nearly exact (spec: 97 of 100).
    let scores = fit.runs[0].off_grid.unwrap();
    assert!(scores.cso_map > 80.0, "{}", scores.cso_map);
    // The same frames in every row.
    let frames = |result: &RowResult| -> Vec<Vec<i32>> {
        result
            .gallery
            .iter()
            .map(|g| g.frame_counts.clone())
            .collect()
    };
    assert_eq!(frames(&net), frames(&bid));
    assert_eq!(frames(&net), frames(&fit));

    let before = scratch.bytes("net/result.json");
    let again = scratch.done("--json");
    assert_eq!(again.matches("\"state\":\"kept\"").count(), 3, "{again}");
    assert_eq!(scratch.bytes("net/result.json"), before);
    // Words may change without a new run.
    scratch.define(&TINY.replace("a small one", "a tiny one"));
    scratch.done("");
    let renamed = scratch.result("net");
    assert_eq!(renamed.about.as_deref(), Some("a tiny one"));
    assert_eq!(renamed.runs, net.runs);
}

/// A detector finds every blurred spot and tells no targets apart, and so does a trained one; the fit tells
/// them apart, and drawn as a mask its answers are the truth's.
#[test]
fn detectors_are_judged_by_masks() {
    let text = "\
title = 'Detectors'
about = 'nothing'
masks = true
[budget.smoke]
multiply_adds = 2e9
[training]
validations = 2
[data]
trajectories = 5
[methods]
width = 0.0
qinit_trajectories = 30
validate_trajectories = 1
scene.frames = 8
schedule = { rate = 1e-2, last = 0.1 }
[[row]]
name = 'top-hat'
method = 'top-hat'
group = 'baseline'
[[row]]
name = 'msh-net'
method = 'msh-net'
[[row]]
name = 'fit'
method = 'fit'
";
    let scratch = Scratch::new(text);
    let printed = scratch.done("");
    assert!(printed.contains("top-hat"), "{printed}");
    let learned = scratch.result("msh-net").runs[0].clone();
    assert_eq!(learned.off_grid_readout.as_deref(), Some("components"));
    assert!(learned.grid.is_none() && learned.training.is_some());
    let masks = learned.masks.unwrap();
    assert!(masks.iou > 30.0 && masks.pd > 90.0, "{masks:?}");
    let [detector, fit] = ["top-hat", "fit"].map(|row| scratch.result(row).runs[0].clone());
    assert_eq!(detector.off_grid_readout.as_deref(), Some("components"));
    assert!(detector.grid.is_none() && detector.training.is_none());
    let masks = detector.masks.unwrap();
    assert!(masks.iou > 90.0 && masks.iou < 100.0, "{masks:?}");
    assert_eq!((masks.pd, masks.fa), (100.0, 0.0));
    let found = detector.off_grid.unwrap();
    assert!(
        found.cso_map < 10.0 && found.count_right == 0.0,
        "{found:?}"
    );
    let masks = fit.masks.unwrap();
    assert!(masks.iou > 98.0, "{masks:?}");
    assert_eq!((masks.pd, masks.fa), (100.0, 0.0));

    // A question more is another run; results without masks have no word of them.
    let without = text.replace("masks = true\n", "");
    scratch.define(&without);
    scratch.refused("", &["row 'top-hat'", "masks is absent, but was true"]);
    let scratch = Scratch::new(&without);
    scratch.done("--only fit");
    let text = String::from_utf8(scratch.bytes("fit/result.json")).unwrap();
    assert!(!text.contains("masks"), "{text}");
}

/// Two folders with several seeds, one undisturbed and one killed again and again.
#[test]
fn a_killed_run_ends_in_the_same_bits() {
    let text = TINY.replace("title", "seeds = [1, 2, 3]\ntitle");
    let [whole, killed] = [(); 2].map(|()| Scratch::new(&text));
    whole.done("--only net");
    let mut kills = 0;
    loop {
        let mut child = killed.command("--only net");
        let mut child = child
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let end = Instant::now() + Duration::from_millis(400 + 150 * kills);
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break Some(status),
                None if Instant::now() > end => break None,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        let Some(status) = status else {
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            continue;
        };
        assert!(status.success());
        break;
    }
    assert!(kills > 0, "nothing was killed");
    for seed in 1..=3 {
        for name in EXACT {
            let name = format!("net/run-{seed}/{name}");
            assert!(whole.bytes(&name) == killed.bytes(&name), "{name} differs");
        }
    }
    let [whole, killed] = [whole, killed].map(|scratch| scratch.result("net"));
    let scores = |result: &RowResult| -> Vec<_> {
        result
            .runs
            .iter()
            .map(|run| (run.seed, run.grid, run.off_grid))
            .collect()
    };
    assert_eq!(scores(&whole), scores(&killed));
    assert_eq!(whole.interval, killed.interval);
    assert!(
        whole
            .interval
            .is_some_and(|i| i.grid.is_some() && i.off_grid.is_some())
    );
}

/// A budget of time: steps are counted by a trial, kept, and end where the budget does.
#[test]
fn time_buys_steps_that_are_kept() {
    let text = TINY.replace("multiply_adds = 2e9", "minutes = 0.02");
    let scratch = Scratch::new(&text);
    scratch.done("--only net");
    let training = scratch.result("net").runs[0].training.clone().unwrap();
    // 1.2 s of processor time; under load caches are colder than in the trial.
    assert!(
        (0.004..0.1).contains(&training.minutes),
        "{}",
        training.minutes
    );
    let planned = fs::read_to_string(scratch.out().join("net/run/budget.json")).unwrap();
    assert!(
        planned.contains(&format!("\"steps\":{}", training.steps)),
        "{planned}"
    );
    assert!(!scratch.out().join("net/run/trial").exists());
}

#[test]
fn changed_rows_are_refused_by_field() {
    let scratch = Scratch::new(TINY);
    scratch.done("--only net,fit");
    scratch.define(&TINY.replace("rate = 1e-3", "rate = 2e-3"));
    scratch.refused(
        "",
        &[
            "row.toml",
            "row 'net'",
            "learning.config.schedule.rate is 0.002, but was 0.001",
        ],
    );
    scratch.define(&TINY.replace("trajectories = 2", "trajectories = 3"));
    scratch.refused(
        "--only fit",
        &["row 'fit'", "data.trajectories is 3, but was 2"],
    );
    let missing = scratch.result("net");
    let path = scratch.out().join("net/result.json");
    scratch.define(TINY);
    fs::write(&path, "{}").unwrap();
    scratch.refused("--only net", &["result.json", "missing field `format`"]);
    let stale = RowResult {
        format: 9,
        ..missing
    };
    fs::write(&path, serde_json::to_string(&stale).unwrap()).unwrap();
    scratch.refused("--only net", &["format is 9, expected 1"]);
}

#[test]
fn bad_definitions_are_refused_by_file_and_field() {
    let scratch = Scratch::new(&TINY.replace("method = 'bid'", "method = 'bad'"));
    scratch.refused("", &["tiny.toml", "row 'bid': method: no method 'bad'"]);
    scratch.define(TINY);
    scratch.refused("--only bad", &["--only bad: no such row"]);
    scratch.refused("--seed 3", &["--seed"]);
    scratch.define(&TINY.replace("budget.smoke", "budget.full"));
    scratch.refused("", &["tiny.toml", "budget.smoke is missing"]);
    scratch.define(TINY);
    assert!(!scratch.out().exists());
    let listed = scratch.done("--list");
    assert!(
        listed.contains("open") && !scratch.out().exists(),
        "{listed}"
    );
}

/// A model that answers with something else than numbers fails its row and no other.
#[test]
fn a_failed_training_leaves_the_others() {
    let text = TINY.replace(
        "[[row]]\nname = 'bid'",
        "[[row]]\nname = 'broken'\npreset = 'edge'\n\
         set = { model.intensity_scale = 1e-30, model.stages = 1, scene.frames = 5 }\n\
         [[row]]\nname = 'bid'",
    );
    let scratch = Scratch::new(&text);
    let output = scratch.run("--only broken,fit");
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(complaint.contains("1 rows failed"), "{complaint}");
    assert!(Path::new(&scratch.out().join("fit/result.json")).exists());
    assert!(!scratch.out().join("broken/result.json").exists());
}
