//! `derefnet metric`: the metric alone, on two files.

use std::path::PathBuf;

use derefnet_core::metric::Detection;

use super::eval::draw_curves;
use super::{Common, output};
use crate::eval::frames_json;
use crate::eval::metric::{FrameResult, Report, evaluate};
use crate::scene::Target;
use crate::{Error, Result};

/// Compare detections with the truth: CSO-mAP, APs, Jaccard, RMSE and count accuracy.
///
/// Both files are JSON, an array of frames, each an array of three numbers: row and column in
/// low-resolution pixels, then the score (detections) or the intensity in counts (truth). The
/// files have equally many frames.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Example:
  echo '[[[4.33, 5.0, 231]], []]' > detections.json
  echo '[[[4.31, 5.02, 235]], []]' > truth.json
  derefnet metric --detections detections.json --truth truth.json --json")]
pub struct MetricArgs {
    /// Answers: per frame an array of [x, y, score].
    #[arg(long, value_name = "FILE")]
    pub detections: PathBuf,
    /// What was there: per frame an array of [x, y, intensity].
    #[arg(long, value_name = "FILE")]
    pub truth: PathBuf,
    /// Draw precision over recall here.
    #[arg(long, value_name = "F.png")]
    pub plot: Option<PathBuf>,
}

/// Reads both files, evaluates, and prints a table, or with `--json` one object.
///
/// # Errors
/// [`Error::Io`] for a file that cannot be read, [`Error::Format`] naming file, frame, entry, field
/// and expected value for bad content or differing frame counts.
pub fn run(args: &MetricArgs, common: &Common) -> Result<()> {
    let frames = read_frames(args)?;
    let report = evaluate(&frames)?;
    if let Some(path) = &args.plot {
        let name = args.detections.display().to_string();
        draw_curves(path, &frames, &report, &name)?;
    }
    output::emit(common, &report, &table(&report))
}

/// Pairs the frames of both files.
///
/// # Errors
/// As [`run`].
pub fn read_frames(args: &MetricArgs) -> Result<Vec<FrameResult>> {
    let detections = frames_json::read(&args.detections, "score")?;
    let truth = frames_json::read(&args.truth, "intensity")?;
    let (found, expected) = (detections.len(), truth.len());
    if found != expected {
        let truth = args.truth.display();
        let message = format!("number of frames: expected {expected} as in {truth}, got {found}");
        return Err(Error::format(&args.detections, message));
    }
    if found == 0 {
        let message = "number of frames: expected at least 1, got 0";
        return Err(Error::format(&args.detections, message));
    }
    let pairs = detections.iter().zip(&truth);
    Ok(pairs
        .map(|(detections, truth)| FrameResult {
            detections: detections.iter().map(detection).collect(),
            truth: truth.iter().map(target).collect(),
        })
        .collect())
}

fn detection(&[x, y, score]: &[f64; 3]) -> Detection {
    Detection { x, y, score }
}

fn target(&[x, y, intensity]: &[f64; 3]) -> Target {
    Target { x, y, intensity }
}

/// The report as aligned lines for people.
pub fn table(report: &Report) -> String {
    columns(&[report])
}

/// Reports side by side, a column each, under their names.
pub fn named_columns(reports: &[(&str, &Report)]) -> String {
    let names: String = reports
        .iter()
        .map(|(name, _)| format!("{name:>8}   "))
        .collect();
    let reports: Vec<&Report> = reports.iter().map(|(_, report)| *report).collect();
    format!("{:<16}{}\n{}", "", names.trim_end(), columns(&reports))
}

fn columns(reports: &[&Report]) -> String {
    let percent = |value: f64| (format!("{value:.2}"), "%");
    let count = |value: usize| (value.to_string(), "");
    let rmse = |rmse: Option<f64>| (rmse.map_or("none".to_owned(), |r| format!("{r:.4}")), "px");
    type Cell<'a> = &'a dyn Fn(&Report) -> (String, &'static str);
    let lines: [(&str, Cell); 12] = [
        ("CSO-mAP", &|r| percent(r.cso_map)),
        ("AP 0.05 px", &|r| percent(r.ap05)),
        ("AP 0.10 px", &|r| percent(r.ap10)),
        ("AP 0.15 px", &|r| percent(r.ap15)),
        ("AP 0.20 px", &|r| percent(r.ap20)),
        ("AP 0.25 px", &|r| percent(r.ap25)),
        ("Jaccard", &|r| percent(r.jaccard)),
        ("count accuracy", &|r| percent(r.count_accuracy)),
        ("RMSE", &|r| rmse(r.rmse_px)),
        ("frames", &|r| count(r.frames)),
        ("detections", &|r| count(r.detections)),
        ("targets", &|r| count(r.targets)),
    ];
    let line = |(name, cell): &(&str, Cell)| {
        let cells = reports.iter().map(|report| {
            let (value, unit) = cell(report);
            format!("{value:>8} {unit:<2}")
        });
        let cells: String = cells.collect();
        format!("{name:<16}{}", cells.trim_end())
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        metric: MetricArgs,
    }

    #[test]
    fn both_files_are_required() {
        let line = ["metric", "--detections", "d.json", "--truth", "t.json"];
        let parsed = Line::try_parse_from(line).unwrap().metric;
        assert_eq!(parsed.detections, PathBuf::from("d.json"));
        assert_eq!(parsed.truth, PathBuf::from("t.json"));
        assert!(Line::try_parse_from(&line[..3]).is_err());
        assert!(Line::try_parse_from([line[0], line[3], line[4]]).is_err());
    }

    #[test]
    fn a_table_without_matches_says_so() {
        let frame = FrameResult {
            detections: vec![detection(&[1.0, 1.0, 80.0])],
            truth: vec![target(&[8.0, 8.0, 230.0])],
        };
        let text = table(&evaluate(&[frame]).unwrap());
        assert!(
            text.lines()
                .any(|line| line == "RMSE                none px"),
            "{text}"
        );
        assert!(
            text.lines()
                .any(|line| line == "count accuracy    100.00 %"),
            "{text}"
        );
        assert!(text.ends_with("targets                1"), "{text}");
    }
}
