//! `derefnet report`: results of benchmarks as one page.

use std::path::PathBuf;

use serde::Serialize;

use super::{Common, output};
use crate::report::Report;
use crate::{Result, atomic};

/// Options of `report`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReportArgs {
    /// Folders that `derefnet benchmark` wrote; each becomes a section, the first one makes the headline.
    #[arg(value_name = "DIR", required = true)]
    pub folders: Vec<PathBuf>,
    /// The page: one HTML file that loads nothing.
    #[arg(long, value_name = "F.html", default_value = "report.html")]
    pub out: PathBuf,
    /// Write the first table of every folder here too, as Markdown.
    #[arg(long, value_name = "F.md")]
    pub markdown: Option<PathBuf>,
    /// Folder with the records of the boards (`benches/record/qemu`), for a section on devices.
    #[arg(long, value_name = "DIR")]
    pub device: Option<PathBuf>,
}

#[derive(Serialize)]
struct Answer<'a> {
    report: &'a PathBuf,
    markdown: Option<&'a PathBuf>,
    bytes: usize,
    tables: Vec<Counted<'a>>,
}

#[derive(Serialize)]
struct Counted<'a> {
    title: &'a str,
    rows: usize,
}

/// Reads everything, then writes the files whole.
///
/// # Errors
/// As [`Report::read`]; [`crate::Error::Io`] for a file that cannot be written.
pub fn run(args: &ReportArgs, common: &Common) -> Result<()> {
    let report = Report::read(&args.folders, args.device.as_deref())?;
    let html = report.html();
    atomic::write_bytes(&args.out, html.as_bytes())?;
    if let Some(path) = &args.markdown {
        atomic::write_bytes(path, report.markdown().as_bytes())?;
    }
    let tables = report.tables.iter().map(|table| Counted {
        title: &table.title,
        rows: table.rows.len(),
    });
    let answer = Answer {
        report: &args.out,
        markdown: args.markdown.as_ref(),
        bytes: html.len(),
        tables: tables.collect(),
    };
    output::emit(common, &answer, &text(&answer))
}

fn text(answer: &Answer) -> String {
    let tables = answer
        .tables
        .iter()
        .map(|table| format!("{}: {} rows\n", table.title, table.rows));
    let tables: String = tables.collect();
    let markdown = answer
        .markdown
        .map_or_else(String::new, |path| format!(", {}", path.display()));
    format!(
        "{tables}wrote {} ({} bytes){markdown}",
        answer.report.display(),
        answer.bytes
    )
}
