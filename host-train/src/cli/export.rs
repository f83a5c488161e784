//! `derefnet export`: a model in the form in which it ships.

use std::path::PathBuf;

use serde::Serialize;

use super::model::ModelArgs;
use super::{Common, output};
use crate::{Error, Result};

/// Options of `export`.
#[derive(Clone, Debug, clap::Args)]
pub struct ExportArgs {
    /// Which model to export.
    #[command(flatten)]
    pub model: ModelArgs,
    /// File to write; `.safetensors`: all that inference needs, the position code's matrix reduced
    /// to its row sums.
    #[arg(long, value_name = "F")]
    pub out: PathBuf,
}

#[derive(Serialize)]
struct Answer {
    out: PathBuf,
    bytes: u64,
}

/// Writes the model.
///
/// # Errors
/// If the model is damaged, the form is unknown or the file cannot be written.
pub fn run(args: &ExportArgs, common: &Common) -> Result<()> {
    let form = args
        .out
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default();
    if form != "safetensors" {
        let message = format!("--out ends in '.{form}', expected .safetensors");
        return Err(Error::usage(message));
    }
    let (network, provenance) = args.model.load()?;
    network.save(&args.out, &provenance, true)?;
    let bytes = std::fs::metadata(&args.out)
        .map_err(|e| Error::io(&args.out, e))?
        .len();
    let answer = Answer {
        out: args.out.clone(),
        bytes,
    };
    output::emit(
        common,
        &answer,
        &format!("{}: {bytes} bytes", args.out.display()),
    )
}
