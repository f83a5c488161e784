//! Runs that are killed, interrupted or stopped end in the bits of a run that was left alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use derefnet_tests::strategies::mix;
use safetensors::SafeTensors;
use serde_json::Value;
use tempfile::{TempDir, tempdir};

use super::files::{TINY, write};
use super::process::{command, derefnet, done, json, one_object};

/// Longest wait for one process to come to the point that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Files that hold no times.
const EXACT: [&str; 5] = [
    "checkpoint.safetensors",
    "best.safetensors",
    "model.safetensors",
    "validation.csv",
    "config.toml",
];
const EVENTS: &str = "events.out.tfevents.0.derefnet";

/// A folder with the tiny configuration; its run goes into `run`.
struct Scratch<F> {
    folder: F,
}

impl Scratch<TempDir> {
    fn new() -> Self {
        Self::in_folder(tempdir().unwrap())
    }
}

impl<F: AsRef<Path>> Scratch<F> {
    fn in_folder(folder: F) -> Self {
        write(folder.as_ref(), "tiny.toml", TINY);
        Self { folder }
    }

    fn run(&self) -> PathBuf {
        self.folder.as_ref().join("run")
    }

    fn start(&self) -> String {
        let config = self.folder.as_ref().join("tiny.toml");
        let (config, run) = (config.display(), self.run());
        format!("train --config {config} --out {}", run.display())
    }

    fn resume(&self) -> String {
        format!("train --resume --out {}", self.run().display())
    }

    fn next(&self) -> String {
        let begun = self.run().join(EXACT[0]).exists();
        if begun { self.resume() } else { self.start() }
    }
}

/// The run that nobody disturbs, on one thread. Nothing drops a static, so its folder is cargo's,
/// which the next test run empties.
fn reference() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("undisturbed");
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::create_dir_all(&folder).unwrap();
        let scratch = Scratch::in_folder(folder);
        done(&format!("{} --threads 1", scratch.start()));
        scratch.run()
    })
}

fn assert_same_bits(run: &Path) {
    for name in EXACT {
        let read = |folder: &Path| fs::read(folder.join(name)).unwrap();
        assert!(read(run) == read(reference()), "{name} differs");
    }
}

/// The training log without its last column, the seconds.
fn losses(run: &Path) -> Vec<String> {
    let text = fs::read_to_string(run.join("log.csv")).unwrap();
    let cut = |line: &str| line.rsplit_once(',').unwrap().0.to_owned();
    text.lines().map(cut).collect()
}

/// Metadata of a checkpoint.
fn header(run: &Path) -> Value {
    let bytes = fs::read(run.join(EXACT[0])).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let text = &metadata.metadata().as_ref().unwrap()["derefnet"];
    serde_json::from_str(text).unwrap()
}

fn spawn(words: &str) -> Child {
    let mut command = command(words);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Waits for `ready`; false if `child` ends before.
fn comes(child: &mut Child, mut ready: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + PATIENCE;
    while !ready() {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(Instant::now() < end, "the run never came so far");
        sleep(Duration::from_millis(1));
    }
    true
}

/// Whether `file` is being written: its hidden sibling is there.
fn writing(run: &Path, file: &str) -> bool {
    let start = format!(".{file}.");
    let entries = fs::read_dir(run).into_iter().flatten();
    let mut names = entries.map(|entry| entry.unwrap().file_name());
    names.any(|name| name.to_string_lossy().starts_with(&start))
}

/// Removes what killed writers left, so that [`writing`] sees new ones only.
fn sweep(run: &Path) {
    for entry in fs::read_dir(run).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "tmp") {
            fs::remove_file(path).unwrap();
        }
    }
}

/// Starts or continues the run and kills it at `moment`; false if it ended before.
fn kill_at(scratch: &Scratch<TempDir>, moment: u64) -> bool {
    let run = scratch.run();
    sweep(&run);
    let mut child = spawn(&scratch.next());
    let came = match moment % 4 {
        0 => comes(&mut child, || writing(&run, "checkpoint.safetensors")),
        1 => comes(&mut child, || writing(&run, "best.safetensors")),
        2 => {
            let seen = comes(&mut child, || writing(&run, "checkpoint.safetensors"));
            seen && comes(&mut child, || !writing(&run, "checkpoint.safetensors"))
        }
        _ => {
            let wait = Duration::from_millis(mix(moment) % 500);
            let start = Instant::now();
            comes(&mut child, || start.elapsed() >= wait)
        }
    };
    // Kill sends SIGKILL: the program gets no chance to save anything.
    child.kill().unwrap();
    child.wait().unwrap();
    came
}

#[test]
fn killed_runs_resume_to_the_same_bits() {
    let scratch = Scratch::new();
    let kills = (0..12).filter(|&moment| kill_at(&scratch, moment)).count();
    assert!(kills >= 4, "only {kills} kills hit the running program");
    if scratch.next() == scratch.start() {
        done(&scratch.start());
    }
    let answer = json(&scratch.resume());
    assert_eq!(answer["finished"], true);
    assert_same_bits(&scratch.run());
    assert_eq!(losses(&scratch.run()), losses(reference()));
    let events = |run: &Path| fs::metadata(run.join(EVENTS)).unwrap().len();
    assert_eq!(events(&scratch.run()), events(reference()));
}

#[test]
fn threads_do_not_change_the_bits() {
    let scratch = Scratch::new();
    done(&format!("{} --threads 2", scratch.start()));
    assert_same_bits(&scratch.run());
    assert_eq!(losses(&scratch.run()), losses(reference()));
}

/// The checkpoint of an interrupted run stands at its last step, not at a multiple of seven.
#[test]
fn interrupted_run_saves_and_resumes_to_the_same_bits() {
    let scratch = Scratch::new();
    let run = scratch.run();
    let mut child = spawn(&scratch.start());
    assert!(comes(&mut child, || run.join("log.csv").exists()));
    sleep(Duration::from_millis(20));
    let pid = child.id().to_string();
    let kill = Command::new("kill").args(["-INT", &pid]).status();
    assert!(kill.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let step = header(&run)["step"].as_u64().unwrap();
    assert!((7..60).contains(&step), "{step}");
    let last = losses(&run).pop().unwrap();
    assert!(last.starts_with(&format!("{step},")), "{step}: {last}");
    done(&scratch.resume());
    assert_same_bits(&run);
}

#[test]
fn a_run_in_portions_of_time_ends_in_the_same_bits() {
    let scratch = Scratch::new();
    let mut steps = vec![0];
    for minutes in ["--minutes 0.002", "--minutes 0.004", ""] {
        let ran = derefnet(&format!("{} {minutes} --json", scratch.next()));
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let answer = one_object(&ran.out);
        assert_eq!(answer["step"], header(&scratch.run())["step"]);
        assert_eq!(answer["finished"], answer["step"] == answer["steps"]);
        steps.push(answer["step"].as_u64().unwrap());
    }
    assert!(steps[0] < steps[1] && steps[1] < 60, "{steps:?}");
    assert_eq!(steps[3], 60);
    assert_same_bits(&scratch.run());
}
