//! Checkpoints of the authors' code: their tensors and nothing else.
//!
//! Sizes are read off the tensors' shapes; numbers are counts and time is the trajectory's, as in the
//! released code. That code makes `Q_init` from its training data and keeps it elsewhere: where a file
//! has none, that of generated training data is taken, of which `derefnet train` computes the same
//! without options ([`SEED`], 3,500 trajectories).

use std::path::Path;

use derefnet_core::physics::{FRAME_LEN, MAP_LEN};

use super::file::{Provenance, QINIT, Tensors};
use super::{DeRefNet, ModelConfig, Operators, Parameters};
use crate::dataset::{self, QinitFrom, Split};
use crate::scene::{SceneConfig, generate};
use crate::{Error, Result};

/// Seed of the trajectories behind a `Q_init` that a file lacks.
const SEED: u64 = 1;

/// A tensor of every checkpoint, by which others' common prefix is found.
const FIRST: &str = "fcs.0.conv1_forward";

/// What stands before all names, such as `module.`.
fn prefix(path: &Path, tensors: &Tensors) -> Result<String> {
    let mut prefixes = tensors.0.keys().filter_map(|name| name.strip_suffix(FIRST));
    match (prefixes.next(), prefixes.next()) {
        (Some(only), None) => Ok(only.to_owned()),
        (first, _) => {
            let found = first.map_or("no", |_| "more than one");
            let message = format!(
                "metadata 'derefnet' is missing, so not a file of this program, and {found} tensor \
                 '{FIRST}', so no checkpoint of the authors' code"
            );
            Err(Error::format(path, message))
        }
    }
}

/// Sizes of the network, read off the shapes.
fn config(path: &Path, tensors: &Tensors, prefix: &str) -> Result<ModelConfig> {
    let shape = |name: &str| tensors.0.get(&format!("{prefix}{name}")).map(|t| &t.0);
    let count = |name: &dyn Fn(usize) -> String| -> usize {
        (0..).take_while(|&k| shape(&name(k)).is_some()).count()
    };
    let channels = shape(FIRST).and_then(|dims| dims.first());
    let config = ModelConfig {
        stages: count(&|k| format!("fcs.{k}.conv1_forward")),
        channels: channels.copied().unwrap_or_default(),
        residual_blocks: count(&|k| format!("TDDA.tail_conv.1.{k}.conv1.weight")),
        ..ModelConfig::released()
    };
    let valid = config.validate();
    valid.map_err(|e| Error::format(path, e.to_string()))?;
    Ok(config)
}

/// `Q_init (1089, 121)` of generated training data.
fn generated_qinit() -> Result<Vec<f32>> {
    let scene = SceneConfig::default();
    let numbers = 0..Split::Train.trajectories();
    let all = numbers.map(|index| generate(&scene, SEED, Split::Train, index));
    let qinit = dataset::qinit(all, QinitFrom::Physics)?;
    Ok(qinit.iter().map(|&q| q as f32).collect())
}

/// The network of a checkpoint's `tensors`, and that its origin is not known.
///
/// # Errors
/// If a tensor is missing or has another size than the first ones tell.
pub(super) fn network(path: &Path, tensors: &mut Tensors) -> Result<(DeRefNet, Provenance)> {
    let prefix = prefix(path, tensors)?;
    let config = config(path, tensors, &prefix)?;
    let parameters = Parameters::from_tensors(path, &config, &prefix, tensors)?;
    let qinit = match tensors.0.contains_key(QINIT) {
        true => tensors.take(path, QINIT, MAP_LEN * FRAME_LEN)?,
        false => generated_qinit()?,
    };
    let network = DeRefNet {
        config,
        operators: Operators::new(qinit),
        parameters,
    };
    let provenance = Provenance {
        program: "authors' checkpoint".to_owned(),
        data_version: "unknown".to_owned(),
        ..Provenance::default()
    };
    Ok((network, provenance))
}

#[cfg(test)]
#[path = "bare_tests.rs"]
mod tests;
