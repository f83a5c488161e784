//! The results: `ablation.csv` and its figure.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use derefnet::plot::ablation::{self, Validated};
use derefnet::{Error, Result, atomic};

const HEAD: &str = "arm,seconds,steps,cso_map,ap20,ap25";

/// One validation.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Name of the arm.
    pub arm: String,
    /// Processor time of the arm so far, this validation included.
    pub seconds: f64,
    /// Its steps so far.
    pub steps: u64,
    /// CSO-mAP, per cent.
    pub cso_map: f64,
    /// AP at 0.20 px, per cent.
    pub ap20: f64,
    /// AP at 0.25 px, per cent.
    pub ap25: f64,
}

/// All validations of all arms.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    folder: PathBuf,
    rows: Vec<Row>,
}

impl Record {
    /// Reads the record in `folder`; empty if there is none.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("ablation.csv");
        let rows = match std::fs::read_to_string(&path) {
            Ok(text) => parse(&text).map_err(|message| Error::format(&path, message))?,
            Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(Error::io(&path, e)),
        };
        Ok(Self {
            folder: folder.to_owned(),
            rows,
        })
    }

    /// Rows of one arm.
    pub fn rows_of(&self, arm: &str) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.arm == arm)
    }

    /// Step of an arm's last validation.
    pub fn last_step(&self, arm: &str) -> Option<u64> {
        self.rows_of(arm).last().map(|row| row.steps)
    }

    /// Drops an arm's rows after `step`: work that no checkpoint holds.
    pub fn forget_after(&mut self, arm: &str, step: u64) {
        self.rows.retain(|row| row.arm != arm || row.steps <= step);
    }

    /// Adds a row and writes the file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add(&mut self, row: Row) -> Result<()> {
        self.rows.push(row);
        let mut text = format!("{HEAD}\n");
        for row in &self.rows {
            let Row {
                arm,
                seconds,
                steps,
                cso_map,
                ap20,
                ap25,
            } = row;
            let _ = writeln!(
                text,
                "{arm},{seconds:.3},{steps},{cso_map:.4},{ap20:.4},{ap25:.4}"
            );
        }
        atomic::write_bytes(self.folder.join("ablation.csv"), text.as_bytes())
    }

    /// Names of the arms, in the order of their first validations.
    fn arms(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !names.contains(&row.arm.as_str()) {
                names.push(&row.arm);
            }
        }
        names
    }

    /// Draws `ablation.png`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn draw(&self, title: &str) -> Result<()> {
        let point = |row: &Row| Validated {
            seconds: row.seconds,
            cso_map: row.cso_map,
            ap25: row.ap25,
        };
        let names = self.arms();
        let points: Vec<Vec<Validated>> = names
            .iter()
            .map(|name| self.rows_of(name).map(point).collect())
            .collect();
        let arms: Vec<ablation::Arm> = names
            .iter()
            .zip(&points)
            .map(|(name, points)| ablation::Arm { name, points })
            .collect();
        ablation::draw(&self.folder.join("ablation.png"), &arms, title)
    }

    /// Last validation of every arm as a Markdown table.
    pub fn table(&self) -> String {
        let mut text = "| arm | minutes | steps | CSO-mAP | AP20 | AP25 |\n".to_owned();
        text += "| --- | --- | --- | --- | --- | --- |\n";
        for row in self
            .arms()
            .iter()
            .filter_map(|arm| self.rows_of(arm).last())
        {
            let minutes = row.seconds / 60.0;
            let Row {
                arm,
                steps,
                cso_map,
                ap20,
                ap25,
                ..
            } = row;
            let _ = writeln!(
                text,
                "| {arm} | {minutes:.1} | {steps} | {cso_map:.2} | {ap20:.1} | {ap25:.1} |"
            );
        }
        text
    }
}

fn parse(text: &str) -> std::result::Result<Vec<Row>, String> {
    let mut lines = text.lines();
    if lines.next() != Some(HEAD) {
        return Err(format!("line 1: expected '{HEAD}'"));
    }
    let row = |line: &str| -> Option<Row> {
        let fields: Vec<&str> = line.split(',').collect();
        let &[arm, seconds, steps, cso_map, ap20, ap25] = fields.as_slice() else {
            return None;
        };
        Some(Row {
            arm: arm.to_owned(),
            seconds: seconds.parse().ok()?,
            steps: steps.parse().ok()?,
            cso_map: cso_map.parse().ok()?,
            ap20: ap20.parse().ok()?,
            ap25: ap25.parse().ok()?,
        })
    };
    let numbered = lines.enumerate();
    numbered
        .map(|(at, line)| row(line).ok_or(format!("line {}: expected '{HEAD}'", at + 2)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(arm: &str, seconds: f64, steps: u64) -> Row {
        Row {
            arm: arm.to_owned(),
            seconds,
            steps,
            cso_map: 41.25,
            ap20: 70.5,
            ap25: 88.125,
        }
    }

    #[test]
    fn comes_back_and_forgets() {
        let folder = tempfile::tempdir().unwrap();
        let mut record = Record::open(folder.path()).unwrap();
        for row in [row("a", 1.5, 10), row("b", 2.0, 30), row("a", 3.25, 20)] {
            record.add(row).unwrap();
        }
        let mut again = Record::open(folder.path()).unwrap();
        assert_eq!(again, record);
        assert!(
            again
                .table()
                .contains("| a | 0.1 | 20 | 41.25 | 70.5 | 88.1 |")
        );
        again.forget_after("a", 15);
        let left: Vec<u64> = again.rows.iter().map(|row| row.steps).collect();
        assert_eq!(left, [10, 30]);
    }

    #[test]
    fn damage_is_named() {
        assert!(parse("arm,steps\n").unwrap_err().contains("line 1"));
        let message = parse(&format!("{HEAD}\na,1,2,3,4,5\na,1,2,3,4,x\n"));
        assert!(message.unwrap_err().contains("line 3"));
    }
}
