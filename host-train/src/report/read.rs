//! Folders of results, read and checked.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use derefnet_core::physics::{FRAME_LEN, MAP_LEN};

use crate::benchmark::result::{FORMAT, Group, RESULT, RowResult, RunResult, Scores};
use crate::benchmark::text::Text;
use crate::eval::masks::MaskScores;
use crate::{Error, Result};

/// The results of one definition.
#[derive(Clone, Debug)]
pub struct Table {
    /// Title of the definition.
    pub title: String,
    /// What the definition says of itself.
    pub about: String,
    /// Name for links, unique within the report.
    pub anchor: String,
    /// Published rows, then others, then ours, each as the definition has them.
    pub rows: Vec<Row>,
}

/// A row, averaged over its runs.
#[derive(Clone, Debug)]
pub struct Row {
    /// As it was read.
    pub result: RowResult,
    /// Mean scores of cells as answers; of all runs or none.
    pub grid: Option<Scores>,
    /// Mean scores of answers between the cells.
    pub off_grid: Option<Scores>,
    /// The same of answers as masks of pixels.
    pub masks: Option<MaskScores>,
}

impl Row {
    fn new(result: RowResult) -> Self {
        Self {
            grid: mean(result.runs.iter().map(|run| run.grid.as_ref())),
            off_grid: mean(result.runs.iter().map(|run| run.off_grid.as_ref())),
            masks: mean_masks(&result.runs),
            result,
        }
    }

    /// The higher of both CSO-mAPs.
    pub fn best(&self) -> Option<f64> {
        let both = [&self.grid, &self.off_grid];
        let scores = both.into_iter().flatten().map(|scores| scores.cso_map);
        scores.reduce(f64::max)
    }
}

/// Field by field; none if any run lacks them.
fn mean_masks(runs: &[RunResult]) -> Option<MaskScores> {
    let masks: Vec<MaskScores> = runs.iter().map(|run| run.masks).collect::<Option<_>>()?;
    let mean = |of: fn(&MaskScores) -> f64| masks.iter().map(of).sum::<f64>() / masks.len() as f64;
    (!masks.is_empty()).then(|| MaskScores {
        iou: mean(|masks| masks.iou),
        pd: mean(|masks| masks.pd),
        fa: mean(|masks| masks.fa),
    })
}

/// Field by field; none if any run lacks it.
fn mean<'a>(runs: impl Iterator<Item = Option<&'a Scores>>) -> Option<Scores> {
    let runs: Vec<&Scores> = runs.collect::<Option<_>>()?;
    if runs.is_empty() {
        return None;
    }
    let count = runs.len() as f64;
    let mean = |of: &dyn Fn(&Scores) -> f64| runs.iter().map(|run| of(run)).sum::<f64>() / count;
    let errors: Option<Vec<f64>> = runs.iter().map(|run| run.rmse).collect();
    Some(Scores {
        cso_map: mean(&|run| run.cso_map),
        aps: std::array::from_fn(|k| mean(&|run| run.aps[k])),
        jaccard: mean(&|run| run.jaccard),
        count_right: mean(&|run| run.count_right),
        rmse: errors.map(|errors| errors.iter().sum::<f64>() / count),
    })
}

impl Table {
    /// Reads `folder/definition.toml` and every `folder/ROW/result.json`; `anchor` is the table's name
    /// for links.
    ///
    /// A definition none of whose rows has finished gives a table without rows.
    ///
    /// # Errors
    /// [`Error::Io`] for what cannot be read, [`Error::Format`] naming file, field and expected value
    /// for what is damaged.
    pub fn read(folder: &Path, anchor: String) -> Result<Self> {
        let text = definition(&folder.join("definition.toml"))?;
        let mut rows = Vec::new();
        let mut names = HashSet::new();
        for path in results(folder)? {
            let row = read_row(&path)?;
            if !names.insert(row.row.clone()) {
                let message = format!("row: \"{}\" is there twice", row.row);
                return Err(Error::format(&path, message));
            }
            rows.push(Row::new(row));
        }
        let order: Vec<String> = text.row.into_iter().map(|row| row.name).collect();
        rows.sort_by_key(|row| place(&row.result, &order));
        Ok(Self {
            title: text.title.trim().to_owned(),
            about: text.about.trim().to_owned(),
            anchor,
            rows,
        })
    }
}

/// Published rows first, then others, then ours, each group as the definition has them.
fn place(row: &RowResult, order: &[String]) -> (u8, usize, String) {
    let group = match row.group {
        Group::Published => 0,
        Group::Baseline => 1,
        Group::Ours => 2,
    };
    let known = order.iter().position(|name| *name == row.row);
    (group, known.unwrap_or(order.len()), row.row.clone())
}

fn definition(path: &Path) -> Result<Text> {
    let text = fs::read_to_string(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::format(
            path,
            "not there: expected a folder that `derefnet benchmark` wrote",
        ),
        _ => Error::io(path, source),
    })?;
    // With the line that is wrong, which names the field.
    toml::from_str(&text).map_err(|error| Error::format(path, error.to_string()))
}

/// Files of finished rows, in the order of their names.
fn results(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|source| Error::io(folder, source))? {
        let entry = entry.map_err(|source| Error::io(folder, source))?;
        let path = entry.path().join(RESULT);
        if path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read_row(path: &Path) -> Result<RowResult> {
    let text = fs::read_to_string(path).map_err(|source| Error::io(path, source))?;
    let row: RowResult = serde_json::from_str(&text).map_err(|error| {
        let field = field_before(&text, error.line(), error.column());
        let field = field.map_or_else(String::new, |field| format!("{field}: "));
        Error::format(path, format!("{field}{error}"))
    })?;
    check(&row).map_err(|message| Error::format(path, message))?;
    Ok(row)
}

/// The key that stands last before a place of `text`: serde_json tells the place alone.
fn field_before(text: &str, line: usize, column: usize) -> Option<&str> {
    let start: usize = text
        .split_inclusive('\n')
        .take(line.checked_sub(1)?)
        .map(str::len)
        .sum();
    let head = text.get(..(start + column).min(text.len()))?;
    let colon = head.rfind("\":")?;
    let name = &head[..colon];
    name.rfind('"').map(|quote| &name[quote + 1..])
}

/// What the types do not say.
fn check(row: &RowResult) -> std::result::Result<(), String> {
    let expect = |holds: bool, message: String| if holds { Ok(()) } else { Err(message) };
    let format = row.format;
    expect(
        format == FORMAT,
        format!("format: expected {FORMAT}, got {format}"),
    )?;
    for (field, text) in [("row", &row.row), ("label", &row.label)] {
        let filled = !text.trim().is_empty();
        expect(filled, format!("{field}: expected a name, got \"{text}\""))?;
    }
    let works = [
        ("macs_per_frame", row.macs_per_frame),
        ("macs_per_frame_here", row.macs_per_frame_here),
    ];
    for (field, work) in works {
        expect(
            work != Some(0),
            format!("{field}: expected at least 1 or null, got 0"),
        )?;
    }
    expect(
        !row.runs.is_empty(),
        "runs: expected at least 1, got 0".to_owned(),
    )?;
    for (k, run) in row.runs.iter().enumerate() {
        let all = [("grid", &run.grid), ("off_grid", &run.off_grid)];
        for (name, scores) in all {
            let scores = scores.iter();
            scores.into_iter().try_for_each(|scores| {
                percentages(&format!("runs[{k}].{name}"), scores.cso_map, &scores.aps)
            })?;
        }
    }
    if let Some(printed) = &row.published {
        percentages("published", printed.cso_map, &printed.aps)?;
    }
    for (k, curve) in row.precision_recall.iter().enumerate() {
        let inside = |value: &f64| (0.0..=1.0).contains(value);
        let inside = curve.points.iter().flatten().all(inside);
        let field = format!("precision_recall[{k}].points");
        expect(inside, format!("{field}: expected numbers from 0 to 1"))?;
    }
    for (k, picture) in row.gallery.iter().enumerate() {
        let cells = picture.map.as_ref().map_or(MAP_LEN, Vec::len);
        for (field, got, expected) in [
            ("frame_counts", picture.frame_counts.len(), FRAME_LEN),
            ("map", cells, MAP_LEN),
        ] {
            let message = format!("gallery[{k}].{field}: expected {expected} numbers, got {got}");
            expect(got == expected, message)?;
        }
    }
    Ok(())
}

fn percentages(name: &str, mean: f64, aps: &[f64; 5]) -> std::result::Result<(), String> {
    let outside = |value: &&f64| !(0.0..=100.0).contains(*value);
    let all = std::iter::once(("cso_map", &mean)).chain(aps.iter().map(|ap| ("aps", ap)));
    for (field, value) in all {
        if outside(&value) {
            return Err(format!("{name}.{field}: expected 0 to 100, got {value}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_field_before_the_place() {
        let text = "{\n \"a\": 1,\n \"b\": [1, \"x\"]\n}";
        assert_eq!(field_before(text, 3, 12), Some("b"));
        assert_eq!(field_before(text, 2, 7), Some("a"));
        assert_eq!(field_before(text, 1, 1), None);
        assert_eq!(field_before("", 0, 0), None);
    }

    #[test]
    fn means_need_every_run() {
        let scores = |cso_map: f64, rmse| Scores {
            cso_map,
            aps: [cso_map; 5],
            jaccard: 1.0,
            count_right: 2.0,
            rmse,
        };
        let (a, b) = (scores(10.0, Some(0.1)), scores(20.0, Some(0.3)));
        let both = mean([Some(&a), Some(&b)].into_iter()).unwrap();
        assert_eq!((both.cso_map, both.aps[4]), (15.0, 15.0));
        assert!((both.rmse.unwrap() - 0.2).abs() < 1e-12);
        let without = scores(0.0, None);
        assert_eq!(
            mean([Some(&a), Some(&without)].into_iter()).unwrap().rmse,
            None
        );
        assert!(mean([Some(&a), None].into_iter()).is_none());
        assert!(mean(std::iter::empty()).is_none());
    }
}
