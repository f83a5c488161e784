//! Named parameters under the authors' tensor names.

use super::config::{HeadConfig, ModelConfig};
use super::head::OUTPUTS;
use derefnet_core::physics::{MAP_LEN, WINDOW};

/// One trainable tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Name in the authors' checkpoints.
    pub name: String,
    /// Shape; convolutions are `(out, in, k, k)`.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<f32>,
}

/// All parameters of a network, in a fixed order.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// The tensors.
    pub tensors: Vec<Parameter>,
}

impl Parameters {
    /// All parameters of `config`, zero.
    pub fn zeros(config: &ModelConfig) -> Self {
        let tensors = shapes(config)
            .into_iter()
            .map(|(name, shape)| {
                let len = shape.iter().product();
                Parameter {
                    name,
                    shape,
                    values: vec![0.0; len],
                }
            })
            .collect();
        Self { tensors }
    }

    /// The tensor called `name`.
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        self.tensors.iter().find(|t| t.name == name)
    }

    /// Number of trainable values.
    pub fn count(&self) -> usize {
        self.tensors.iter().map(|t| t.values.len()).sum()
    }
}

/// Names and shapes, in the order of the network.
fn shapes(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    let c = config.channels;
    let mut list = Vec::new();
    let mut add = |name: String, shape: &[usize]| list.push((name, shape.to_vec()));
    for k in 0..config.stages {
        add(format!("fcs.{k}.lambda_step"), &[1]);
        add(format!("fcs.{k}.soft_thr"), &[1]);
        add(format!("fcs.{k}.conv1_forward"), &[c, 1, 3, 3]);
        add(format!("fcs.{k}.conv2_forward"), &[c, c, 3, 3]);
        add(format!("fcs.{k}.conv1_backward"), &[c, c, 3, 3]);
        add(format!("fcs.{k}.conv2_backward"), &[1, c, 3, 3]);
    }
    let mut tdda = |name: &str, shape: &[usize]| add(format!("TDDA.{name}"), shape);
    tdda("mlp.weight", &[MAP_LEN, MAP_LEN]);
    tdda("mlp.bias", &[MAP_LEN]);
    tdda("feat_extract.0.conv.weight", &[c, 1, 3, 3]);
    tdda("feat_extract.0.conv.bias", &[c]);
    for part in ["conv0_s", "conv1_s"] {
        tdda(&format!("feat_aggregate.{part}.weight"), &[c / 2, c, 1, 1]);
        tdda(&format!("feat_aggregate.{part}.bias"), &[c / 2]);
    }
    tdda("feat_aggregate.conv_squeeze.weight", &[2, 2, 3, 3]);
    tdda("feat_aggregate.conv_squeeze.bias", &[2]);
    for part in ["align_1", "align_2"] {
        tdda(&format!("{part}.weight"), &[c, c, 3, 3]);
        tdda(&format!("{part}.conv_offset.weight"), &[18, c, 3, 3]);
        tdda(&format!("{part}.conv_offset.bias"), &[18]);
    }
    tdda("conv.weight", &[1, c, 3, 3]);
    tdda("conv.bias", &[1]);
    tdda("tail_conv.0.conv.weight", &[c, WINDOW, 3, 3]);
    tdda("tail_conv.0.conv.bias", &[c]);
    for block in 0..config.residual_blocks {
        for conv in ["conv1", "conv2"] {
            tdda(&format!("tail_conv.1.{block}.{conv}.weight"), &[c, c, 3, 3]);
            tdda(&format!("tail_conv.1.{block}.{conv}.bias"), &[c]);
        }
    }
    tdda("tail_conv.2.weight", &[1, c, 3, 3]);
    if let Some(head) = &config.head {
        list.extend(head_shapes(head));
    }
    list
}

/// The same of the offset head, which is not the authors'.
fn head_shapes(head: &HeadConfig) -> Vec<(String, Vec<usize>)> {
    let c = head.channels;
    let mut list = Vec::new();
    let mut layer = |name: String, inputs: usize, outputs: usize| {
        list.push((format!("{name}.weight"), vec![outputs, inputs, 3, 3]));
        list.push((format!("{name}.bias"), vec![outputs]));
    };
    layer("head.input".to_owned(), WINDOW, c);
    for block in 0..head.blocks {
        layer(format!("head.blocks.{block}.conv1"), c, c);
        layer(format!("head.blocks.{block}.conv2"), c, c);
    }
    layer("head.output".to_owned(), c, OUTPUTS);
    list
}
