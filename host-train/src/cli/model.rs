//! The model that a command uses: a file, or the shipped one; and how targets are read off it.

use std::path::{Path, PathBuf};

use derefnet_core::weights::Model;

use crate::backend::Backend;
use crate::eval::network::{Inference, Network};
use crate::eval::offgrid::Method;
use crate::model::{DeRefNet, Provenance};
use crate::quantize::Quantised;
use crate::{Error, Result};

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
    /// Model file, safetensors or quantised (.dref); without it, the model that ships with the program.
    #[arg(long, value_name = "F")]
    pub model: Option<PathBuf>,
}

impl ModelArgs {
    /// Reads the model, which must be in floats.
    ///
    /// # Errors
    /// If the file is damaged or no such model.
    pub fn load(&self) -> Result<(DeRefNet, Provenance)> {
        match &self.model {
            Some(path) => DeRefNet::load(path),
            None => DeRefNet::shipped(),
        }
    }

    /// Reads the model, float or quantised.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_any(&self) -> Result<Loaded> {
        match &self.model {
            Some(path) if is_quantised(path) => DrefFile::read(path).map(Loaded::Quantised),
            _ => {
                let (network, provenance) = self.load()?;
                Ok(Loaded::Float(Box::new(network), Box::new(provenance)))
            }
        }
    }

    /// Reads the model where `readout` needs one or one is named, which must then be sound.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_for(&self, readout: Readout) -> Result<Option<Loaded>> {
        let wanted = self.model.is_some() || readout.needs_model();
        wanted.then(|| self.load_any()).transpose()
    }

    /// Name for messages and figures.
    pub fn name(&self) -> String {
        self.model
            .as_ref()
            .map_or_else(|| "shipped model".to_owned(), |p| p.display().to_string())
    }
}

/// The offset head of another model, attached.
#[derive(Clone, Debug, clap::Args)]
pub struct HeadArgs {
    /// Attach the offset head of this model; both must divide counts alike.
    #[arg(long, value_name = "F")]
    pub head: Option<PathBuf>,
}

impl HeadArgs {
    /// A model with the head, if one is named, and where both come from.
    ///
    /// # Errors
    /// If the file is damaged or no such model, or its head does not fit.
    pub fn attach(
        &self,
        (network, mut provenance): (DeRefNet, Provenance),
    ) -> Result<(DeRefNet, Provenance)> {
        let Some(path) = &self.head else {
            return Ok((network, provenance));
        };
        let (other, mut origin) = DeRefNet::load(path)?;
        let refused = |e| Error::usage(format!("--head {}: {e}", path.display()));
        let network = network.with_head_of(&other).map_err(refused)?;
        // A head that was attached before has an origin of its own.
        provenance.head = Some(origin.head.take().unwrap_or_else(|| Box::new(origin)));
        Ok((network, provenance))
    }
}

/// Whether the file is a quantised model, by its name.
pub fn is_quantised(path: &Path) -> bool {
    path.extension().is_some_and(|form| form == "dref")
}

/// A quantised model file, found sound.
#[derive(Clone, Debug)]
pub struct DrefFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl DrefFile {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, is damaged or no such model.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        let file = Self {
            path: path.to_owned(),
            bytes,
        };
        file.model()?;
        Ok(file)
    }

    /// Its content.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its model.
    ///
    /// # Errors
    /// If the content is damaged: none of [`Self::read`] is.
    pub fn model(&self) -> Result<Model<'_>> {
        Model::load(&self.bytes).map_err(|e| Error::format(&self.path, e.to_string()))
    }
}

/// A model of either form.
#[derive(Clone, Debug)]
pub enum Loaded {
    /// In floats.
    Float(Box<DeRefNet>, Box<Provenance>),
    /// In integers.
    Quantised(DrefFile),
}

impl Loaded {
    /// The network, ready to answer; one in floats computes on `backend`.
    ///
    /// # Errors
    /// None for what [`ModelArgs`] loaded.
    pub fn network<'a, B: Backend>(&'a self, backend: &'a B) -> Result<Box<dyn Network + 'a>> {
        Ok(match self {
            Self::Float(network, _) => Box::new(Inference::new(network, backend)),
            Self::Quantised(file) => Box::new(Quantised::new(file.model()?)),
        })
    }

    /// Steps of training, version of its data and its seed, in words.
    ///
    /// # Errors
    /// As [`Self::network`].
    pub fn training(&self) -> Result<String> {
        let words = |steps: u64, data: &str, seed: u64| {
            format!("{steps} steps of training on generated data {data}, seed {seed}")
        };
        Ok(match self {
            Self::Float(_, p) => words(p.steps, &p.data_version, p.seed),
            Self::Quantised(file) => {
                let p = file.model()?.header.provenance;
                words(p.steps, p.data_version, p.seed)
            }
        })
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
