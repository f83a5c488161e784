//! The model that a command uses: a file, or the shipped one; and how targets are read off it.

use std::path::PathBuf;

use crate::Result;
use crate::eval::offgrid::Method;
use crate::model::{DeRefNet, Provenance};

/// How targets are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Readout {
    /// Every cell of at least 70 counts, at its centre.
    Grid,
    /// Off the grid as it ships: the fit of point sources with starts of its own; uses no model.
    Offgrid,
    /// What the offset head claims, between the cells.
    Head,
    /// The fit started from the head's claims.
    HeadFit,
    /// The same, the head's precision taken as prior knowledge: this counts the data twice, and is
    /// here to be compared.
    HeadPrior,
}

impl Readout {
    /// Word on the command line and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grid => "grid",
            Self::Offgrid => "offgrid",
            Self::Head => "head",
            Self::HeadFit => "head-fit",
            Self::HeadPrior => "head-prior",
        }
    }

    /// Method of the readouts between the cells; nothing for the grid.
    pub fn method(self) -> Option<Method> {
        match self {
            Self::Grid => None,
            Self::Offgrid => Some(Method::Fit),
            Self::Head => Some(Method::Head),
            Self::HeadFit => Some(Method::HeadFit),
            Self::HeadPrior => Some(Method::HeadPrior),
        }
    }

    /// Whether it reads a model at all.
    pub fn needs_model(self) -> bool {
        self.method().is_none_or(Method::needs_head)
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

    /// Reads the model where `readout` needs one or one is named, which must then be sound.
    ///
    /// # Errors
    /// As [`ModelArgs::load`].
    pub fn load_for(&self, readout: Readout) -> Result<Option<DeRefNet>> {
        let wanted = readout.needs_model() || self.model.is_some();
        let loaded = wanted.then(|| self.load()).transpose()?;
        Ok(loaded.map(|(network, _)| network))
    }

    /// Name for messages and figures.
    pub fn name(&self) -> String {
        self.model
            .as_ref()
            .map_or_else(|| "shipped model".to_owned(), |p| p.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    /// The name in answers is the word that chooses the readout.
    #[test]
    fn names_are_the_words_of_the_command_line() {
        for readout in Readout::value_variants() {
            let word = readout.to_possible_value().unwrap();
            assert_eq!(word.get_name(), readout.name());
        }
    }
}
