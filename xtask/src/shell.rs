//! Programs run in the repository.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Root of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// `program` with `args`, in the repository, without standard input.
pub fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root()).stdin(Stdio::null());
    command
}

/// The cargo that runs this program, with `args`.
pub fn cargo(args: &[&str]) -> Command {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    command(&cargo, args)
}

/// Runs `command` to its end.
pub fn run(mut command: Command) -> Result<(), String> {
    let status = command.status();
    let status = status.map_err(|error| format!("{}: {error}", describe(&command)))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{}: {status}", describe(&command)))
}

/// Whether `command` runs and succeeds, silently.
pub fn works(mut command: Command) -> bool {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Standard output of `command`, which must succeed.
pub fn output(mut command: Command) -> Result<String, String> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("{}: {error}", describe(&command)))?;
    if !output.status.success() {
        return Err(format!("{}: {}", describe(&command), output.status));
    }
    String::from_utf8(output.stdout)
        .map_err(|_| format!("{}: output is not UTF-8", describe(&command)))
}

/// Runs `command`, shows its standard output line by line and hands each line to `line`; whether
/// it succeeded.
pub fn watch(mut command: Command, mut line: impl FnMut(&str)) -> Result<bool, String> {
    let fail = |error: std::io::Error| error.to_string();
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(fail)?;
    if let Some(stdout) = child.stdout.take() {
        for text in BufReader::new(stdout).lines() {
            let text = text.map_err(fail)?;
            println!("{text}");
            line(&text);
        }
    }
    Ok(child.wait().map_err(fail)?.success())
}

/// Files under version control, relative to the root.
pub fn tracked() -> Result<Vec<String>, String> {
    let list = output(command("git", &["ls-files", "-z"]))?;
    let exists = |path: &&str| !path.is_empty() && root().join(path).is_file();
    Ok(list.split('\0').filter(exists).map(str::to_owned).collect())
}

/// Text of a file of the repository.
pub fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))
}

/// Writes a file, and the folders to it; one that has this text already stays as it is.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    let fail = |error: std::io::Error| format!("{}: {error}", path.display());
    if std::fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(fail)?;
    }
    std::fs::write(path, text).map_err(fail)
}

fn describe(command: &Command) -> String {
    let mut text = Path::new(command.get_program())
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}
