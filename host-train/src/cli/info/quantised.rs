//! What is in a quantised model file.

use std::fmt::Write as _;

use derefnet_core::weights::{Header, Model, checksum};
use serde::Serialize;

use super::{map_values, preset_name};
use crate::Result;
use crate::cli::model::DrefFile;
use crate::cli::{Common, output};
use crate::model::{HeadConfig, ModelConfig, Parameters, Preset};
use crate::quantize::{head_ram_bytes, map_ram_bytes};

#[derive(Serialize)]
struct Answer<'a> {
    /// Preset whose sizes the map's network has; null without one.
    preset: Option<&'static str>,
    /// Weights, biases and numbers of the float model that inference reads.
    parameters: usize,
    /// Memory of a stream of maps, its own state included; null without a map.
    ram_bytes: Option<usize>,
    /// Memory of a stream of answers by the offset head; null without one.
    head_ram_bytes: Option<usize>,
    /// Length of the file.
    flash_bytes: usize,
    header: &'a Header<'a>,
    /// CRC-32 that the file records, hexadecimal.
    checksum: String,
}

/// Prints sizes, needs, scales and provenance.
pub fn show(file: &DrefFile, common: &Common) -> Result<()> {
    let model = file.model()?;
    let config = config(&model);
    let map = model.map.as_ref();
    let head = model.head.as_ref();
    let answer = Answer {
        preset: map.map(|_| preset_name(&config)),
        parameters: parameters(&model, &config),
        ram_bytes: map.and_then(|map| map_ram_bytes(map.header.channels.into())),
        head_ram_bytes: head.and_then(|head| head_ram_bytes(head.header.channels.into())),
        flash_bytes: file.bytes().len(),
        header: &model.header,
        checksum: format!("{:08x}", checksum(file.bytes())),
    };
    output::emit(common, &answer, &describe(&answer))
}

/// Sizes of the float model; those of the map are the preset's without one.
fn config(model: &Model) -> ModelConfig {
    let mut config = ModelConfig::preset(Preset::Edge);
    if let Some(map) = &model.header.map {
        config.stages = map.stages.into();
        config.channels = map.channels.into();
        config.residual_blocks = map.residual_blocks.into();
    }
    config.head = model.header.head.map(|head| HeadConfig {
        channels: head.channels.into(),
        blocks: head.residual_blocks.into(),
    });
    config
}

/// Numbers that inference reads: of the position code's matrix its row sums alone.
fn parameters(model: &Model, config: &ModelConfig) -> usize {
    let parameters = Parameters::zeros(config);
    let there = |name: &str| name.starts_with("head.") || model.map.is_some();
    let tensors = parameters.tensors.iter().filter(|t| there(&t.name));
    let read = |t: &crate::model::Parameter| match t.name.as_str() {
        "TDDA.mlp.weight" => t.shape[0],
        _ => t.values.len(),
    };
    tensors.map(read).sum()
}

fn describe(answer: &Answer) -> String {
    let header = answer.header;
    let mut text = String::new();
    if let (Some(preset), Some(map)) = (answer.preset, &header.map) {
        let _ = writeln!(
            text,
            "preset         {preset}: {} stages, {} channels, {} residual blocks",
            map.stages, map.channels, map.residual_blocks
        );
    }
    if let Some(head) = &header.head {
        let _ = writeln!(
            text,
            "offset head    {} channels, {} residual blocks, intensities in units of {} counts",
            head.channels, head.residual_blocks, head.unit
        );
    }
    let _ = writeln!(text, "parameters     {}", answer.parameters);
    let needs = [
        (answer.ram_bytes, "maps"),
        (answer.head_ram_bytes, "the offset head and the fit"),
    ];
    let _ = writeln!(text, "flash          {} bytes", answer.flash_bytes);
    for (bytes, what) in needs {
        if let Some(bytes) = bytes {
            let _ = writeln!(text, "RAM            {bytes} bytes for {what}");
        }
    }
    provenance(&mut text, header);
    let _ = write!(
        text,
        "form           i8 weights, i16 tensors, CRC-32 {}",
        answer.checksum
    );
    text
}

fn provenance(text: &mut String, header: &Header) {
    let from = &header.provenance;
    let range = |[low, high]: [f32; 2]| format!("noise σ {low}–{high} counts");
    let noise = from
        .noise
        .map_or("noise as in the folder".to_owned(), range);
    let _ = writeln!(
        text,
        "trained        {} steps, {} trajectories, seed {}, data {}, {noise}\n\
         map values     {}\n\
         calibrated     {} trajectories, seed {}, {}; a count has {} fraction bits",
        from.steps,
        from.trajectories,
        from.seed,
        from.data_version,
        map_values(from.centerness),
        from.calibration.trajectories,
        from.calibration.seed,
        range(from.calibration.noise),
        header.input_bits
    );
    let Some(accuracy) = from.accuracy else {
        *text += "accuracy       none recorded\n";
        return;
    };
    for at in accuracy {
        let _ = writeln!(
            text,
            "accuracy       CSO-mAP {:.2} after {:.2} in floats (grid readout, validation split, σ = {})",
            at.quantised, at.float, at.noise
        );
    }
}
