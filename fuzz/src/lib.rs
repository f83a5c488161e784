//! What the fuzz targets share.

#[path = "../../tests/src/models.rs"]
pub mod models;

use derefnet_core::arch::Kernels;
use derefnet_core::stream::{HeadMemory, MapMemory, Memory, Readout, Stream, StreamConfig};
use derefnet_core::weights::{Model, checksum};

/// All readouts.
pub const READOUTS: [Readout; 5] = [
    Readout::Grid,
    Readout::Fit,
    Readout::Head,
    Readout::HeadFit,
    Readout::HeadPrior,
];

/// One in `share` inputs, always the same ones: those worth the expensive paths.
pub fn is_chosen(bytes: &[u8], share: u32) -> bool {
    checksum(bytes).is_multiple_of(share)
}

/// The readout to try on an input: nearly always the head, the cheapest by far; four inputs in 32768
/// get one of the others.
pub fn readout_for(bytes: &[u8]) -> Readout {
    let choice = checksum(bytes) % 32_768;
    READOUTS
        .into_iter()
        .filter(|&readout| readout != Readout::Head)
        .nth(choice as usize)
        .unwrap_or(Readout::Head)
}

/// Answers one window with every readout of `model`, by the scalar kernels and by the fastest ones.
pub fn run(model: &Model) {
    let mut readings = [0; 605];
    for (index, reading) in readings.iter_mut().enumerate() {
        *reading = (index * 7919 % 1500) as u16;
    }
    for readout in READOUTS {
        for kernels in [Kernels::SCALAR, Kernels::best()] {
            let kind = (readout, kernels);
            window(model, kind, &readings, &mut MapMemory::<8>::new());
            window(model, kind, &readings, &mut HeadMemory::<8>::new());
        }
    }
}

fn window<M: Memory>(
    model: &Model,
    (readout, kernels): (Readout, Kernels),
    readings: &[u16],
    memory: &mut M,
) {
    let config = StreamConfig {
        readout,
        pedestal: 700,
        ..StreamConfig::of(model)
    };
    if let Ok(mut stream) = Stream::new(model.clone(), config, kernels, memory) {
        let answer = stream.window(readings, None);
        assert!(answer.is_ok(), "a model that loads must answer: {answer:?}");
    }
}
