//! The state with which a run starts.

use std::path::Path;

use serde::Serialize;

use super::run::{BEST, CHECKPOINT, LAST};
use super::{Adam, Checkpoint, Source, TrainConfig};
use crate::dataset::qinit;
use crate::model::{DeRefNet, Operators, Provenance, initialise};
use crate::{Error, Result, atomic};

/// Checks that no run is in `folder`.
///
/// # Errors
/// Names the file of one.
pub(crate) fn vacant(folder: &Path) -> Result<()> {
    let taken = [CHECKPOINT, BEST, LAST].map(|name| folder.join(name));
    match taken.iter().find(|path| path.exists()) {
        Some(path) => {
            let message = "a run is here already: resume it with --resume or choose another folder";
            Err(Error::format(path, message))
        }
        None => Ok(()),
    }
}

/// Makes the folder of a run and writes its configuration there.
///
/// # Errors
/// If that cannot be.
pub(crate) fn write_config(folder: &Path, config: &impl Serialize) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let text = toml::to_string(config).map_err(|e| Error::usage(e.to_string()))?;
    atomic::write_bytes(folder.join("config.toml"), text.as_bytes())
}

/// The state before the first step, saved in `folder`, which must not hold a run already.
pub(super) fn fresh(
    folder: &Path,
    config: TrainConfig,
    source: &Source,
    start: Option<&Path>,
    ranks: usize,
) -> Result<Checkpoint> {
    vacant(folder)?;
    let (network, start) = match start {
        Some(path) => {
            let (network, provenance) = from_model(path, &config)?;
            (network, Some(provenance))
        }
        None => (drawn(&config, source)?, None),
    };
    write_config(folder, &config)?;
    let tensors = network.parameters.tensors.iter();
    let adam = Adam::new(
        config.adam_in_units(),
        tensors.clone().map(|t| t.values.len()),
    );
    let average = (config.ema > 0.0).then(|| tensors.map(|t| t.values.clone()).collect());
    let state = Checkpoint {
        config,
        data_version: source.version(),
        step: 0,
        best: None,
        start,
        network,
        adam,
        average,
        ranks,
    };
    state.save(&folder.join(CHECKPOINT))?;
    Ok(state)
}

/// A network with drawn weights and the `Q_init` of the training data.
fn drawn(config: &TrainConfig, source: &Source) -> Result<DeRefNet> {
    let qinit = qinit(source.for_qinit(config.qinit_trajectories), config.qinit)?;
    Ok(DeRefNet {
        config: config.model.clone(),
        operators: Operators::new(qinit.iter().map(|&q| q as f32).collect()),
        parameters: initialise(&config.model, config.seed),
    })
}

/// The network of a model file, if it has the sizes of the run; a head that it lacks is drawn.
fn from_model(path: &Path, config: &TrainConfig) -> Result<(DeRefNet, Provenance)> {
    let (mut network, provenance) = DeRefNet::load(path)?;
    if network.config.head.is_none() {
        network.config.head.clone_from(&config.model.head);
        let own = network.parameters.tensors.len();
        let drawn = initialise(&network.config, config.seed).tensors;
        network
            .parameters
            .tensors
            .extend(drawn.into_iter().skip(own));
    }
    if network.config != config.model {
        let (found, expected) = (&network.config, &config.model);
        let message = format!("the model is {found:?}, expected that of the run: {expected:?}");
        return Err(Error::format(path, message));
    }
    Ok((network, provenance))
}
