//! `derefnet quantize`: a trained model as the integers that run on devices.

use std::path::PathBuf;

use derefnet_core::physics::{FRAME_LEN, WINDOW};
use derefnet_core::weights::Model;
use serde::Serialize;

use super::model::{HeadArgs, ModelArgs, is_quantised};
use super::progress::Progress;
use super::{Common, interrupt, output};
use crate::backend::cpu::Cpu;
use crate::dataset::Split;
use crate::model::DeRefNet;
use crate::plot::quantisation;
use crate::quantize::{
    CalibrationData, LayerBound, Quantised, Ranges, TensorError, calibrate, check, compare, fold,
    head_ram_bytes, map_ram_bytes,
};
use crate::scene::{SceneConfig, generate};
use crate::{Error, Result, atomic};
use accuracy::Accuracy;

mod accuracy;
mod text;

/// Options of `quantize`.
#[derive(Clone, Debug, clap::Args)]
pub struct QuantizeArgs {
    /// Which model to quantise, in floats.
    #[command(flatten)]
    pub model: ModelArgs,
    /// File to write.
    #[arg(long, value_name = "F.dref")]
    pub out: PathBuf,
    /// The offset head it is to have.
    #[command(flatten)]
    pub head: HeadArgs,
    /// Leave the network with the map out: positions by the offset head, in two fifths of the flash.
    #[arg(long)]
    pub only_head: bool,
    /// Trajectories of the training split from which ranges come.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub trajectories: u32,
    /// Trajectories of the validation split on which accuracy is measured before and after, at noise
    /// σ = 0 and 5; where more than 0.3 points of CSO-mAP are lost, nothing is written. 0 measures
    /// nothing, and the file then says nothing about it.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: u64,
    /// Write the figure of every tensor's error here.
    #[arg(long, value_name = "F.png")]
    pub plot: Option<PathBuf>,
}

/// Noise of the data, standard deviation in counts: what models are trained over.
const NOISE: [f64; 2] = [0.0, 5.0];
/// Validation trajectories, of which one window each shows the errors of tensors.
const COMPARED: u64 = 8;
/// First frame of that window.
const SHOWN: usize = 7;

#[derive(Serialize)]
struct Answer {
    out: PathBuf,
    /// Length of the file.
    flash_bytes: usize,
    /// Memory of a stream of maps.
    ram_bytes: Option<usize>,
    /// Memory of a stream of answers by the offset head.
    head_ram_bytes: Option<usize>,
    /// CSO-mAP before and after; empty if it was not measured.
    accuracy: Vec<Accuracy>,
    /// Errors of all tensors, in the order of the network.
    tensors: Vec<TensorError>,
    /// How far each layer can stray on any input, proved from its weights.
    bounds: Vec<LayerBound>,
}

/// Quantises, measures, writes.
///
/// # Errors
/// If the model is damaged or the format cannot hold it, for a wrong option, a file that cannot be
/// written, and [`Error::CheckFailed`] if too much accuracy is lost.
pub fn run(args: &QuantizeArgs, common: &Common) -> Result<()> {
    if !is_quantised(&args.out) {
        let message = format!("--out is {}, expected a name in .dref", args.out.display());
        return Err(Error::usage(message));
    }
    let (network, provenance) = args.head.attach(args.model.load()?)?;
    check(&network)?;
    let backend = Cpu::new();
    let data = CalibrationData {
        seed: common.seed(),
        trajectories: args.trajectories,
        noise: NOISE,
    };
    let ranges = ranges(&network, &backend, &data)?;
    let mut folded = fold(&network, &ranges, &provenance, &data)?;
    if args.only_head {
        folded = folded.only_head()?;
    }
    let draft = folded.file(None)?;
    let model = Model::load(&draft).map_err(|e| Error::CheckFailed(e.to_string()))?;
    let quantised = Quantised::new(model);
    let accuracy = accuracy::measure((&network, &backend), &quantised, args.limit, data.seed)?;
    accuracy::check(&accuracy)?;
    let windows = windows(data.seed);
    let tensors = compare(&network, &backend, (&quantised, &folded.steps), &windows)?;
    if let Some(path) = &args.plot {
        quantisation::draw(path, &tensors, &format!("{}, quantised", args.model.name()))?;
    }
    let file = folded.file(accuracy::for_header(&accuracy))?;
    atomic::write_bytes(&args.out, &file)?;
    let head = network.config.head.as_ref();
    let answer = Answer {
        out: args.out.clone(),
        flash_bytes: file.len(),
        ram_bytes: map_ram_bytes(network.config.channels).filter(|_| !args.only_head),
        head_ram_bytes: head.and_then(|head| head_ram_bytes(head.channels)),
        accuracy,
        tensors,
        bounds: folded.bounds,
    };
    output::emit(common, &answer, &text::describe(&answer))
}

fn ranges(network: &DeRefNet, backend: &Cpu, data: &CalibrationData) -> Result<Ranges> {
    let progress = Progress::new("calibrating", "trajectories", data.trajectories.into());
    calibrate(network, backend, data, |done| {
        progress.advance(done);
        interrupt::check()
    })
}

/// Windows of the validation split, `(n, 5, 121)` counts.
fn windows(seed: u64) -> Vec<f32> {
    let scene = SceneConfig {
        noise: NOISE,
        ..SceneConfig::default()
    };
    let window = |index| {
        let trajectory = generate(&scene, seed, Split::Validation, index);
        let counts: Vec<f32> = trajectory.frames.iter().map(|&c| c as f32).collect();
        counts[SHOWN * FRAME_LEN..(SHOWN + WINDOW) * FRAME_LEN].to_vec()
    };
    (0..COMPARED).flat_map(window).collect()
}
