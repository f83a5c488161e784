//! Tests in processes of their own: a fault ends a context, and the mode is a process's.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Set in the process that a test starts.
const CHILD: &str = "DEREFNET_CUDA_TEST_CHILD";

/// How kernels run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Ptx,
    Native,
}

/// Whether this process was started by a test.
pub fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs the test of this name in a process of its own; none where g++ is missing.
pub fn run(test: &str, mode: Mode) -> Option<Output> {
    let mut command = child(test);
    if mode == Mode::Native {
        command.env("DEREFNET_CUDA_MODE", "native");
        command.env("DEREFNET_CUDA_NATIVE", native()?);
    }
    Some(command.output().expect("this program runs"))
}

/// The same, interpreted, with a variable in its environment.
pub fn run_with(test: &str, (name, value): (&str, &str)) -> Output {
    let mut command = child(test);
    command
        .env(name, value)
        .output()
        .expect("this program runs")
}

fn child(test: &str) -> Command {
    let program = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(program);
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    command.env(CHILD, "1");
    command
}

/// Both streams of a process as text.
pub fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// The fixtures compiled for this processor; none, and said so, where g++ is missing.
fn native() -> Option<&'static Path> {
    static OBJECT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let made = OBJECT.get_or_init(|| {
        if Command::new("g++").arg("--version").output().is_err() {
            eprintln!("NOT CHECKED: compiled kernels: install g++");
            assert!(
                std::env::var_os("CI").is_none(),
                "g++ is missing where CI is set"
            );
            return None;
        }
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let name = std::env::current_exe().expect("this program has a path");
        let name = name
            .file_name()
            .expect("this program has a path")
            .to_owned();
        let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let object = work.join("fixtures.so");
        cuda::native::build::build(&fixtures, &fixtures, &work, &object)
            .expect("g++ compiles the fixtures");
        Some(object)
    });
    made.as_deref()
}
