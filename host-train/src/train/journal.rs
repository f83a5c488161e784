//! The logs of a run: losses per step and validations, as CSV.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

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
        let aps = [
            report.ap05,
            report.ap10,
            report.ap15,
            report.ap20,
            report.ap25,
        ];
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

/// Both logs in memory, written beside each checkpoint.
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
    /// Reads the logs of `folder` up to `step`; later lines belong to work that was lost.
    pub fn open(folder: &Path, step: u64) -> Result<Self> {
        let read = |name: &str, head: &str| read_csv(&folder.join(name), head, step);
        let rows = read(LOG, LOG_HEAD)?
            .into_iter()
            .map(|(s, v)| LogRow::from_values(s, v));
        let validations = read(VALIDATION, VALIDATION_HEAD)?.into_iter();
        Ok(Self {
            folder: folder.to_owned(),
            rows: rows.collect(),
            open: Vec::new(),
            validations: validations
                .map(|(s, v)| ValidationRow::from_values(s, v))
                .collect(),
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

    /// Writes both files.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn write(&mut self) -> Result<()> {
        self.close();
        let rows = self.rows.iter().map(|r| (r.step, r.values()));
        write_csv(&self.folder.join(LOG), LOG_HEAD, rows)?;
        let rows = self.validations.iter().map(|r| (r.step, r.values()));
        write_csv(&self.folder.join(VALIDATION), VALIDATION_HEAD, rows)
    }
}

fn write_csv(path: &Path, head: &str, rows: impl Iterator<Item = (u64, [f64; 6])>) -> Result<()> {
    let mut text = format!("{head}\n");
    for (step, values) in rows {
        let _ = write!(text, "{step}");
        for value in values {
            let _ = write!(text, ",{}", short(value));
        }
        text.push('\n');
    }
    atomic::write_bytes(path, text.as_bytes())
}

/// Six significant digits.
fn short(value: f64) -> String {
    let text = format!("{value:.5e}");
    text.parse::<f64>().map_or(text, |v| v.to_string())
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
