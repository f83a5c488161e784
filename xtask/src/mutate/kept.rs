//! Results of mutations, kept from run to run, and their record.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::list::Mutation;
use crate::shell::{read, root, tracked, write};

/// The record under version control.
const RECORD: &str = "benches/record/MUTATIONS.md";

/// What became of a mutation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Verdict {
    /// Tests failed, or the program died or hung: what saw it.
    Caught(String),
    /// Every test passed.
    Survived,
    /// There is nothing to test.
    Broken(String),
    /// This processor does not run what is changed.
    Elsewhere,
}

/// A verdict and what it holds for.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    tree: String,
    mutation: String,
    verdict: Verdict,
}

/// Verdicts by the names of the mutations.
#[derive(Debug)]
pub struct Kept {
    path: PathBuf,
    sums: Sums,
    entries: BTreeMap<String, Entry>,
}

/// FNV-1a, 64 bits (Fowler, Noll and Vo).
fn hash(parts: &[&[u8]]) -> String {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let bytes = parts.iter().flat_map(|part| part.iter().chain(&[0xff]));
    format!("{:016x}", bytes.fold(0xcbf2_9ce4_8422_2325, mix))
}

/// Whether the file at `path` can change what the test program `test` says.
fn counts(path: &str, test: &str) -> bool {
    let sources = |starts: &[&str]| starts.iter().any(|start| path.starts_with(start));
    if path.ends_with(".md") {
        return false;
    }
    if test == "core" {
        return sources(&["core/", "Cargo.", "rust-toolchain"]);
    }
    let own = format!("tests/runners/{test}");
    let shared = [
        "core/",
        "host-train/",
        "tests/src/",
        "tests/Cargo.toml",
        "Cargo.",
        "rust-toolchain",
    ];
    sources(&shared) || sources(&[&format!("{own}.rs"), &format!("{own}/")])
}

/// Hash of every file under version control, by path.
type Sums = BTreeMap<String, String>;

impl Kept {
    /// The verdicts under `folder` that hold for the present tree.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn load(folder: &Path) -> Result<Self, String> {
        let mut sums = Sums::new();
        for path in tracked()? {
            let bytes = std::fs::read(root().join(&path)).map_err(|e| format!("{path}: {e}"))?;
            sums.insert(path, hash(&[&bytes]));
        }
        let path = folder.join("results.json");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        // What cannot be read any more is measured again.
        let entries = serde_json::from_str(&text).unwrap_or_default();
        Ok(Self {
            path,
            sums,
            entries,
        })
    }

    /// Hash of all files that count for the test program `test`.
    fn tree(&self, test: &str) -> String {
        let files = self.sums.iter().filter(|(path, _)| counts(path, test));
        let parts: Vec<&[u8]> = files
            .flat_map(|(path, sum)| [path.as_bytes(), sum.as_bytes()])
            .collect();
        hash(&parts)
    }

    fn of(mutation: &Mutation) -> String {
        let Mutation {
            file,
            find,
            replace,
            test,
            filter,
            ..
        } = mutation;
        let parts = [file, find, replace, test, filter];
        hash(&parts.map(|part| part.as_bytes()))
    }

    /// The verdict on `mutation`, where one is known.
    pub fn get(&self, mutation: &Mutation) -> Option<&Verdict> {
        let entry = self.entries.get(&mutation.name)?;
        let holds = entry.tree == self.tree(&mutation.test) && entry.mutation == Self::of(mutation);
        holds.then_some(&entry.verdict)
    }

    /// Keeps a verdict.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn put(&mut self, mutation: &Mutation, verdict: Verdict) -> Result<(), String> {
        let entry = Entry {
            tree: self.tree(&mutation.test),
            mutation: Self::of(mutation),
            verdict,
        };
        self.entries.insert(mutation.name.clone(), entry);
        self.save()
    }

    /// Whether the tests that `filter` chooses in the program `test` pass without an error.
    pub fn passes(&self, test: &str, filter: &str) -> bool {
        let entry = self.entries.get(&format!("{test} {filter}"));
        entry.is_some_and(|entry| entry.tree == self.tree(test))
    }

    /// Keeps that they do.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn note_passing(&mut self, test: &str, filter: &str) -> Result<(), String> {
        let entry = Entry {
            tree: self.tree(test),
            mutation: String::new(),
            verdict: Verdict::Survived,
        };
        self.entries.insert(format!("{test} {filter}"), entry);
        self.save()
    }

    fn save(&self) -> Result<(), String> {
        let text = serde_json::to_string_pretty(&self.entries).map_err(|e| e.to_string())?;
        write(&self.path, &text)
    }

    /// Writes the record of all `mutations`, whose verdicts must be there.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn record(&self, mutations: &[Mutation], cases: u32) -> Result<(), String> {
        let rows = mutations.iter().map(|mutation| {
            let verdict = match self.get(mutation) {
                Some(Verdict::Caught(by)) => format!("caught by {by}"),
                Some(Verdict::Survived) => "**survived**".to_owned(),
                Some(Verdict::Broken(why)) => format!("**no verdict**: {why}"),
                Some(Verdict::Elsewhere) => "not run: the processor lacks it".to_owned(),
                None => "**not run**".to_owned(),
            };
            let Mutation {
                name,
                operator,
                part,
                file,
                ..
            } = mutation;
            format!("| {name} | {operator} | {part} | `{file}` | {verdict} |\n")
        });
        let caught = |m: &&Mutation| matches!(self.get(m), Some(Verdict::Caught(_)));
        let caught = mutations.iter().filter(caught).count();
        let text = format!(
            "# Planted errors\n\nWritten by `cargo xtask mutate`, which plants the errors of \
             `tests/mutations/` one at a time and runs the named tests with {cases} cases of every \
             property. {caught} of {} are caught.\n\n\
             | error | where | part | file | verdict |\n| --- | --- | --- | --- | --- |\n{}",
            mutations.len(),
            rows.collect::<String>()
        );
        if read(RECORD).is_ok_and(|there| there == text) {
            return Ok(());
        }
        write(&root().join(RECORD), &text)
    }
}
