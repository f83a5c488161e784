//! The network with which a run starts.

use std::path::Path;

use super::{Source, TrainConfig};
use crate::dataset::qinit;
use crate::model::{DeRefNet, Operators, Provenance, initialise};
use crate::{Error, Result};

/// A network with drawn weights and the `Q_init` of the training data.
pub(super) fn drawn(config: &TrainConfig, source: &Source) -> Result<DeRefNet> {
    let qinit = qinit(source.for_qinit(config.qinit_trajectories), config.qinit)?;
    Ok(DeRefNet {
        config: config.model.clone(),
        operators: Operators::new(qinit.iter().map(|&q| q as f32).collect()),
        parameters: initialise(&config.model, config.seed),
    })
}

/// The network of a model file, if it has the sizes of the run; a head that it lacks is drawn.
pub(super) fn from_model(path: &Path, config: &TrainConfig) -> Result<(DeRefNet, Provenance)> {
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
