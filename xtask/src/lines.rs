//! Lines of sources and whether they were run, out of a report in lcov's form.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Lines of every file of a report, and how often each was run.
pub struct Lines(BTreeMap<String, BTreeMap<usize, u64>>);

impl Lines {
    /// Reads the records `SF:path` and `DA:line,times`; paths become those below `root`, and files
    /// elsewhere are left out.
    pub fn parse(report: &str, root: &Path) -> Result<Self, String> {
        let mut files = BTreeMap::<String, BTreeMap<usize, u64>>::new();
        let mut current = None;
        for line in report.lines() {
            if let Some(path) = line.strip_prefix("SF:") {
                let path = Path::new(path).strip_prefix(root).ok();
                current = path.map(|path| files.entry(path.display().to_string()).or_default());
            } else if let (Some(record), Some(lines)) = (line.strip_prefix("DA:"), &mut current) {
                let fail = || format!("lcov: expected DA:line,times, got {line}");
                let (number, times) = record.split_once(',').ok_or_else(fail)?;
                let times: u64 = times.parse().map_err(|_| fail())?;
                *lines
                    .entry(number.parse().map_err(|_| fail())?)
                    .or_default() += times;
            }
        }
        Ok(Self(files))
    }

    /// Lines of one file, where it was compiled.
    pub fn of(&self, path: &str) -> Option<&BTreeMap<usize, u64>> {
        self.0.get(path)
    }
}

/// How many lines there are, and which of them were not run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Lines with code.
    pub lines: usize,
    /// Lines that were run.
    pub run: usize,
    /// First and last lines of what was not.
    pub gaps: Vec<(usize, usize)>,
}

impl Counts {
    /// Counts the lines `seen` of a file with this text, down to its tests.
    pub fn of(seen: &BTreeMap<usize, u64>, text: &str) -> Self {
        let tests = text.lines().position(|line| line == "#[cfg(test)]");
        let end = tests.unwrap_or(usize::MAX);
        let mut counts = Self::default();
        let mut before = None;
        for (&line, &times) in seen.range(..=end) {
            counts.lines += 1;
            counts.run += usize::from(times > 0);
            if times == 0 {
                match counts.gaps.last_mut() {
                    Some((_, last)) if Some(*last) == before => *last = line,
                    _ => counts.gaps.push((line, line)),
                }
            }
            before = Some(line);
        }
        counts
    }

    /// Adds another file's.
    pub fn add(&mut self, other: &Self) {
        self.lines += other.lines;
        self.run += other.run;
    }
}

/// `part` of `whole`, per cent.
pub fn share(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = share(self.run, self.lines);
        write!(f, "{:>6} {share:>7.2} % ", self.lines)?;
        for (first, last) in &self.gaps {
            if first == last {
                write!(f, " {first}")?;
            } else {
                write!(f, " {first}-{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "SF:/r/core/src/a.rs\nFN:1,f\nDA:1,3\nDA:2,0\nDA:4,0\nDA:5,1\nDA:6,0\n\
        DA:9,0\nLF:6\nend_of_record\nSF:/elsewhere/b.rs\nDA:1,1\nend_of_record\n";

    #[test]
    fn lines_down_to_the_tests() {
        let lines = Lines::parse(REPORT, Path::new("/r")).unwrap();
        assert!(lines.of("b.rs").is_none());
        let seen = lines.of("core/src/a.rs").unwrap();
        let text = "fn\n\n\n\n\n\n#[cfg(test)]\nmod tests {\n}\n";
        let expected = Counts {
            lines: 5,
            run: 2,
            gaps: vec![(2, 4), (6, 6)],
        };
        let counts = Counts::of(seen, text);
        assert_eq!(counts, expected);
        assert_eq!(counts.to_string(), "     5   40.00 %  2-4 6");
        assert_eq!(Counts::of(seen, "").lines, 6);
    }

    #[test]
    fn other_records_are_refused() {
        for record in ["DA:1", "DA:x,1", "DA:1,-1"] {
            let report = format!("SF:/r/a.rs\n{record}\n");
            assert!(Lines::parse(&report, Path::new("/r")).is_err(), "{record}");
        }
    }
}
