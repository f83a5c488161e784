//! What takes too long for every change: properties on many cases, and planted errors.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::mutate;
use crate::shell::{cargo, output, watch};
use crate::step::{Outcome, Step};

/// Cases of every property.
const CASES: u32 = 50_000;
/// Where every case is a whole network, one in so many of them, and never fewer than in every test.
const DEAR: u32 = 10;
/// Cases in every test.
const FEWEST: u32 = 1_000;
/// What is run: the tests in modules whose names end so, of every test program.
const FILTER: &str = "properties::";

/// The steps of `cargo xtask nightly`.
pub const STEPS: &[Step] = &[
    Step {
        name: "properties",
        group: "properties",
        about: "every property on 50,000 cases (whole networks 5,000), or as many as PROPTEST_CASES says",
        run: |_| properties().into(),
    },
    Step {
        name: "mutations",
        group: "mutations",
        about: "every planted error makes a test fail",
        run: |_| match mutate::run(&[]) {
            Ok(true) => Outcome::passed(),
            Ok(false) => Outcome::failed("a planted error was not caught"),
            Err(error) => Outcome::failed(error),
        },
    },
];

/// A property that was tried.
#[derive(Clone, Debug, PartialEq)]
struct Tried {
    name: String,
    cases: u32,
    seconds: f64,
    dear: bool,
}

impl Tried {
    /// Reads what `property::hold` of the tests prints.
    fn read(line: &str) -> Option<Self> {
        let (_, line) = line.split_once("property ")?;
        let (name, rest) = line.split_once(": ")?;
        let (cases, rest) = rest.split_once(" cases in ")?;
        let (seconds, mark) = rest.split_once(" s")?;
        Some(Self {
            name: name.to_owned(),
            cases: cases.parse().ok()?,
            seconds: seconds.parse().ok()?,
            dear: mark == ", dear",
        })
    }
}

/// A number from the environment, or `otherwise`.
fn asked<T: std::str::FromStr>(name: &str, otherwise: T) -> Result<T, String> {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .map_err(|_| format!("{name} is '{text}', expected a number")),
        Err(_) => Ok(otherwise),
    }
}

fn properties() -> Result<Outcome, String> {
    let cases = asked("PROPTEST_CASES", CASES)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = asked("PROPTEST_RNG_SEED", now.map_or(0, |since| since.as_secs()))?;
    eprintln!("{cases} cases, PROPTEST_RNG_SEED={seed}");
    let args = ["test", "--locked", "--package", "derefnet-tests", "--tests"];
    let listed = output(cargo(&[&args[..], &["--", FILTER, "--list"]].concat()))?;
    let listed = listed
        .lines()
        .filter(|line| line.ends_with(": test"))
        .count();
    let rest = ["--no-fail-fast", "--", FILTER, "--nocapture"];
    let mut run = cargo(&[&args[..], &rest].concat());
    run.env("PROPTEST_CASES", cases.to_string());
    run.env("PROPTEST_RNG_SEED", seed.to_string());
    // Tests run side by side; threads within one would only wait for each other.
    run.env("RAYON_NUM_THREADS", "1");
    let mut tried = Vec::new();
    let success = watch(run, |line| tried.extend(Tried::read(line)))?;
    print!("{}", table(&tried));
    Ok(judge(success, listed, cases, &tried))
}

fn table(tried: &[Tried]) -> String {
    let row = |t: &Tried| format!("| {} | {} | {:.1} |\n", t.name, t.cases, t.seconds);
    let rows: String = tried.iter().map(row).collect();
    let seconds: f64 = tried.iter().map(|t| t.seconds).sum();
    format!(
        "\n| property | cases | s |\n| --- | --- | --- |\n{rows}\n{} properties, {seconds:.0} s\n",
        tried.len()
    )
}

/// Passed if every listed property was tried often enough.
fn judge(success: bool, listed: usize, cases: u32, tried: &[Tried]) -> Outcome {
    let asked = |t: &Tried| match t.dear {
        true => cases.min(FEWEST.max(cases / DEAR)),
        false => cases,
    };
    let few = tried.iter().filter(|t| t.cases < asked(t));
    let mut reasons: Vec<String> = few
        .map(|t| format!("{}: {} cases of {}", t.name, t.cases, asked(t)))
        .collect();
    if tried.len() != listed {
        let missing = format!(
            "{} of {listed} properties were tried to the end",
            tried.len()
        );
        reasons.push(missing);
    }
    if !success && reasons.is_empty() {
        reasons.push("a test program failed".to_owned());
    }
    if !reasons.is_empty() {
        return Outcome::unless(reasons);
    }
    let dear = tried.iter().filter(|t| t.dear).count();
    Outcome::noted(vec![format!(
        "{} properties, {cases} cases each; of these {dear} on whole networks, fewer",
        tried.len()
    )])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_properties_are_read() {
        let line = "test a ... property metric::properties::b: 1000 cases in 1.25 s";
        let tried = Tried {
            name: "metric::properties::b".to_owned(),
            cases: 1000,
            seconds: 1.25,
            dear: false,
        };
        assert_eq!(Tried::read(line), Some(tried.clone()));
        assert_eq!(Tried::read("property without a number"), None);
        let passes = |outcome| matches!(outcome, Outcome::Passed { .. });
        assert!(passes(judge(true, 1, 1000, std::slice::from_ref(&tried))));
        assert!(!passes(judge(true, 2, 1000, std::slice::from_ref(&tried))));
        assert!(!passes(judge(true, 1, 1001, std::slice::from_ref(&tried))));
        assert!(!passes(judge(false, 1, 1000, std::slice::from_ref(&tried))));
        let dear = Tried::read(&format!("{line}, dear"));
        let dear = dear
            .filter(|t| t.dear && t.seconds == 1.25)
            .into_iter()
            .collect::<Vec<_>>();
        assert!(passes(judge(true, 1, 10_000, &dear)));
        assert!(!passes(judge(true, 1, 20_000, &dear)));
    }
}
