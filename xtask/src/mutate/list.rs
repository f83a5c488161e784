//! The planted errors, as data: `tests/mutations/*.toml`.

use serde::Deserialize;

use crate::shell::{read, tracked};

/// Where the lists lie.
const FOLDER: &str = "tests/mutations/";

/// An error planted in a source file, and the test that must see it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutation {
    /// Unique; the first word is the operator's.
    pub name: String,
    /// Where it is planted: an operator, a step, a rule.
    pub operator: String,
    /// Which part of it: forward, backward, an instruction set.
    pub part: String,
    /// Source file.
    pub file: String,
    /// Text that occurs there exactly once.
    pub find: String,
    /// What stands in its place.
    pub replace: String,
    /// Test program of `derefnet-tests`; `core` stands for the tests inside the core.
    pub test: String,
    /// Part of the names of the tests that run.
    pub filter: String,
    /// Feature of the processor without which the file does not run.
    pub needs: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutation: Vec<Mutation>,
}

/// All mutations, file by file.
///
/// # Errors
/// Names the file that is no such list.
pub fn all() -> Result<Vec<Mutation>, String> {
    let mut all = Vec::new();
    let files = tracked()?.into_iter();
    let is_list = |path: &String| path.starts_with(FOLDER) && path.ends_with(".toml");
    for path in files.filter(is_list) {
        let list = toml::from_str::<List>(&read(&path)?);
        all.extend(list.map_err(|error| format!("{path}: {error}"))?.mutation);
    }
    Ok(all)
}

impl Mutation {
    /// `source` with the error planted.
    ///
    /// # Errors
    /// If the text to replace does not occur exactly once, or nothing would change.
    pub fn apply(&self, source: &str) -> Result<String, String> {
        let wrong = |what: &str| Err(format!("{}: {what} in {}", self.name, self.file));
        match source.matches(self.find.as_str()).count() {
            1 if self.find == self.replace => wrong("nothing changes"),
            1 => Ok(source.replacen(self.find.as_str(), &self.replace, 1)),
            0 => wrong("the text to replace does not occur"),
            count => wrong(&format!("the text to replace occurs {count} times")),
        }
    }
}

/// Operators whose tests multiply whole maps.
const HEAVY: [&str; 5] = [
    "conv2d",
    "deform_conv2d",
    "strided_conv2d",
    "per_item",
    "offset_likelihood",
];
/// Properties that never run a network.
const LIGHT: [&str; 3] = ["scenes", "optics", "numbers"];

impl Mutation {
    /// How far the host's code is optimised for its test: not at all, which makes building five times
    /// as fast, where the test lasts no longer than that.
    pub fn level(&self) -> u8 {
        let filter = self.filter.as_str();
        let is_light = match self.test.as_str() {
            "operators" => !HEAVY.contains(&filter),
            "properties" => LIGHT.contains(&filter),
            "scene" | "render" => true,
            _ => false,
        };
        u8::from(!is_light)
    }

    /// Whether this processor runs what is changed.
    pub fn can_run(&self) -> bool {
        self.needs.as_deref().is_none_or(|feature| {
            let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
            // As the kernel spells it: avx512_vnni.
            let is_feature = |flag: &str| flag.replace('_', "") == feature;
            flags.split_whitespace().any(is_feature)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_mutation_applies_and_names_are_unique() {
        let mutations = all().unwrap();
        let mut names = BTreeSet::new();
        let mut wrong = Vec::new();
        for mutation in &mutations {
            assert!(names.insert(&mutation.name), "{} twice", mutation.name);
            let source = read(&mutation.file).unwrap();
            wrong.extend(mutation.apply(&source).err());
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn mutations_name_tests_that_exist() {
        let manifest = read("tests/Cargo.toml").unwrap();
        for mutation in all().unwrap().iter().filter(|m| m.test != "core") {
            let target = format!("[[test]]\nname = \"{}\"\n", mutation.test);
            assert!(manifest.contains(&target), "{}", mutation.name);
        }
    }

    /// Every operator of training has an error in either direction.
    #[test]
    fn every_operator_is_mutated_both_ways() {
        let folder = "host-train/src/ops/";
        let operators: BTreeSet<String> = tracked()
            .unwrap()
            .into_iter()
            .filter_map(|path| {
                let (operator, _) = path.strip_prefix(folder)?.split_once('/')?;
                Some(operator.to_owned())
            })
            .collect();
        assert!(operators.len() > 10);
        let mutations = all().unwrap();
        for operator in operators {
            for part in ["forward", "backward"] {
                let place = format!("{folder}{operator}/");
                let planted = |m: &Mutation| m.file.starts_with(&place) && m.part == part;
                assert!(mutations.iter().any(planted), "{operator}: {part}");
            }
        }
    }
}
