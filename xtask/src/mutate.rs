//! Errors planted one at a time: every one must make a test fail.
//!
//! A copy of the repository with a target folder of its own is built again for each error, so that
//! only what it touches is compiled; it goes where a test cannot see it otherwise, nothing is
//! installed or committed.

mod copy;
mod kept;
mod list;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::shell::cargo;
use copy::Copy;
use kept::{Kept, Verdict};
use list::Mutation;

/// Cases of every property.
const CASES: u32 = 64;
/// How long tests may take that last seconds without an error in their way.
const LONGEST: Duration = Duration::from_secs(300);

/// `cargo xtask mutate`: the mutations with these names, or all of them; whether all are caught.
///
/// # Errors
/// If there is no mutation of that name, or a test fails without any.
pub fn run(names: &[String]) -> Result<bool, String> {
    let all = list::all()?;
    if let Some(name) = names
        .iter()
        .find(|name| !all.iter().any(|m| m.name == **name))
    {
        return Err(format!("mutate: no mutation is called '{name}'"));
    }
    let chosen = |mutation: &&Mutation| names.is_empty() || names.contains(&mutation.name);
    let copy = Copy::make()?;
    let mut kept = Kept::load(copy.folder())?;
    let open: Vec<&Mutation> = all
        .iter()
        .filter(chosen)
        .filter(|mutation| kept.get(mutation).is_none())
        .collect();
    for (number, mutation) in open.iter().enumerate() {
        check_test(&copy, &mut kept, mutation)?;
        let started = Instant::now();
        let verdict = judge(&copy, mutation)?;
        let seconds = started.elapsed().as_secs_f64();
        let place = format!("{}/{}", number + 1, open.len());
        println!("{place:>7} {seconds:6.1} s  {}: {verdict:?}", mutation.name);
        kept.put(mutation, verdict)?;
    }
    if names.is_empty() {
        kept.record(&all, CASES)?;
    }
    Ok(report(&kept, all.iter().filter(chosen)))
}

/// Prints what was not caught, and the sum; whether there was nothing.
fn report<'m>(kept: &Kept, mutations: impl Iterator<Item = &'m Mutation>) -> bool {
    let (mut caught, mut others) = (0, 0);
    for mutation in mutations {
        match kept.get(mutation) {
            Some(Verdict::Caught(_)) => caught += 1,
            Some(Verdict::Elsewhere) => println!("{}: not for this processor", mutation.name),
            verdict => {
                others += 1;
                println!("{}: {verdict:?}", mutation.name);
            }
        }
    }
    println!("{caught} caught, {others} not");
    others == 0
}

/// Without an error planted the test must pass, or its failure would say nothing.
fn check_test(copy: &Copy, kept: &mut Kept, mutation: &Mutation) -> Result<(), String> {
    let Mutation {
        test: program,
        filter,
        ..
    } = mutation;
    if kept.passes(program, filter) {
        return Ok(());
    }
    let verdict = test(copy, mutation, &build(copy, mutation)?)?;
    if verdict != Verdict::Survived {
        return Err(format!(
            "mutate: without errors, {program} {filter}: {verdict:?}"
        ));
    }
    kept.note_passing(program, filter)
}

/// Plants an error, runs its test, and takes the error out again.
fn judge(copy: &Copy, mutation: &Mutation) -> Result<Verdict, String> {
    if !mutation.can_run() {
        return Ok(Verdict::Elsewhere);
    }
    let source = copy.read(&mutation.file)?;
    let mutated = match mutation.apply(&source) {
        Ok(mutated) => mutated,
        Err(why) => return Ok(Verdict::Broken(why)),
    };
    copy.write(&mutation.file, &mutated)?;
    let verdict = match build(copy, mutation) {
        Ok(program) => test(copy, mutation, &program),
        Err(why) => Ok(Verdict::Broken(why)),
    };
    copy.write(&mutation.file, &source)?;
    verdict
}

/// Builds the test program of `mutation`; where it lies.
fn build(copy: &Copy, mutation: &Mutation) -> Result<PathBuf, String> {
    let test = ["test", "--locked", "--quiet", "--no-run", "--package"];
    let (package, name) = match mutation.test.as_str() {
        "core" => (&["derefnet-core", "--lib"][..], "derefnet_core"),
        name => (&["derefnet-tests", "--test", name][..], name),
    };
    let format = ["--message-format", "json-render-diagnostics"];
    let mut command = cargo(&[&test[..], package, &format].concat());
    command.current_dir(copy.tree());
    command.env("CARGO_TARGET_DIR", copy.target());
    // Built often and run shortly; overflow stays checked, and what others wrote stays as it is.
    let level = mutation.level();
    for (package, level) in [
        ("derefnet-core", 1),
        ("derefnet", level),
        ("derefnet-tests", level),
    ] {
        for setting in [format!("opt-level={level}"), "debug=false".to_owned()] {
            let setting = format!("profile.dev.package.{package}.{setting}");
            command.args(["--config", &setting]);
        }
    }
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let error = text.lines().find(|line| line.starts_with("error"));
        return Err(error.unwrap_or("does not compile").to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let found = |message: serde_json::Value| {
        let is_test = message["target"]["name"].as_str() == Some(name);
        Some(PathBuf::from(
            message["executable"].as_str().filter(|_| is_test)?,
        ))
    };
    let program = messages.filter_map(found).next_back();
    program.ok_or_else(|| format!("no program came of the test {}", mutation.test))
}

/// Runs the tests of `mutation` in `program`.
fn test(copy: &Copy, mutation: &Mutation, program: &Path) -> Result<Verdict, String> {
    let log = copy.folder().join("test.log");
    let fail = |error: std::io::Error| format!("{}: {error}", program.display());
    let mut command = Command::new(program);
    command.arg(&mutation.filter).stdin(Stdio::null());
    command.stdout(std::fs::File::create(&log).map_err(fail)?);
    // Where cargo runs it.
    command.current_dir(copy.tree().join("tests"));
    command.env("PROPTEST_CASES", CASES.to_string());
    // The first failure is enough.
    command.env("PROPTEST_MAX_SHRINK_ITERS", "0");
    command.env_remove("PROPTEST_RNG_SEED");
    let mut child = command.stderr(Stdio::null()).spawn().map_err(fail)?;
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(fail)? {
            break status;
        }
        if started.elapsed() > LONGEST {
            child.kill().map_err(fail)?;
            child.wait().map_err(fail)?;
            return Ok(Verdict::Caught("a test that never ended".to_owned()));
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let text = std::fs::read(&log).map_err(fail)?;
    Ok(verdict(status.success(), &String::from_utf8_lossy(&text)))
}

/// What the output of a test program says.
fn verdict(success: bool, text: &str) -> Verdict {
    let is_name = |line: &&str| line.starts_with("    ") && !line.trim().contains(' ');
    let (_, failures) = text.rsplit_once("\nfailures:\n").unwrap_or(("", ""));
    let names: Vec<&str> = failures.lines().filter(is_name).map(str::trim).collect();
    if success {
        if text.contains("ok. 0 passed") {
            return Verdict::Broken("no test has such a name".to_owned());
        }
        return Verdict::Survived;
    }
    match names[..] {
        [] => Verdict::Caught("the end of the test program".to_owned()),
        [name] => Verdict::Caught(format!("`{name}`")),
        [name, ..] => Verdict::Caught(format!("`{name}` and {} more", names.len() - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_follow_from_what_test_programs_print() {
        let passed = "\nrunning 2 tests\n..\ntest result: ok. 2 passed; 0 failed\n";
        assert_eq!(verdict(true, passed), Verdict::Survived);
        let none = "test result: ok. 0 passed; 0 failed; 0 ignored; 9 filtered out\n";
        assert!(matches!(verdict(true, none), Verdict::Broken(_)));
        let failed = "failures:\n\n---- a::b stdout ----\n    text\n\n\nfailures:\n    a::b\n    \
                      a::c\n\ntest result: FAILED. 1 passed; 2 failed\n";
        let caught = Verdict::Caught("`a::b` and 1 more".to_owned());
        assert_eq!(verdict(false, failed), caught);
        let dead = Verdict::Caught("the end of the test program".to_owned());
        assert_eq!(verdict(false, "running 2 tests\n"), dead);
    }
}
