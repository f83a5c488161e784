//! Figures of the boards, kept in `benches/record/qemu/` by `cargo xtask bench firmware`, and held to
//! those that were kept last.

use std::path::{Path, PathBuf};

use super::board::BOARDS;
use crate::bench::commit;
use crate::compiler::Compiler;
use crate::shell::{command, output, root, write};

/// Where records lie.
const FOLDER: &str = "benches/record/qemu";
/// How much of a kept figure a new one may be: the same sources give the same instructions, other
/// compilers some per cent more or less.
const MOST: f64 = 1.05;

/// A table of a record, a file of its own.
#[derive(Debug)]
pub struct Table {
    /// Part of its file's name.
    pub name: &'static str,
    /// Names of its columns, with commas between them; the first one is that of the board.
    pub columns: &'static str,
    /// Columns that name a row, from the first one on.
    pub keys: usize,
    /// Columns with figures that must not grow.
    pub limited: &'static [&'static str],
    pub rows: Vec<Vec<String>>,
}

impl Table {
    fn file(&self) -> String {
        format!("-firmware-{}.csv", self.name)
    }

    fn csv(&self) -> String {
        let rows = self.rows.iter().map(|row| row.join(","));
        let lines = std::iter::once(self.columns.to_owned()).chain(rows);
        lines.map(|line| line + "\n").collect()
    }

    /// Writes it under `date`.
    pub fn keep(&self, date: &str) -> Result<(), String> {
        let path = root().join(FOLDER).join(date.to_owned() + &self.file());
        write(&path, &self.csv())
    }

    /// Every limited figure is at most [`MOST`] of the one kept last, and none of the boards of this
    /// table lacks one; how many they are, or those that are not, one a line.
    pub fn held_to_record(&self) -> Result<String, String> {
        let path = last(&root().join(FOLDER), &self.file())?;
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let held = self.held_to(&text).map_err(|wrong| {
            let lines = wrong.iter().map(|line| format!("{name}: {line}"));
            let lines: Vec<String> = lines.collect();
            format!("{}\n{HOW}", lines.join("\n"))
        })?;
        Ok(format!(
            "{held} figures within {:.0} % of {name}",
            100.0 * MOST - 100.0
        ))
    }

    fn held_to(&self, text: &str) -> Result<usize, Vec<String>> {
        let mut lines = text.lines();
        if lines.next() != Some(self.columns) {
            return Err(vec![format!("expected the columns {}", self.columns)]);
        }
        let mut kept: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
        let mut held = 0;
        let mut wrong = Vec::new();
        for row in &self.rows {
            let key = &row[..self.keys];
            let Some(at) = kept.iter().position(|kept| kept.starts_with_words(key)) else {
                wrong.push(format!("{}: not in the record", key.join(", ")));
                continue;
            };
            let kept = kept.swap_remove(at);
            for column in self.limited {
                match self.holds(column, &kept, row) {
                    Ok(()) => held += 1,
                    Err(why) => wrong.push(format!("{}: {why}", key.join(", "))),
                }
            }
        }
        // Of the boards that are here.
        let here = |kept: &&Vec<&str>| self.rows.iter().any(|row| row[0] == kept[0]);
        for row in kept.iter().filter(here) {
            wrong.push(format!("{}: in the record, not measured", row.join(", ")));
        }
        if wrong.is_empty() {
            Ok(held)
        } else {
            Err(wrong)
        }
    }

    fn holds(&self, column: &str, kept: &[&str], row: &[String]) -> Result<(), String> {
        let at = self.columns.split(',').position(|name| name == column);
        let figure = |text: Option<&str>| text.and_then(|text| text.parse::<f64>().ok());
        let kept = figure(at.and_then(|at| kept.get(at).copied()));
        let got = figure(at.and_then(|at| row.get(at).map(String::as_str)));
        match (kept, got) {
            (Some(kept), Some(got)) if got <= kept * MOST => Ok(()),
            (Some(kept), Some(got)) => Err(format!(
                "{column}: expected at most {:.0} ({kept} and 5 %), got {got}",
                kept * MOST
            )),
            _ => Err(format!(
                "{column}: expected a number in the record and here"
            )),
        }
    }
}

/// What to do about a figure that was meant to change.
const HOW: &str = "where that is meant: cargo xtask bench firmware, and commit the record";

/// A row of a file that begins with certain words.
trait Row {
    fn starts_with_words(&self, words: &[String]) -> bool;
}

impl Row for Vec<&str> {
    fn starts_with_words(&self, words: &[String]) -> bool {
        self.len() >= words.len() && self.iter().zip(words).all(|(mine, word)| mine == word)
    }
}

/// The last file in `folder` of those that end with `end`: names begin with dates.
fn last(folder: &Path, end: &str) -> Result<PathBuf, String> {
    let fail = |why: &str| format!("{}: {why}: cargo xtask bench firmware", folder.display());
    let entries = std::fs::read_dir(folder).map_err(|error| fail(&error.to_string()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let ends = |path: &PathBuf| path.to_string_lossy().ends_with(end);
    let last = paths.filter(ends).max();
    last.ok_or_else(|| fail(&format!("no file …{end}")))
}

/// Writes what the figures of `date` were measured with; the folder.
pub fn keep_circumstances(date: &str, compiler: Compiler) -> Result<PathBuf, String> {
    let mut text = format!(
        "Instructions and bytes of the boards: cargo xtask bench firmware.\n\
         compiler: {}\ncommit: {}\n",
        compiler.version()?,
        commit()
    );
    let mut emulators: Vec<&str> = BOARDS.iter().map(|board| board.emulator).collect();
    emulators.dedup();
    for emulator in emulators {
        let version = output(command(emulator, &["--version"]))?;
        let version = version.lines().next().unwrap_or_default();
        text += &format!("{emulator}: {version}\n");
    }
    let folder = root().join(FOLDER);
    write(&folder.join(format!("{date}-firmware.txt")), &text)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: &str = "board,kernel,units,instructions\na,conv,9,1000\na,pack,9,50\nb,conv,9,7\n";

    fn table(rows: &[[&str; 4]]) -> Table {
        Table {
            name: "kernels",
            columns: "board,kernel,units,instructions",
            keys: 2,
            limited: &["instructions"],
            rows: rows
                .iter()
                .map(|row| row.map(str::to_owned).to_vec())
                .collect(),
        }
    }

    #[test]
    fn figures_may_fall_and_hardly_grow() {
        let held =
            |conv| table(&[["a", "conv", "9", conv], ["a", "pack", "9", "50"]]).held_to(KEPT);
        // Nothing was measured on the board b.
        assert_eq!(held("1050"), Ok(2));
        assert_eq!(held("10"), Ok(2));
        let wrong = held("1051").unwrap_err();
        assert_eq!(wrong.len(), 1);
        for word in ["a, conv", "instructions", "1050", "1051"] {
            assert!(wrong[0].contains(word), "{}", wrong[0]);
        }
        assert!(held("x").is_err());
    }

    #[test]
    fn rows_come_and_go_with_the_record() {
        let lost = table(&[["a", "conv", "9", "1000"]]).held_to(KEPT);
        assert!(lost.unwrap_err()[0].contains("pack"));
        let new = table(&[["b", "conv", "9", "7"], ["b", "new", "9", "7"]]).held_to(KEPT);
        assert!(new.unwrap_err()[0].contains("b, new"));
        assert!(table(&[]).held_to("board,kernel\n").is_err());
    }

    #[test]
    fn what_is_kept_holds() {
        let kept = table(&[["a", "conv", "9", "1000"]]);
        assert_eq!(kept.held_to(&kept.csv()), Ok(1));
    }

    #[test]
    fn the_last_record_counts() {
        let folder = std::env::temp_dir().join(format!("derefnet-qemu-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert!(last(&folder, "-a.csv").is_err());
        for name in ["2026-11-30-a.csv", "2026-12-01-a.csv", "2026-12-02-b.csv"] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        assert!(
            last(&folder, "-a.csv")
                .unwrap()
                .ends_with("2026-12-01-a.csv")
        );
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
