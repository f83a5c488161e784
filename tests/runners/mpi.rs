//! Training in several processes by `mpirun`: the bits of ranks that are threads, and one end for all,
//! also where a process is killed. Open MPI's options are set for crowded machines.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use derefnet::backend::cpu::Cpu;
use derefnet::model::Preset;
use derefnet::train::{Checkpoint, Run, Source, TrainConfig};
use derefnet_tests::threads::together;
use tempfile::{TempDir, tempdir};

/// Longest wait for one launch to come to the point that a test waits for.
const PATIENCE: Duration = Duration::from_secs(120);

/// Small enough for many launches; 6 frames, so 2 windows a trajectory.
const TINY: &str = "\
steps = 30
batch = 4
qinit_trajectories = 20
validate_every = 15
validate_trajectories = 1
checkpoint_every = 4
ema = 0.9
model.stages = 1
model.channels = 4
model.residual_blocks = 0
scene.frames = 6
";

/// A folder with the tiny configuration; its run goes into `run`.
struct Scratch {
    folder: TempDir,
}

impl Scratch {
    fn new() -> Self {
        let folder = tempdir().unwrap();
        fs::write(folder.path().join("tiny.toml"), TINY).unwrap();
        Self { folder }
    }

    fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn start(&self) -> String {
        let config = self.folder.path().join("tiny.toml");
        let (config, run) = (config.display(), self.run());
        format!(
            "train --threads 1 --config {config} --out {}",
            run.display()
        )
    }

    fn resume(&self) -> String {
        let run = self.run();
        format!("train --threads 1 --resume --out {}", run.display())
    }
}

/// What two processes print that nobody disturbs, and their run. Nothing drops a static, so its folder is
/// cargo's, which the next test run empties.
fn reference() -> &'static (String, PathBuf) {
    static RUN: OnceLock<(String, PathBuf)> = OnceLock::new();
    RUN.get_or_init(|| {
        let scratch = Scratch::new();
        let out = done(2, &format!("{} --mpi --json", scratch.start()));
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mpi-undisturbed");
        if kept.exists() {
            fs::remove_dir_all(&kept).unwrap();
        }
        fs::create_dir_all(&kept).unwrap();
        for entry in fs::read_dir(scratch.run()).unwrap().flatten() {
            fs::copy(entry.path(), kept.join(entry.file_name())).unwrap();
        }
        (out, kept)
    })
}

thread_local! {
    /// Where Open MPI keeps what it knows of a test's launches: in a folder for all, one that ends would
    /// now and then take it away while another begins.
    static SESSIONS: TempDir = tempdir().unwrap();
}

/// `mpirun` for the launches in `apps`: numbers of processes and arguments, split at spaces.
fn mpirun(apps: &[(usize, &str)]) -> Command {
    let mut command = Command::new("mpirun");
    command.args(["--oversubscribe", "--bind-to", "none"]);
    command.stdin(Stdio::null());
    for variable in ["OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] {
        command.env(variable, "1");
    }
    // Ranks that wait leave the processor to others; copies by another process's memory are
    // forbidden in many containers.
    command.env("OMPI_MCA_mpi_yield_when_idle", "1");
    command.env("OMPI_MCA_btl_vader_single_copy_mechanism", "none");
    SESSIONS.with(|folder| command.env("OMPI_MCA_orte_tmpdir_base", folder.path()));
    for (at, (count, words)) in apps.iter().enumerate() {
        if at > 0 {
            command.arg(":");
        }
        command.args(["-n", &count.to_string()]);
        command.arg(env!("CARGO_BIN_EXE_derefnet-under-test"));
        command.args(words.split_whitespace());
    }
    command
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs `words` in `count` processes, which must succeed; what they print.
fn done(count: usize, words: &str) -> String {
    let output = mpirun(&[(count, words)]).output().unwrap();
    assert!(output.status.success(), "{words}: {}", errors(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn assert_same_bits(a: &Path, b: &Path) {
    for stem in ["checkpoint", "best", "model"] {
        let name = format!("{stem}.safetensors");
        let read = |folder: &Path| fs::read(folder.join(&name)).unwrap();
        assert!(read(a) == read(b), "{name} differs");
    }
    let read = |folder: &Path| fs::read(folder.join("validation.csv")).unwrap();
    assert_eq!(read(a), read(b));
}

fn steps(run: &Path) -> u64 {
    let path = run.join("checkpoint.safetensors");
    Checkpoint::load(&path).unwrap().step
}

/// The suite `ranks` compares threads with one process; here processes are compared with threads.
fn assert_bits_of_threads(count: usize, processes: &Path) {
    let scratch = Scratch::new();
    let config = TrainConfig::read(Preset::Edge, &scratch.folder.path().join("tiny.toml")).unwrap();
    together(count, |ranks| {
        let source = Source::generated(&config);
        let config = config.clone();
        let run = Run::create_among(ranks, Cpu::new(), &scratch.run(), config, source, None);
        run.unwrap().train(None, |_| Ok(())).unwrap();
    });
    assert_same_bits(processes, &scratch.run());
}

#[test]
fn two_processes_have_the_bits_of_threads_and_the_lead_answers() {
    let (out, run) = reference();
    assert_eq!(out.matches('\n').count(), 1, "{out}");
    assert!(out.contains("\"step\":30"), "{out}");
    assert_bits_of_threads(2, run);
}

#[test]
fn four_processes_have_the_bits_of_threads() {
    let scratch = Scratch::new();
    done(4, &format!("{} --mpi", scratch.start()));
    assert_bits_of_threads(4, &scratch.run());
}

#[test]
fn one_process_trains_as_without_mpi() {
    let alone = Scratch::new();
    let words = alone.start();
    let mut command = Command::new(env!("CARGO_BIN_EXE_derefnet-under-test"));
    let status = command.args(words.split_whitespace()).output().unwrap();
    assert!(status.status.success());
    let launched = Scratch::new();
    let out = done(1, &format!("{} --mpi --json", launched.start()));
    assert_eq!(out.matches("\"finished\":true").count(), 1, "{out}");
    assert_same_bits(&alone.run(), &launched.run());
}

/// Runs `apps`, which must be refused with exit code 2 and one line that says `part`, and leave no run.
fn refused(scratch: &Scratch, apps: &[(usize, &str)], part: &str) {
    let output = mpirun(apps).output().unwrap();
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let lines = said.lines().filter(|line| line.contains("error: "));
    let lines: Vec<&str> = lines.collect();
    assert!(lines.len() == 1 && lines[0].contains(part), "{said}");
    assert!(!scratch.run().exists());
}

#[test]
fn processes_that_do_not_fit_together_are_refused() {
    let scratch = Scratch::new();
    let start = format!("{} --mpi", scratch.start());
    let other = format!("{start} --seed 2");
    let seeds = "rank 1: seed is 2, expected that of rank 0, 1";
    refused(&scratch, &[(1, &start), (1, &other)], seeds);
    let missing = start.replace("tiny.toml", "none.toml");
    refused(&scratch, &[(1, &start), (1, &missing)], "none.toml");
    refused(&scratch, &[(5, &start)], "batch is 4, expected at least 5");
}

/// They would write one run: each of them says so, if it is not ended before.
#[test]
fn processes_without_the_option_are_refused() {
    let scratch = Scratch::new();
    let output = mpirun(&[(2, &scratch.start())]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("add --mpi"), "{}", errors(&output));
    assert!(!scratch.run().exists());
}

/// The process of `rank` that writes the run of `scratch`.
fn process(scratch: &Scratch, rank: usize) -> Option<u32> {
    let run = scratch.run();
    let is_it = |process: &Path| {
        let read = |name: &str| fs::read(process.join(name)).unwrap_or_default();
        let holds =
            |bytes: Vec<u8>, text: &str| bytes.split(|&b| b == 0).any(|w| w == text.as_bytes());
        holds(read("environ"), &format!("OMPI_COMM_WORLD_RANK={rank}"))
            && holds(read("cmdline"), &run.display().to_string())
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let mut found = entries.map(|e| e.path()).filter(|path| is_it(path));
    found.next()?.file_name()?.to_str()?.parse().ok()
}

/// Sends `signal` to rank 1 of a run of two once its first checkpoint is written.
fn disturbed(scratch: &Scratch, signal: &str) -> Output {
    let mut command = mpirun(&[(2, &format!("{} --mpi", scratch.start()))]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let child = begun(scratch, child);
    let process = process(scratch, 1).unwrap().to_string();
    let kill = Command::new("kill").args([signal, &process]).status();
    assert!(kill.unwrap().success());
    child.wait_with_output().unwrap()
}

/// Waits until the first checkpoint after the start is there.
fn begun(scratch: &Scratch, mut child: Child) -> Child {
    let end = Instant::now() + PATIENCE;
    let log = scratch.run().join("log.csv");
    // The log is written just before the checkpoint; until then that of the start is not worth reading.
    while !log.exists() || steps(&scratch.run()) == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended too early");
        assert!(Instant::now() < end, "the run never came so far");
        sleep(Duration::from_millis(1));
    }
    child
}

#[test]
fn a_killed_process_ends_the_run_which_resumes_to_the_same_bits() {
    let scratch = Scratch::new();
    let output = disturbed(&scratch, "-KILL");
    let said = errors(&output);
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains("rank 1") && said.contains("signal 9"),
        "{said}"
    );
    let step = steps(&scratch.run());
    assert!((4..30).contains(&step), "{step}");
    done(2, &format!("{} --mpi", scratch.resume()));
    assert_same_bits(&scratch.run(), &reference().1);
}

#[test]
fn an_interrupted_process_stops_all_which_save_and_resume_to_the_same_bits() {
    let scratch = Scratch::new();
    let output = disturbed(&scratch, "-INT");
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert_eq!(said.matches("error: interrupted").count(), 1, "{said}");
    let step = steps(&scratch.run());
    assert!((4..30).contains(&step), "{step}");
    done(2, &format!("{} --mpi", scratch.resume()));
    assert_same_bits(&scratch.run(), &reference().1);
}

/// The other process is in the middle of a step or waits for it: it cannot hear of the error.
#[test]
fn an_error_of_one_process_alone_ends_all() {
    let scratch = Scratch::new();
    let start = format!("{} --mpi", scratch.start());
    // In the way of the picture of the finished run.
    fs::create_dir_all(scratch.run().join("training.png")).unwrap();
    let output = mpirun(&[(2, &start)]).output().unwrap();
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("error: ") && said.contains("training.png"),
        "{said}"
    );
    assert_eq!(steps(&scratch.run()), 30);
}
