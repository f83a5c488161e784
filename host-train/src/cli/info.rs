//! `derefnet info`: what is in a model file.

use std::path::PathBuf;

use serde::Serialize;

use super::model::{DrefFile, is_quantised};
use super::{Common, output};
use crate::model::{DeRefNet, HeadConfig, ModelConfig, Preset, Provenance};
use crate::{Error, Result};

mod build;
mod quantised;

/// Options of `info`.
#[derive(Clone, Debug, clap::Args)]
pub struct InfoArgs {
    /// Model file, safetensors or quantised (.dref); without it, the model that ships with the program.
    #[arg(value_name = "F")]
    pub file: Option<PathBuf>,
    /// Show what this program was built with instead: version, vector instructions, backends.
    #[arg(long, conflicts_with = "file")]
    pub build: bool,
}

#[derive(Serialize)]
struct Answer {
    /// Preset whose sizes the model has.
    preset: &'static str,
    parameters: usize,
    /// Trainable values that inference reads: the position code needs two vectors only.
    effective_parameters: usize,
    /// Needs of the quantised form; null for a float model.
    ram_bytes: Option<usize>,
    flash_bytes: Option<usize>,
    config: ModelConfig,
    provenance: Provenance,
    /// CRC-32 of the whole file, hexadecimal.
    checksum: String,
    tensors: Vec<(String, Vec<usize>)>,
}

/// Prints sizes, shapes and provenance.
///
/// # Errors
/// If the file is damaged or no model.
pub fn run(args: &InfoArgs, common: &Common) -> Result<()> {
    if args.build {
        return build::show(common);
    }
    if let Some(path) = args.file.as_deref().filter(|path| is_quantised(path)) {
        return quantised::show(&DrefFile::read(path)?, common);
    }
    let bytes = match &args.file {
        Some(path) => std::fs::read(path).map_err(|e| Error::io(path, e))?,
        None => DeRefNet::SHIPPED.to_vec(),
    };
    let name = args
        .file
        .as_deref()
        .unwrap_or(DeRefNet::SHIPPED_NAME.as_ref());
    let (network, provenance) = DeRefNet::from_bytes(name, &bytes)?;
    let tensors = &network.parameters.tensors;
    let folded: usize = tensors
        .iter()
        .filter(|t| t.name == "TDDA.mlp.weight")
        .map(|t| t.values.len() - t.shape[0])
        .sum();
    let parameters = network.parameters.count();
    let answer = Answer {
        preset: preset_name(&network.config),
        parameters,
        effective_parameters: parameters - folded,
        ram_bytes: None,
        flash_bytes: None,
        config: network.config.clone(),
        provenance,
        checksum: format!("{:08x}", crc32fast::hash(&bytes)),
        tensors: tensors
            .iter()
            .map(|t| (t.name.clone(), t.shape.clone()))
            .collect(),
    };
    output::emit(common, &answer, &describe(&answer))
}

fn preset_name(config: &ModelConfig) -> &'static str {
    let sizes = |c: &ModelConfig| (c.stages, c.channels, c.residual_blocks);
    let is = |preset| sizes(config) == sizes(&ModelConfig::preset(preset));
    match () {
        () if is(Preset::Paper) => "paper",
        () if is(Preset::Edge) => "edge",
        () => "custom",
    }
}

/// Name of the readout of the offset head.
const HEAD: &str = "offset head";

/// Validation figures in words.
fn validated(provenance: &Provenance, readout: &str) -> String {
    provenance.validation.map_or_else(
        || format!("none recorded ({readout})"),
        |[map, ap25]| format!("CSO-mAP {map:.2}, AP25 {ap25:.2} ({readout}, validation split)"),
    )
}

fn describe(answer: &Answer) -> String {
    let Answer {
        config, provenance, ..
    } = answer;
    let head = config.head.as_ref().map_or_else(String::new, |head| {
        let HeadConfig { channels, blocks } = head;
        format!(", offset head of {channels} channels and {blocks} residual blocks")
    });
    // A head trained together with the network is what validation read.
    let readout = match (&config.head, &provenance.head) {
        (Some(_), None) => HEAD,
        _ => "grid readout",
    };
    let mut validation = validated(provenance, readout);
    if let Some(head) = &provenance.head {
        validation += "\n               ";
        validation += &validated(head, HEAD);
    }
    let noise = provenance.noise.map_or_else(
        || "noise as in the folder".to_owned(),
        |[low, high]| format!("noise σ {low}–{high} counts"),
    );
    let values = map_values(provenance.centerness);
    format!(
        "preset         {}: {} stages, {} channels, {} residual blocks{head}\n\
         parameters     {} ({} read at inference)\n\
         position code  {:?}, intensity scale {} counts\n\
         trained        {} steps, {} trajectories, seed {}, data {}, {noise}\n\
         map values     {values}\n\
         validation     {validation}\n\
         form           f32, {} tensors, CRC-32 {}; RAM and flash are known once quantised",
        answer.preset,
        config.stages,
        config.channels,
        config.residual_blocks,
        answer.parameters,
        answer.effective_parameters,
        config.time,
        config.intensity_scale,
        provenance.steps,
        provenance.trajectories,
        provenance.seed,
        provenance.data_version,
        answer.tensors.len(),
        answer.checksum,
    )
}

/// What the map's values mean.
fn map_values(centerness: Option<f32>) -> String {
    centerness.map_or_else(
        || "intensities, counts".to_owned(),
        |share| {
            let most = 1.0 + share;
            format!("intensities times 1 to {most}, more towards a cell's centre, counts")
        },
    )
}
