//! What folding gives, and the model file of it.

use std::collections::BTreeMap;

use derefnet_core::locate::Prior;
use derefnet_core::net::Tensor;
use derefnet_core::physics::{FRAME_SIDE, PSF_SIGMA, RATIO, WINDOW};
use derefnet_core::weights::{
    Accuracy, Calibration, HeadHeader, Header, Intensities, MAX_BLOCKS, MAX_STAGES, MapHeader,
    Model, Physics,
};

use super::body::Body;
use super::calibrate::CalibrationData;
use super::layer::LayerBound;
use crate::model::{DeRefNet, Provenance, TimeConvention};
use crate::{Error, Result};

/// What one step of every tensor is worth, in units of the float network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Steps {
    tensors: BTreeMap<Tensor, f64>,
    /// Of each of the seven numbers of the head's cells.
    pub(super) head: [f64; 7],
}

impl Steps {
    pub(super) fn set(&mut self, tensors: impl IntoIterator<Item = Tensor>, step: f64) {
        self.tensors
            .extend(tensors.into_iter().map(|tensor| (tensor, step)));
    }

    /// Of the value at `index` of a tensor; `None` if the network in integers has no such tensor.
    pub fn of(&self, tensor: Tensor, index: usize) -> Option<f64> {
        match tensor {
            Tensor::HeadAnswer => self.head.get(index % self.head.len()).copied(),
            tensor => self.tensors.get(&tensor).copied(),
        }
    }
}

/// A network in integers.
#[derive(Clone, Debug)]
pub struct Folded<'p> {
    pub(super) header: Header<'p>,
    pub(super) body: Body,
    /// Bytes of the body that belong to the network with the map.
    pub(super) map_len: usize,
    /// Scales of its tensors.
    pub steps: Steps,
    /// How far each of its layers can stray from the float network's, in the order of the file.
    pub bounds: Vec<LayerBound>,
}

impl Folded<'_> {
    /// Leaves out the network with the map: what remains answers with the offset head alone.
    ///
    /// # Errors
    /// If there is no head.
    pub fn only_head(mut self) -> Result<Self> {
        if self.header.head.is_none() {
            return Err(Error::usage("this model has no offset head"));
        }
        self.header.map = None;
        self.body.skip(self.map_len);
        self.map_len = 0;
        self.bounds.retain(|bound| bound.layer.starts_with("head."));
        self.steps
            .tensors
            .retain(|tensor, _| matches!(tensor, Tensor::HeadInput | Tensor::HeadBlock(..)));
        Ok(self)
    }

    /// The model file, which says what quantisation costs if `accuracy` does. It was read back once:
    /// its sums cannot overflow.
    ///
    /// # Errors
    /// If the reader refuses it.
    pub fn file(&self, accuracy: Option<[Accuracy; 2]>) -> Result<Vec<u8>> {
        let mut header = self.header;
        header.provenance.accuracy = accuracy;
        let file = self.body.file(&header)?;
        let refused = |e| Error::CheckFailed(format!("quantised model: {e}"));
        Model::load(&file).map_err(refused)?;
        Ok(file)
    }
}

/// The header of a file whose parts have the headers `map` and `head`.
pub(super) fn header<'p>(
    input_bits: u8,
    (map, head): (Option<MapHeader>, Option<HeadHeader>),
    provenance: &'p Provenance,
    data: &CalibrationData,
) -> Header<'p> {
    Header {
        physics: Physics {
            side: FRAME_SIDE as u8,
            ratio: RATIO as u8,
            window: WINDOW as u8,
            psf_sigma: PSF_SIGMA,
        },
        intensities: Intensities {
            mean: Prior::SEQ_CSIST.intensity_mean,
            sigma: Prior::SEQ_CSIST.intensity_sigma,
        },
        input_bits,
        map,
        head,
        provenance: of_file(provenance, data),
    }
}

fn of_file<'p>(
    provenance: &'p Provenance,
    data: &CalibrationData,
) -> derefnet_core::weights::Provenance<'p> {
    derefnet_core::weights::Provenance {
        program: &provenance.program,
        data_version: &provenance.data_version,
        seed: provenance.seed,
        steps: provenance.steps,
        trajectories: provenance.trajectories,
        noise: provenance
            .noise
            .map(|noise| noise.map(|sigma| sigma as f32)),
        centerness: provenance.centerness,
        calibration: Calibration {
            seed: data.seed,
            trajectories: data.trajectories,
            noise: data.noise.map(|sigma| sigma as f32),
        },
        accuracy: None,
    }
}

/// Refuses networks that the format cannot hold.
///
/// # Errors
/// If the position code does not count within the window, or sizes are beyond those of the format;
/// names what.
pub fn check(network: &DeRefNet) -> Result<()> {
    let config = &network.config;
    let refuse = |holds: bool, what: &str| {
        let error = || Error::usage(format!("cannot quantise this model: {what}"));
        holds.then_some(()).ok_or_else(error)
    };
    let width = |channels: usize| channels.is_multiple_of(8) && (8..=64).contains(&channels);
    let window = config.time == TimeConvention::Window;
    refuse(
        window,
        "its position code counts within the trajectory, expected the window",
    )?;
    refuse(
        width(config.channels),
        "channels must be a multiple of 8 up to 64",
    )?;
    refuse(config.stages <= MAX_STAGES, "stages must be 16 at most")?;
    let blocks = config
        .residual_blocks
        .max(config.head.as_ref().map_or(0, |head| head.blocks));
    refuse(blocks <= MAX_BLOCKS, "residual blocks must be 8 at most")?;
    let head = config.head.as_ref().is_none_or(|head| width(head.channels));
    refuse(head, "the head's channels must be a multiple of 8 up to 64")
}
