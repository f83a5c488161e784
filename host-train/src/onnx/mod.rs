//! Networks as ONNX files: operator set 17, weights inside, no custom operators.
//!
//! | end | shape | meaning |
//! | --- | --- | --- |
//! | input `frames` | `(N, 5, 11, 11)` | windows of five consecutive frames, counts |
//! | output `map` | `(N, 33, 33)` | counts in cells of a third of a pixel, of the middle frame |
//! | output `answer` | `(N, 11, 11, 3, 3, 7)` | raw answer of the offset head ([`derefnet_core::locate::head`]), where there is one |
//!
//! Nodes bear the names of the parts that they belong to (`stages/0/conv1_forward`), weights those
//! of the authors' tensors. The position code's gates are constants: a window alone has the times
//! 0..4, in whatever way a longer sequence's would be counted. What of the network ONNX does not
//! have, deformable convolution, is made of operators that it has; see
//! [`Builder::deform_conv2d`]. Metadata hold physics, sizes and provenance as JSON.
//!
//! Networks in floats come from [`DeRefNet::onnx`]. Integer networks come from [`fn@quantised`]: their
//! values are whole steps, rounded and held to 16 bits where the integers are; see `steps`.

mod graph;
mod method;
mod network;
mod ops;
mod proto;
mod quantised;
mod steps;

use std::path::Path;

use derefnet_core::physics::{FRAME_SIDE, PSF_SIGMA, RATIO, WINDOW};
use derefnet_core::weights::Model;
use prost::Message;

pub use graph::{Builder, Constant, Operand, Value};
pub use ops::{Block, Stage};
pub use proto::GraphProto;

use crate::model::{DeRefNet, Provenance};
use crate::{Error, Result, atomic};
use proto::{ModelProto, OperatorSetIdProto, StringStringEntryProto};

/// Version of ONNX's operators.
pub const OPERATOR_SET: i64 = 17;
/// Version of the format that came with it.
const FORMAT: i64 = 8;

/// A graph as the content of a file; `metadata` are named texts.
pub fn encode(graph: GraphProto, metadata: &[(&str, String)]) -> Vec<u8> {
    let entries = metadata.iter().map(|(key, value)| StringStringEntryProto {
        key: (*key).to_owned(),
        value: value.clone(),
    });
    let model = ModelProto {
        ir_version: FORMAT,
        producer_name: "derefnet".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: "closely spaced infrared targets of a window's middle frame".to_owned(),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: OPERATOR_SET,
        }],
        metadata_props: entries.collect(),
    };
    model.encode_to_vec()
}

/// Sensor and arrangement of frames, as JSON.
fn physics(psf_sigma: f64) -> String {
    let physics = serde_json::json!({
        "psf_sigma_px": psf_sigma,
        "frame_side_px": FRAME_SIDE,
        "cells_per_px": RATIO,
        "window_frames": WINDOW,
    });
    physics.to_string()
}

fn no_json(error: serde_json::Error) -> Error {
    Error::usage(format!("metadata: {error}"))
}

/// Content of the ONNX file of an integer network.
///
/// # Errors
/// [`Error::Usage`] if the header is no JSON: never for that of a file.
pub fn quantised(model: &Model) -> Result<Vec<u8>> {
    let header = serde_json::to_string(&model.header).map_err(no_json)?;
    let physics = physics(model.header.physics.psf_sigma);
    let metadata = [("physics", physics), ("header", header)];
    Ok(encode(quantised::graph(model), &metadata))
}

impl DeRefNet {
    /// Content of the ONNX file of this network.
    ///
    /// # Errors
    /// [`Error::Usage`] if sizes or provenance are no JSON: never for those of a file.
    pub fn onnx(&self, provenance: &Provenance) -> Result<Vec<u8>> {
        let config = serde_json::to_string(&self.config).map_err(no_json)?;
        let provenance = serde_json::to_string(provenance).map_err(no_json)?;
        let metadata = [
            ("physics", physics(PSF_SIGMA)),
            ("config", config),
            ("provenance", provenance),
        ];
        Ok(encode(network::graph(self), &metadata))
    }

    /// Writes the ONNX file of this network, whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save_onnx(&self, path: &Path, provenance: &Provenance) -> Result<()> {
        atomic::write_bytes(path, &self.onnx(provenance)?)
    }
}
