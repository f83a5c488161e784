//! Steps of a check: run in order, timed, summed up.

use std::time::Instant;

use crate::compiler::Compiler;
use crate::debian;

/// How a step ended.
pub enum Outcome {
    /// As it should; notes are warnings.
    Passed {
        /// Cases inside the step.
        passed: usize,
        /// Cases inside the step that were left out.
        skipped: usize,
        /// Worth saying in the summary.
        notes: Vec<String>,
    },
    /// Not as it should.
    Failed {
        /// Cases inside the step that passed.
        passed: usize,
        /// Cases inside the step that failed.
        failed: usize,
        /// Why, one finding a line.
        reasons: Vec<String>,
    },
    /// Not run, and why.
    Skipped(String),
}

impl Outcome {
    /// A step of one case that passed.
    pub fn passed() -> Self {
        Self::noted(Vec::new())
    }

    /// A step of one case that passed with notes.
    pub fn noted(notes: Vec<String>) -> Self {
        Self::Passed {
            passed: 1,
            skipped: 0,
            notes,
        }
    }

    /// A step of one case that failed for one reason.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::unless(vec![reason.into()])
    }

    /// Passed if there are no findings.
    pub fn unless(reasons: Vec<String>) -> Self {
        if reasons.is_empty() {
            return Self::passed();
        }
        Self::Failed {
            passed: 0,
            failed: 1,
            reasons,
        }
    }
}

/// Turns an error into a failed step.
impl From<Result<Self, String>> for Outcome {
    fn from(result: Result<Self, String>) -> Self {
        result.unwrap_or_else(Self::failed)
    }
}

/// One thing to check.
#[derive(Clone, Copy)]
pub struct Step {
    /// Name for `--skip`.
    pub name: &'static str,
    /// Several steps for `--skip`.
    pub group: &'static str,
    /// What it checks.
    pub about: &'static str,
    /// Does it.
    pub run: fn(&Options) -> Outcome,
}

/// What a command may do about tools that are missing, and what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tools {
    /// None for boards are needed.
    Unused,
    /// Nothing is installed; what is missing fails.
    Needed,
    /// Packages and targets are installed; what is missing afterwards fails where packages may be
    /// installed at all, and is left out elsewhere.
    Wanted,
    /// Packages and targets are installed; what is missing afterwards fails.
    Installed,
    /// The same, and apt-get's sources may get the suite of backports.
    SetUp,
}

impl Tools {
    /// Whether packages and targets may be installed.
    pub fn install(self) -> bool {
        matches!(self, Self::Wanted | Self::Installed | Self::SetUp)
    }

    /// Whether a tool that is missing fails a step; `leave` says that packages may be installed.
    fn fails(self, leave: bool) -> bool {
        self != Self::Wanted || leave
    }
}

/// What the command line asked for.
pub struct Options {
    /// Names of steps or groups to leave out.
    pub skip: Vec<String>,
    /// Print the steps and stop.
    pub list: bool,
    /// What may be done about missing tools.
    pub tools: Tools,
    /// Who compiles for the boards; whoever can, if nobody is named.
    pub compiler: Option<Compiler>,
}

impl Options {
    /// Parses `args`; a name to skip must be that of a step or group.
    pub fn parse(args: &[String], steps: &[Step], tools: Tools) -> Result<Self, String> {
        let mut options = Self {
            skip: Vec::new(),
            list: false,
            tools,
            compiler: None,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let (name, value) = match arg.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (arg.as_str(), None),
            };
            let mut value = || value.clone().or_else(|| args.next().cloned());
            match name {
                "--list" => options.list = true,
                "--skip" => options.skip.push(step_named(steps, value())?),
                "--compiler" if tools != Tools::Unused => {
                    options.compiler = Some(compiler_named(value())?);
                }
                _ => {
                    let expected = match tools {
                        Tools::Unused => "--skip or --list",
                        _ => "--skip, --compiler or --list",
                    };
                    return Err(format!("unknown option '{arg}', expected {expected}"));
                }
            }
        }
        Ok(options)
    }

    /// How a step ends that lacks a tool: left out only where nobody may install it.
    pub fn lacking(&self, why: String) -> Outcome {
        let leave = std::env::var_os("CI").is_some() || debian::may_install();
        if self.tools.fails(leave) {
            return Outcome::Failed {
                passed: 0,
                failed: 1,
                reasons: why.lines().map(str::to_owned).collect(),
            };
        }
        Outcome::Skipped(format!("NOT CHECKED: {}", why.replace('\n', "; ")))
    }

    fn skips(&self, step: &Step) -> bool {
        self.skip.iter().any(|s| s == step.name || s == step.group)
    }
}

fn step_named(steps: &[Step], name: Option<String>) -> Result<String, String> {
    let name = name.ok_or("--skip: expected the name of a step")?;
    if !steps.iter().any(|s| s.name == name || s.group == name) {
        return Err(format!("--skip: no step is called '{name}'; see --list"));
    }
    Ok(name)
}

fn compiler_named(name: Option<String>) -> Result<Compiler, String> {
    let compiler = name.as_deref().and_then(Compiler::named);
    compiler.ok_or_else(|| "--compiler: expected rustup or debian".to_owned())
}

#[derive(Default)]
struct Totals {
    passed: usize,
    failed: usize,
    skipped: usize,
}

/// Runs all steps, also after a failure, and prints the summary; whether all passed.
pub fn run_all(steps: &[Step], options: &Options) -> bool {
    let mut totals = Totals::default();
    let mut lines = Vec::new();
    for step in steps {
        eprintln!("==> {}: {}", step.name, step.about);
        let started = Instant::now();
        let outcome = if options.skips(step) {
            Outcome::Skipped("asked for by --skip".to_owned())
        } else {
            (step.run)(options)
        };
        let (word, notes) = totals.add(outcome);
        let seconds = started.elapsed().as_secs_f64();
        lines.push(format!("{word:<8} {:<14} {seconds:8.1} s", step.name));
        for note in notes {
            eprintln!("    {note}");
            lines.push(format!("             {note}"));
        }
    }
    println!("\nSummary");
    for line in &lines {
        println!("{line}");
    }
    let Totals {
        passed,
        failed,
        skipped,
    } = totals;
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    failed == 0
}

impl Totals {
    /// Adds a step; its word in the summary and its notes.
    fn add(&mut self, outcome: Outcome) -> (&'static str, Vec<String>) {
        match outcome {
            Outcome::Passed {
                passed,
                skipped,
                notes,
            } => {
                self.passed += passed;
                self.skipped += skipped;
                ("passed", notes)
            }
            Outcome::Failed {
                passed,
                failed,
                reasons,
            } => {
                self.passed += passed;
                self.failed += failed.max(1);
                ("FAILED", reasons)
            }
            Outcome::Skipped(reason) => {
                self.skipped += 1;
                ("skipped", vec![reason])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unasked_for_tools_may_be_missing() {
        let fails = |tools: Tools| [false, true].map(|leave| tools.fails(leave));
        assert_eq!(fails(Tools::Wanted), [false, true]);
        assert_eq!(fails(Tools::Installed), [true; 2]);
        assert_eq!(fails(Tools::Needed), [true; 2]);
        assert!(!Tools::Needed.install() && !Tools::Unused.install());
    }

    #[test]
    fn compilers_are_for_those_who_need_one() {
        let parse = |tools| Options::parse(&["--compiler=debian".to_owned()], &[], tools);
        assert_eq!(
            parse(Tools::Wanted).ok().map(|options| options.compiler),
            Some(Some(Compiler::Debian))
        );
        let refused = parse(Tools::Unused).err().unwrap();
        assert!(refused.contains("expected --skip or --list"), "{refused}");
    }
}
