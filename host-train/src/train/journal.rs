//! The logs of a run: losses per step and validations, as CSV and as TensorBoard events.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::events;
use super::run::StepLosses;
use crate::eval::metric::Report;
use crate::{Error, Result, atomic};

/// Steps averaged into one line of the log.
const LINE: u64 = 20;

/// A line of the log; losses are means over the steps since the line before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LogRow {
    /// Last step of the line.
    pub step: u64,
    /// Learning rate of that step.
    pub rate: f64,
    /// Weighted loss.
    pub loss: f64,
    /// Constraint term, unweighted.
    pub constraint: f64,
    /// Alignment term, unweighted.
    pub align: f64,
    /// Regression term, unweighted.
    pub regression: f64,
    /// Seconds per step.
    pub seconds: f64,
}

impl LogRow {
    /// One step that began at `started`.
    pub fn new(step: u64, rate: f32, losses: &StepLosses, started: Instant) -> Self {
        Self {
            step,
            rate: f64::from(rate),
            loss: f64::from(losses.total),
            constraint: f64::from(losses.constraint),
            align: f64::from(losses.align),
            regression: f64::from(losses.regression),
            seconds: started.elapsed().as_secs_f64(),
        }
    }

    fn values(&self) -> [f64; 6] {
        [
            self.rate,
            self.loss,
            self.constraint,
            self.align,
            self.regression,
            self.seconds,
        ]
    }

    fn from_values(
        step: u64,
        [rate, loss, constraint, align, regression, seconds]: [f64; 6],
    ) -> Self {
        Self {
            step,
            rate,
            loss,
            constraint,
            align,
            regression,
            seconds,
        }
    }
}

/// A validation: grid readout, per cent and pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ValidationRow {
    /// Steps taken.
    pub step: u64,
    /// CSO-mAP.
    pub cso_map: f64,
    /// APs at 0.05 to 0.25 px.
    pub aps: [f64; 5],
}

impl ValidationRow {
    /// Figures of `report`.
    pub fn new(step: u64, report: &Report) -> Self {
        let aps = report.average_precisions();
        Self {
            step,
            cso_map: report.cso_map,
            aps,
        }
    }

    fn values(&self) -> [f64; 6] {
        let [a, b, c, d, e] = self.aps;
        [self.cso_map, a, b, c, d, e]
    }

    fn from_values(step: u64, [cso_map, a, b, c, d, e]: [f64; 6]) -> Self {
        Self {
            step,
            cso_map,
            aps: [a, b, c, d, e],
        }
    }
}

/// The logs in memory, written beside each checkpoint.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    rows: Vec<LogRow>,
    open: Vec<LogRow>,
    validations: Vec<ValidationRow>,
}

const LOG: &str = "log.csv";
const VALIDATION: &str = "validation.csv";
const LOG_HEAD: &str = "step,rate,loss,constraint,align,regression,seconds";
const VALIDATION_HEAD: &str = "step,cso_map,ap05,ap10,ap15,ap20,ap25";

impl Journal {
    /// Empty logs, which [`Journal::write`] puts into `folder`.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            rows: Vec::new(),
            open: Vec::new(),
            validations: Vec::new(),
        }
    }

    /// Reads the logs of `folder` up to `step`; later lines belong to work that was lost.
    pub fn open(folder: &Path, step: u64) -> Result<Self> {
        let read = |name: &str, head: &str| read_csv(&folder.join(name), head, step);
        let rows = read(LOG, LOG_HEAD)?
            .into_iter()
            .map(|(s, v)| LogRow::from_values(s, v));
        let validations = read(VALIDATION, VALIDATION_HEAD)?.into_iter();
        Ok(Self {
            rows: rows.collect(),
            validations: validations
                .map(|(s, v)| ValidationRow::from_values(s, v))
                .collect(),
            ..Self::new(folder)
        })
    }

    /// Adds a step.
    pub fn step(&mut self, row: &LogRow) {
        self.open.push(*row);
        if row.step.is_multiple_of(LINE) {
            self.close();
        }
    }

    /// Adds a validation.
    pub fn validation(&mut self, row: &ValidationRow) {
        self.validations.push(*row);
    }

    /// Lines so far.
    pub fn rows(&self) -> &[LogRow] {
        &self.rows
    }

    /// Validations so far.
    pub fn validations(&self) -> &[ValidationRow] {
        &self.validations
    }

    fn close(&mut self) {
        let Some(last) = self.open.last() else { return };
        let mut mean = [0.0; 6];
        for row in &self.open {
            for (m, v) in mean.iter_mut().zip(row.values()) {
                *m += v / self.open.len() as f64;
            }
        }
        self.rows.push(LogRow {
            rate: last.rate,
            ..LogRow::from_values(last.step, mean)
        });
        self.open.clear();
    }

    /// Writes all files.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn write(&mut self) -> Result<()> {
        self.close();
        let rows = self.rows.iter().map(|r| (r.step, r.values()));
        write_csv(&self.folder.join(LOG), LOG_HEAD, rows)?;
        let rows = self.validations.iter().map(|r| (r.step, r.values()));
        write_csv(&self.folder.join(VALIDATION), VALIDATION_HEAD, rows)?;
        let path = self.folder.join(events::EVENTS);
        events::write(&path, &self.rows, &self.validations)
    }
}

fn write_csv(path: &Path, head: &str, rows: impl Iterator<Item = (u64, [f64; 6])>) -> Result<()> {
    let mut text = format!("{head}\n");
    for (step, values) in rows {
        let _ = write!(text, "{step}");
        for value in values {
            let _ = write!(text, ",{}", rounded(value));
        }
        text.push('\n');
    }
    atomic::write_bytes(path, text.as_bytes())
}

/// Nearest number of six significant digits: what the files hold.
pub(super) fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

fn read_csv(path: &Path, head: &str, last: u64) -> Result<Vec<(u64, [f64; 6])>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io(path, e)),
    };
    let mut lines = text.lines();
    if lines.next() != Some(head) {
        return Err(Error::format(path, format!("line 1: expected '{head}'")));
    }
    let parse = |(at, line): (usize, &str)| {
        let mut fields = line.split(',');
        let step = fields.next().and_then(|f| f.parse().ok());
        let values: Option<Vec<f64>> = fields.map(|f| f.parse().ok()).collect();
        match (step, values.and_then(|v| v.try_into().ok())) {
            (Some(step), Some(values)) => Ok((step, values)),
            _ => Err(Error::format(
                path,
                format!("line {}: expected seven numbers", at + 2),
            )),
        }
    };
    let rows: Result<Vec<(u64, [f64; 6])>> = lines.enumerate().map(parse).collect();
    Ok(rows?
        .into_iter()
        .filter(|(step, _)| *step <= last)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(step: u64) -> LogRow {
        LogRow {
            step,
            loss: step as f64,
            rate: 1.0 / 3.0,
            ..LogRow::default()
        }
    }

    fn steps(journal: &Journal) -> (Vec<u64>, Vec<u64>) {
        let rows = journal.rows().iter().map(|r| r.step).collect();
        (rows, journal.validations().iter().map(|v| v.step).collect())
    }

    fn filled(folder: &Path) -> Journal {
        let mut journal = Journal::open(folder, 0).unwrap();
        for step in 1..=45 {
            journal.step(&row(step));
            if step % 15 == 0 {
                journal.validation(&ValidationRow {
                    step,
                    ..ValidationRow::default()
                });
            }
        }
        journal.write().unwrap();
        journal
    }

    #[test]
    fn lines_are_means_over_twenty_steps() {
        let folder = tempfile::tempdir().unwrap();
        let journal = filled(folder.path());
        let losses: Vec<f64> = journal.rows().iter().map(|r| r.loss).collect();
        let expected = [10.5, 30.5, 43.0];
        let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-9;
        assert!(losses.iter().zip(&expected).all(close), "{losses:?}");
        assert_eq!(journal.rows()[2].rate, 1.0 / 3.0);
        let text = std::fs::read_to_string(folder.path().join(LOG)).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some(LOG_HEAD));
        assert_eq!(lines.next(), Some("20,0.333333,10.5,0,0,0,0"));
    }

    /// After a crash the logs may be ahead of the checkpoint; what lies after it is done again.
    #[test]
    fn opening_drops_lines_after_the_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let whole = filled(folder.path());
        assert_eq!(steps(&whole), (vec![20, 40, 45], vec![15, 30, 45]));
        let mut cut = Journal::open(folder.path(), 40).unwrap();
        assert_eq!(steps(&cut), (vec![20, 40], vec![15, 30]));
        cut.write().unwrap();
        let again = Journal::open(folder.path(), 99).unwrap();
        assert_eq!(steps(&again), (vec![20, 40], vec![15, 30]));
    }

    #[test]
    fn rewriting_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        filled(folder.path());
        let read = |name| std::fs::read(folder.path().join(name)).unwrap();
        let before = [LOG, VALIDATION, events::EVENTS].map(read);
        Journal::open(folder.path(), 45).unwrap().write().unwrap();
        assert_eq!([LOG, VALIDATION, events::EVENTS].map(read), before);
    }

    #[test]
    fn refusals_name_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |text: &str| {
            std::fs::write(folder.path().join(LOG), text).unwrap();
            Journal::open(folder.path(), 9).unwrap_err().to_string()
        };
        let message = refused("step,loss\n");
        assert!(message.contains("log.csv: line 1"), "{message}");
        for line in [
            "1,2,3",
            "1,2,3,4,5,6,x",
            "1.5,2,3,4,5,6,7",
            "1,2,3,4,5,6,7,8",
        ] {
            let message = refused(&format!("{LOG_HEAD}\n1,2,3,4,5,6,7\n{line}\n"));
            assert!(
                message.contains("log.csv: line 3: expected seven"),
                "{message}"
            );
        }
    }
}
