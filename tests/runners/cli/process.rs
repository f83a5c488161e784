//! Running the program and looking at what it left behind.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a finished process left.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// The program with the arguments in `words`, which are split at spaces.
pub fn command(words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_derefnet-under-test"));
    command.args(words.split_whitespace()).stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub fn derefnet(words: &str) -> Ran {
    let output = command(words).output().unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the program, which must succeed.
pub fn done(words: &str) -> String {
    let ran = derefnet(words);
    assert_eq!(ran.code, Some(0), "{words}: {}", ran.err);
    ran.out
}

/// Runs the program with `--json`, which must print exactly one object and succeed.
pub fn json(words: &str) -> Value {
    one_object(&done(&format!("{words} --json")))
}

/// The one line of `out` as a JSON object.
pub fn one_object(out: &str) -> Value {
    assert_eq!(out.matches('\n').count(), 1, "{out}");
    let value: Value = serde_json::from_str(out).unwrap();
    assert!(value.is_object(), "{out}");
    value
}

/// Asserts that `value` has each of `keys`, given with spaces between.
pub fn has_keys(value: &Value, keys: &str) {
    for key in keys.split_whitespace() {
        assert!(value.get(key).is_some(), "no {key}: {value}");
    }
}

/// Every file and folder below `folder`, with the files' content.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
            all.insert(path, None);
        } else {
            let bytes = fs::read(&path).unwrap();
            all.insert(path, Some(bytes));
        }
    }
    all
}

/// Asserts that the program refuses `words` with exit code 2, says every one of `parts`, prints no
/// answer, and leaves everything below `folder` as it was.
pub fn refused(words: &str, parts: &[&str], folder: &Path) {
    let before = contents(folder);
    let ran = derefnet(words);
    assert_eq!(ran.code, Some(2), "{words}: {}", ran.err);
    assert_eq!(ran.out, "", "{words}");
    for part in parts {
        assert!(ran.err.contains(part), "{words}: no '{part}': {}", ran.err);
    }
    let after = contents(folder);
    let names = |all: &BTreeMap<PathBuf, _>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after), "{words}");
    assert!(before == after, "{words}: a file changed");
}
