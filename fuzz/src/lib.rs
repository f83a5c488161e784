//! What the fuzz targets share.

#[path = "../../tests/src/models.rs"]
pub mod models;

use derefnet_core::arch::Kernels;
use derefnet_core::stream::{HeadMemory, MapMemory, Memory, Readout, Stream, StreamConfig};
use derefnet_core::weights::Model;

/// All readouts.
pub const READOUTS: [Readout; 5] = [
    Readout::Grid,
    Readout::Fit,
    Readout::Head,
    Readout::HeadFit,
    Readout::HeadPrior,
];

/// Answers one window with every readout of `model` for which there is memory here.
pub fn run(model: &Model) {
    let mut readings = [0; 605];
    for (index, reading) in readings.iter_mut().enumerate() {
        *reading = (index * 7919 % 1500) as u16;
    }
    for readout in [Readout::Grid, Readout::Head] {
        window(model, readout, &readings, &mut MapMemory::<8>::new());
        window(model, readout, &readings, &mut HeadMemory::<8>::new());
    }
}

fn window<M: Memory>(model: &Model, readout: Readout, readings: &[u16], memory: &mut M) {
    let config = StreamConfig {
        readout,
        pedestal: 700,
        ..StreamConfig::of(model)
    };
    if let Ok(mut stream) = Stream::new(model.clone(), config, Kernels::SCALAR, memory) {
        let answer = stream.window(readings, None);
        assert!(answer.is_ok(), "a model that loads must answer: {answer:?}");
    }
}
