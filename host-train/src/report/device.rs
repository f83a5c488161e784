//! Figures of the boards, read from the records of `cargo xtask bench firmware`.

use std::fs;
use std::path::{Path, PathBuf};

use super::markup::{Markup, whole};
use super::tables::{head, scrolling};
use crate::{Error, Result};

/// A record: the last of its kind in the folder.
struct Record {
    path: PathBuf,
    rows: Vec<Vec<String>>,
}

/// What was measured on the boards.
pub struct Devices {
    /// With what it was measured, line by line.
    circumstances: Vec<String>,
    frames: Option<Record>,
    replay: Option<Record>,
    memory: Vec<Record>,
}

const FRAMES: &str = "board,model,readout,kernels,windows,least_instructions,median,most";
const REPLAY: &str =
    "board,readout,noise_counts,windows,cso_map_percent,least_instructions,median,most";
const IMAGES: &str = "board,model,flash_bytes,static_ram_bytes,stack_bytes_used";
const SENSOR: &str = "board,image,flash_bytes,static_ram_bytes,stack_bytes_used";

impl Devices {
    /// Reads the last records in `folder`.
    ///
    /// # Errors
    /// [`Error::Io`] for what cannot be read, [`Error::Format`] for a folder without records, or naming
    /// file, line, column and expected value.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(|source| Error::io(folder, source))? {
            files.push(entry.map_err(|source| Error::io(folder, source))?.path());
        }
        let last = |end: &str| {
            let ends = |path: &&PathBuf| path.to_string_lossy().ends_with(end);
            files.iter().filter(ends).max().cloned()
        };
        let record = |end: &str, columns| {
            last(end)
                .map(|path| Record::read(path, columns))
                .transpose()
        };
        let frames = record("-firmware-frames.csv", FRAMES)?;
        let replay = record("-firmware-replay.csv", REPLAY)?;
        let images = record("-firmware-images.csv", IMAGES)?;
        let sensor = record("-firmware-sensor.csv", SENSOR)?;
        let memory: Vec<Record> = sensor.into_iter().chain(images).collect();
        if frames.is_none() && replay.is_none() && memory.is_empty() {
            let expected =
                "no file …-firmware-frames.csv or the like, as `cargo xtask bench firmware` writes";
            return Err(Error::format(folder, expected));
        }
        let circumstances = match last("-firmware.txt") {
            Some(path) => {
                let text = fs::read_to_string(&path).map_err(|source| Error::io(&path, source))?;
                text.lines().map(str::to_owned).collect()
            }
            None => Vec::new(),
        };
        Ok(Self {
            circumstances,
            frames,
            replay,
            memory,
        })
    }

    /// Writes the tables.
    pub fn write(&self, page: &mut Markup) {
        page.tagged(
            "p",
            &[],
            "All figures are instructions under QEMU, not cycles or time: the emulator counts what the \
             program executes, and knows no caches, wait states or dual issue. The same sources give the \
             same bits on every board and on the host.",
        );
        if let Some(record) = &self.replay {
            table(
                page,
                record,
                "The image for a sensor, over generated test windows",
                |row| {
                    let [board, readout, noise, windows, score, least, median, most] = row else {
                        return Vec::new();
                    };
                    let name = format!("{}, {readout}, σ = {noise}", processor(board));
                    let columns = [
                        ("", "windows", whole_of(windows)),
                        ("", "CSO-mAP, %", score.clone()),
                    ];
                    let work = [("least", least), ("median", median), ("worst", most)];
                    let work =
                        work.map(|(name, n)| ("M instructions a new frame", name, millions(n)));
                    [vec![("", "", name)], columns.to_vec(), work.to_vec()].concat()
                },
            );
        }
        if let Some(record) = &self.frames {
            table(page, record, "Every readout over golden frames", |row| {
                let [board, model, readout, kernels, windows, _, median, most] = row else {
                    return Vec::new();
                };
                let work = [("median", median), ("worst", most)];
                let work = work.map(|(name, n)| ("M instructions a new frame", name, millions(n)));
                let name = format!("{}, {model}, {readout}", processor(board));
                let columns = [
                    ("", "kernels", kernels.clone()),
                    ("", "windows", whole_of(windows)),
                ];
                [vec![("", "", name)], columns.to_vec(), work.to_vec()].concat()
            });
        }
        for record in &self.memory {
            let title = if record.path.to_string_lossy().ends_with("-sensor.csv") {
                "Memory of the image for a sensor"
            } else {
                "Memory of the programs that measure, golden frames included"
            };
            table(page, record, title, |row| {
                let [board, image, flash, fixed, stack] = row else {
                    return Vec::new();
                };
                let bytes = [
                    ("flash", flash),
                    ("static RAM", fixed),
                    ("stack used", stack),
                ];
                let bytes = bytes.map(|(name, n)| ("bytes", name, whole_of(n)));
                let name = format!("{}, {image}", processor(board));
                [vec![("", "", name)], bytes.to_vec()].concat()
            });
        }
        page.element("p", &[("class", "note")], |p| p.text(&self.sources()));
    }

    fn sources(&self) -> String {
        let all = self.frames.iter().chain(&self.replay).chain(&self.memory);
        let names =
            all.filter_map(|record| Some(record.path.file_name()?.to_string_lossy().into_owned()));
        let names: Vec<String> = names.collect();
        let with = if self.circumstances.is_empty() {
            ""
        } else {
            " "
        };
        format!(
            "Records: {}.{with}{}",
            names.join(", "),
            self.circumstances.join(" · ")
        )
    }
}

/// Heading over neighbours, heading and text of a cell; the first one names the row.
type Cells = Vec<(&'static str, &'static str, String)>;

fn table(page: &mut Markup, record: &Record, title: &str, cells: impl Fn(&[String]) -> Cells) {
    let rows: Vec<Cells> = record.rows.iter().map(|row| cells(row)).collect();
    let Some(first) = rows.first() else {
        return;
    };
    page.tagged("h3", &[], title);
    scrolling(page, title, |page| {
        page.element("table", &[], |page| {
            let names = first[1..].iter().map(|(group, name, _)| (*group, *name));
            head(page, "board and readout", &names.collect::<Vec<_>>());
            page.element("tbody", &[], |page| {
                for row in &rows {
                    page.element("tr", &[], |page| {
                        page.tagged("th", &[("scope", "row")], &row[0].2);
                        for (k, (group, _, text)) in row.iter().enumerate().skip(1) {
                            let edge = k == 1 || row[k - 1].0 != *group;
                            let class = if edge { "number first" } else { "number" };
                            page.tagged("td", &[("class", class)], text);
                        }
                    });
                }
            });
        });
    });
}

/// Processor of a board, with the board's name.
fn processor(board: &str) -> String {
    let name = match board {
        "mps2-an386" => "Cortex-M4",
        "mps2-an500" | "mps2-an500-edge" => "Cortex-M7",
        "mps3-an547" => "Cortex-M55",
        "virt" => "RV32IMAC",
        _ => return board.to_owned(),
    };
    format!("{name} ({board})")
}

fn millions(number: &str) -> String {
    let value = number.parse::<f64>();
    value.map_or_else(|_| number.to_owned(), |value| format!("{:.2}", value / 1e6))
}

fn whole_of(number: &str) -> String {
    number.parse().map_or_else(|_| number.to_owned(), whole)
}

impl Record {
    /// Fields have no commas inside: `cargo xtask bench firmware` writes none.
    fn read(path: PathBuf, columns: &str) -> Result<Self> {
        let text = fs::read_to_string(&path).map_err(|source| Error::io(&path, source))?;
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        if first != columns {
            let message = format!("line 1: expected the columns {columns}, got {first}");
            return Err(Error::format(&path, message));
        }
        let names: Vec<&str> = columns.split(',').collect();
        let mut rows = Vec::new();
        for (k, line) in lines.enumerate() {
            let row: Vec<String> = line.split(',').map(str::to_owned).collect();
            let (number, expected, got) = (k + 2, names.len(), row.len());
            if got != expected {
                let message = format!("line {number}: expected {expected} fields, got {got}");
                return Err(Error::format(&path, message));
            }
            for (name, field) in names.iter().zip(&row) {
                let counts = [
                    "bytes",
                    "windows",
                    "instructions",
                    "median",
                    "most",
                    "percent",
                ];
                let counted = counts.iter().any(|part| name.contains(part));
                if counted && field.parse::<f64>().is_err() {
                    let message = format!("line {number}, {name}: expected a number, got {field}");
                    return Err(Error::format(&path, message));
                }
            }
            rows.push(row);
        }
        Ok(Self { path, rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn the_last_records_are_shown() {
        let old = format!("{SENSOR}\nmps2-an500-edge,edge,1,2,3\n");
        let new = format!("{SENSOR}\nmps2-an500-edge,edge,209336,44964,41840\n");
        let folder = folder(&[
            ("2026-11-01-firmware-sensor.csv", &old),
            ("2026-11-28-firmware-sensor.csv", &new),
        ]);
        let mut page = Markup::default();
        Devices::read(folder.path()).unwrap().write(&mut page);
        let text = page.finish();
        for expected in [
            "209,336",
            "Cortex-M7 (mps2-an500-edge), edge",
            "instructions under QEMU",
        ] {
            assert!(text.contains(expected), "{expected}");
        }
        assert!(!text.contains("2026-11-01"));
    }

    #[test]
    fn damage_is_named() {
        let refused = |name: &str, text: &str| {
            let folder = folder(&[(name, text)]);
            Devices::read(folder.path()).err().unwrap().to_string()
        };
        let name = "2026-11-28-firmware-sensor.csv";
        assert!(refused(name, "board\n").contains("expected the columns board,image"));
        let short = refused(name, &format!("{SENSOR}\na,b,1\n"));
        assert!(
            short.contains("sensor.csv") && short.contains("line 2: expected 5 fields"),
            "{short}"
        );
        let word = refused(name, &format!("{SENSOR}\na,b,1,x,3\n"));
        assert!(
            word.contains("line 2, static_ram_bytes: expected a number, got x"),
            "{word}"
        );
        assert!(refused("notes.txt", "").contains("no file …-firmware-frames.csv"));
    }
}
