//! `derefnet export`: a model in the form in which it ships.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::model::{DrefFile, HeadArgs, ModelArgs, is_quantised};
use super::{Common, output};
use crate::model::{DeRefNet, Provenance};
use crate::{Error, Result, atomic, methods, onnx};

/// Options of `export`.
#[derive(Clone, Debug, clap::Args)]
pub struct ExportArgs {
    /// Which model to export.
    #[command(flatten)]
    pub model: ModelArgs,
    /// The offset head it is to have.
    #[command(flatten)]
    pub head: HeadArgs,
    /// File to write; `.safetensors`: all that inference needs, the position code's matrix reduced
    /// to its row sums; `.onnx`: windows of five frames in, maps out, and the offset head's answers, in
    /// floats or, of a quantised model (.dref), in the steps of its integers; of other methods frames
    /// or windows in, maps out.
    #[arg(long, value_name = "F")]
    pub out: PathBuf,
    /// Write `.safetensors` as the authors' code computes: maps in counts, the position code's whole
    /// matrix, no offset head.
    #[arg(long)]
    pub authors: bool,
}

/// What is written.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Reduced,
    Authors,
    Onnx,
}

impl Form {
    fn of(args: &ExportArgs) -> Result<Self> {
        let end = args.out.extension().and_then(|e| e.to_str());
        match (end.unwrap_or_default(), args.authors) {
            ("safetensors", false) => Ok(Self::Reduced),
            ("safetensors", true) => Ok(Self::Authors),
            ("onnx", false) => Ok(Self::Onnx),
            (end, false) => Err(Error::usage(format!(
                "--out ends in '.{end}', expected .safetensors or .onnx"
            ))),
            (end, true) => Err(Error::usage(format!(
                "--out ends in '.{end}', expected .safetensors with --authors"
            ))),
        }
    }
}

#[derive(Serialize)]
struct Answer {
    out: PathBuf,
    bytes: u64,
    /// Stages whose thresholds are negative.
    jumps: Vec<usize>,
}

/// Writes the model.
///
/// # Errors
/// If the model is damaged, the form is unknown or the file cannot be written.
pub fn run(args: &ExportArgs, common: &Common) -> Result<()> {
    let form = Form::of(args)?;
    let jumps = match &args.model.model {
        Some(path) if methods::Trained::is_file(path) => export_method(path, form, args)?,
        Some(path) if form == Form::Onnx && is_quantised(path) => {
            if args.head.head.is_some() {
                let message = "--head: a quantised model keeps its own; attach it with quantize";
                return Err(Error::usage(message));
            }
            write_quantised(&DrefFile::read(path)?, &args.out)?
        }
        _ => write_float(&args.head.attach(args.model.load()?)?, form, &args.out)?,
    };
    let bytes = std::fs::metadata(&args.out)
        .map_err(|e| Error::io(&args.out, e))?
        .len();
    let answer = Answer {
        out: args.out.clone(),
        bytes,
        jumps,
    };
    output::emit(common, &answer, &describe(&answer))
}

/// Writes a network in floats; its stages with negative thresholds.
fn write_float(
    (network, provenance): &(DeRefNet, Provenance),
    form: Form,
    out: &Path,
) -> Result<Vec<usize>> {
    match form {
        Form::Authors => network.in_counts().save(out, provenance, false)?,
        Form::Reduced => network.save(out, provenance, true)?,
        Form::Onnx => network.save_onnx(out, provenance)?,
    }
    Ok(network.jumps())
}

/// Writes a network in integers; its stages with negative thresholds.
fn write_quantised(file: &DrefFile, out: &Path) -> Result<Vec<usize>> {
    let model = file.model()?;
    atomic::write_bytes(out, &onnx::quantised(&model)?)?;
    let stages = model.map.iter().flat_map(|map| &map.stages).enumerate();
    let negative = stages.filter(|(_, stage)| stage.theta < 0);
    Ok(negative.map(|(k, _)| k).collect())
}

/// Writes one of the other methods.
fn export_method(path: &Path, form: Form, args: &ExportArgs) -> Result<Vec<usize>> {
    if args.head.head.is_some() {
        return Err(Error::usage("--head: only DeRefNet has an offset head"));
    }
    let (trained, provenance) = methods::Trained::load(path)?;
    match form {
        Form::Authors => {
            let key = trained.method.key;
            let message = format!("--authors: {key} is not written as its authors' code has it");
            return Err(Error::usage(message));
        }
        Form::Reduced => trained.save(&args.out, &provenance, true)?,
        Form::Onnx => atomic::write_bytes(&args.out, &trained.onnx(&provenance)?)?,
    }
    Ok(Vec::new())
}

fn describe(answer: &Answer) -> String {
    let Answer { out, bytes, jumps } = answer;
    let mut text = format!("{}: {bytes} bytes", out.display());
    if !jumps.is_empty() {
        text += &format!(
            "\nthresholds of stages {jumps:?} are negative: cells of maps depend on rounding, and differ \
             from program to program"
        );
    }
    text
}
