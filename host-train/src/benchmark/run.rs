//! Rows one after the other, each once.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::definition::{Budget, Data, Definition, Scale};
use super::result::{DataUsed, FORMAT, Interval, RESULT, RowResult};
use super::row::{Row, Work, table};
use super::seed::{Record, Seed};
use super::text::OffGrid;
use crate::cli::backend::BackendKind;
use crate::dataset::load_split;
use crate::eval::network::centres;
use crate::scene::{Trajectory, generate};
use crate::{Error, Result, atomic};

/// Copy of the definition in the folder of results.
const DEFINITION: &str = "definition.toml";
/// What a row's figures depend on, in its folder.
const ROW: &str = "row.toml";

/// How a benchmark runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder of the results.
    pub out: PathBuf,
    /// Where networks compute.
    pub backend: BackendKind,
}

/// What became of a row.
#[derive(Clone, Debug)]
pub enum State {
    /// It was done now.
    Done(Box<RowResult>),
    /// It was done before.
    Kept(Box<RowResult>),
    /// Its training failed.
    Failed(String),
    /// Another process is at it.
    Elsewhere,
}

/// Everything that a row's figures depend on.
#[derive(Serialize)]
struct Fingerprint<'a> {
    method: Option<&'a str>,
    variant: Option<&'a str>,
    /// CRC-32 of the model's file.
    model: Option<String>,
    grid: bool,
    off_grid: OffGrid,
    /// Left out where it is not asked for: rows from before there were masks stay as they are.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    masks: bool,
    data: &'a Data,
    learning: Option<Learning<'a>>,
}

#[derive(Serialize)]
struct Learning<'a> {
    scale: Scale,
    seeds: &'a [u64],
    validations: u64,
    warmup: f64,
    backend: &'static str,
    budget: Budget,
    config: toml::Table,
}

/// Does the rows of `definition`, each in its folder below the results, and tells `see` what became
/// of each. A failed training does not stop the others.
///
/// # Errors
/// If a row was done or begun under another definition, a file is damaged or cannot be written, or the
/// user interrupts.
pub fn run(
    definition: &Definition,
    options: &Options,
    mut see: impl FnMut(&Row, &State) -> Result<()>,
) -> Result<()> {
    let out = &options.out;
    std::fs::create_dir_all(out).map_err(|e| Error::io(out, e))?;
    for row in &definition.rows {
        check_unchanged(definition, row, options)?;
    }
    atomic::write_bytes(out.join(DEFINITION), definition.text.as_bytes())?;
    let count = definition.rows.len();
    for (number, row) in definition.rows.iter().enumerate() {
        let label = format!("[{}/{count}] {}", number + 1, row.name);
        let state = match do_row(definition, row, options, &label) {
            // A loss that is not finite is a finding about its row.
            Err(Error::CheckFailed(message)) => State::Failed(message),
            other => other?,
        };
        see(row, &state)?;
    }
    Ok(())
}

/// How far the row is in the folder `out`: `done`, `begun`, or `open`.
pub fn state(row: &Row, out: &Path) -> &'static str {
    let folder = out.join(&row.name);
    if folder.join(RESULT).exists() {
        "done"
    } else if folder.join(ROW).exists() {
        "begun"
    } else {
        "open"
    }
}

fn fingerprint(definition: &Definition, row: &Row, options: &Options) -> Result<toml::Table> {
    let config = match &row.work {
        Work::Method(config) => Some(table(config)?),
        Work::DeRefNet(config) => Some(table(config)?),
        _ => None,
    };
    let model = match &row.work {
        Work::Model(model) => Some(format!("{:08x}", model.checksum)),
        _ => None,
    };
    table(&Fingerprint {
        method: row.method.map(|method| method.key),
        variant: row.variant,
        model,
        grid: row.grid,
        off_grid: row.off_grid,
        masks: definition.masks,
        data: &row.data,
        learning: config.map(|config| Learning {
            scale: definition.scale,
            seeds: &definition.seeds,
            validations: definition.validations,
            warmup: definition.warmup,
            backend: match options.backend {
                BackendKind::Cpu => "cpu",
                BackendKind::Cuda => "cuda",
            },
            budget: definition.budget,
            config,
        }),
    })
}

/// Compares a row with what it was when it was first run.
fn check_unchanged(definition: &Definition, row: &Row, options: &Options) -> Result<()> {
    let path = options.out.join(&row.name).join(ROW);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Error::io(&path, e)),
    };
    let wrong = |e: toml::de::Error| Error::format(&path, e.to_string());
    let before: toml::Table = text.parse().map_err(wrong)?;
    let now = fingerprint(definition, row, options)?;
    let Some((field, [was, is])) = difference(&before, &now) else {
        return Ok(());
    };
    Err(Error::format(
        &path,
        format!(
            "row '{}': {field} is {is}, but was {was} when the row was begun; choose another --out, \
             or remove the row's folder to run it anew",
            row.name
        ),
    ))
}

/// The first field in which two tables differ, with both values.
fn difference(before: &toml::Table, now: &toml::Table) -> Option<(String, [String; 2])> {
    let keys = before.keys().chain(now.keys());
    keys.into_iter().find_map(|key| {
        let pair = [before.get(key), now.get(key)];
        if let [
            Some(toml::Value::Table(before)),
            Some(toml::Value::Table(now)),
        ] = pair
        {
            let (field, values) = difference(before, now)?;
            return Some((format!("{key}.{field}"), values));
        }
        let text = |value: Option<&toml::Value>| match value {
            None => "absent".to_owned(),
            // Configurations hold f32, whose shortest decimal is what was written.
            Some(toml::Value::Float(v)) if f64::from(*v as f32) == *v => (*v as f32).to_string(),
            Some(value) => value.to_string(),
        };
        (pair[0] != pair[1]).then(|| (key.clone(), pair.map(text)))
    })
}

fn do_row(definition: &Definition, row: &Row, options: &Options, label: &str) -> Result<State> {
    let folder = options.out.join(&row.name);
    std::fs::create_dir_all(&folder).map_err(|e| Error::io(&folder, e))?;
    let Some(_lock) = Lock::take(&folder)? else {
        return Ok(State::Elsewhere);
    };
    // Another process may have begun it since the start.
    check_unchanged(definition, row, options)?;
    if folder.join(RESULT).exists() {
        return keep(row, &folder);
    }
    let text = fingerprint(definition, row, options)?.to_string();
    atomic::write_bytes(folder.join(ROW), text.as_bytes())?;
    let test = trajectories(&row.data)?;
    let seeds = if row.work.learns() {
        &definition.seeds[..]
    } else {
        &definition.seeds[..1]
    };
    let mut records = Vec::new();
    for &seed in seeds {
        let (name, label) = if seeds.len() > 1 {
            (format!("run-{seed}"), format!("{label}, seed {seed}"))
        } else {
            ("run".to_owned(), label.to_owned())
        };
        let seed = Seed {
            definition,
            row,
            backend: options.backend,
            seed,
            folder: &folder.join(name),
            label: &label,
            test: &test,
        };
        records.push(seed.record()?);
    }
    let result = assemble(row, records, &test)?;
    result.write(&folder)?;
    Ok(State::Done(Box::new(result)))
}

/// Results of before, with the row's present words.
fn keep(row: &Row, folder: &Path) -> Result<State> {
    let before = RowResult::read(folder)?;
    let now = RowResult {
        label: row.label.clone(),
        group: row.group,
        about: row.about.clone(),
        published: row.published,
        ..before.clone()
    };
    if now != before {
        now.write(folder)?;
    }
    Ok(State::Kept(Box::new(now)))
}

fn assemble(row: &Row, records: Vec<Record>, test: &[Trajectory]) -> Result<RowResult> {
    let peaks = records.iter().filter_map(|record| record.peak_mib);
    let peak_mib = peaks.reduce(f64::max);
    let runs: Vec<_> = records.iter().map(|record| record.run.clone()).collect();
    let first = records.into_iter().next();
    let first = first.ok_or_else(|| Error::usage("seeds: expected at least one"))?;
    Ok(RowResult {
        format: FORMAT,
        row: row.name.clone(),
        label: row.label.clone(),
        group: row.group,
        method: row.method.map(|method| method.key.to_owned()),
        variant: row.variant.map(str::to_owned),
        about: row.about.clone(),
        parameters: row.size.parameters,
        answering_parameters: row.size.answering_parameters,
        macs_per_frame: row.size.macs_per_frame,
        macs_per_frame_here: row.size.macs_per_frame_here,
        published: row.published,
        data: data_used(&row.data, test),
        interval: Interval::over(&runs),
        runs,
        frames_per_second: first.frames_per_second,
        peak_mib,
        machine: first.machine,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        date: first.date,
        training_curve: first.training_curve,
        validation_curve: first.validation_curve,
        precision_recall: first.precision_recall,
        gallery: first.gallery,
    })
}

fn data_used(data: &Data, test: &[Trajectory]) -> DataUsed {
    let clutter = data
        .clutter
        .as_ref()
        .map(|_| "generated clutter".to_owned());
    let folder = data
        .folder
        .as_ref()
        .map(|folder| folder.display().to_string());
    DataUsed {
        seed: data.seed,
        split: data.split.name().to_owned(),
        noise: data.noise,
        arrangement: data.arrangement,
        targets: data.targets,
        trajectories: test.len(),
        frames: test.iter().map(|t| centres(t).len()).sum(),
        background: folder.or(clutter),
    }
}

/// Test trajectories of a row.
fn trajectories(data: &Data) -> Result<Vec<Trajectory>> {
    if let Some(folder) = &data.folder {
        let mut all = load_split(folder, data.split)?;
        all.truncate(usize::try_from(data.trajectories).unwrap_or(usize::MAX));
        return match all.iter().find(|t| t.truth.len() < 5) {
            Some(_) => Err(Error::format(
                folder,
                "a trajectory is shorter than 5 frames",
            )),
            None => Ok(all),
        };
    }
    let scene = data.scene();
    let all = 0..data.trajectories;
    Ok(all
        .map(|i| generate(&scene, data.seed, data.split, i))
        .collect())
}

/// A row's folder, while this process works in it.
struct Lock(#[allow(dead_code, reason = "held, never read")] Option<File>);

impl Lock {
    /// Takes the folder, unless another process has it. Where folders cannot be locked, nothing
    /// keeps two processes apart.
    fn take(folder: &Path) -> Result<Option<Self>> {
        let Ok(file) = File::open(folder) else {
            return Ok(Some(Self(None)));
        };
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(Some(file)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(_)) => Ok(Some(Self(None))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named_by_their_path() {
        let read = |text: &str| text.parse::<toml::Table>().unwrap();
        let before = read("a = 1\n[b]\nc = 2\nd = [3]");
        assert_eq!(difference(&before, &before), None);
        let now = read("a = 1\n[b]\nc = 2\nd = [4]");
        let (field, values) = difference(&before, &now).unwrap();
        assert_eq!(
            (field.as_str(), values),
            ("b.d", ["[3]".into(), "[4]".into()])
        );
        let fewer = read("[b]\nc = 2\nd = [3]");
        let (field, values) = difference(&before, &fewer).unwrap();
        assert_eq!(
            (field.as_str(), values),
            ("a", ["1".into(), "absent".into()])
        );
        assert_eq!(difference(&fewer, &before).unwrap().0, "a");
    }

    #[test]
    fn a_folder_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).unwrap();
        assert!(first.is_some());
        assert!(Lock::take(folder.path()).unwrap().is_none());
        drop(first);
        assert!(Lock::take(folder.path()).unwrap().is_some());
    }
}
