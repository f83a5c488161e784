//! The model that a command uses: a file, or the shipped one.

use std::path::PathBuf;

use crate::Result;
use crate::model::{DeRefNet, Provenance};

/// How targets are read off the network's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Readout {
    /// Every cell of at least 70 counts, at its centre.
    Grid,
    /// What the offset head claims, between the cells.
    Offgrid,
}

impl Readout {
    /// Word on the command line and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grid => "grid",
            Self::Offgrid => "offgrid",
        }
    }
}

/// Which model to use.
#[derive(Clone, Debug, clap::Args)]
pub struct ModelArgs {
    /// Model file (safetensors); without it, the model that ships with the program.
    #[arg(long, value_name = "F")]
    pub model: Option<PathBuf>,
}

impl ModelArgs {
    /// Reads the model.
    ///
    /// # Errors
    /// If the file is damaged or no model.
    pub fn load(&self) -> Result<(DeRefNet, Provenance)> {
        match &self.model {
            Some(path) => DeRefNet::load(path),
            None => DeRefNet::shipped(),
        }
    }

    /// Name for messages and figures.
    pub fn name(&self) -> String {
        self.model
            .as_ref()
            .map_or_else(|| "shipped model".to_owned(), |p| p.display().to_string())
    }
}
