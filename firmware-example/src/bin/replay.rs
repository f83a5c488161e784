//! Targets in a recording by one readout: `replay READOUT FILE`.
//!
//! Prints `window TICKS NUMBER…` for every frame with an answer, where eight numbers stand for a
//! target: bits of row and column (pixels), score, intensity, the standard deviations of row and
//! column, their correlation and the intensity's standard deviation. Nothing is read or printed while the clock
//! runs.
#![cfg_attr(target_os = "none", no_std, no_main)]

use derefnet_core::stream::{HeadMemory, Readout};
use derefnet_firmware::board::{Room, Source, ticks, with_arguments};
use derefnet_firmware::network::{READOUTS, numbers, stream};
use derefnet_firmware::recording::{BYTES, Frame, TRAJECTORY};
use derefnet_firmware::{models, put, say};

derefnet_firmware::program!(run);

static MEMORY: Room<HeadMemory<32>> = Room::new(HeadMemory::new());

fn run() -> bool {
    with_arguments(|[name, file]| {
        let readout = READOUTS.iter().find(|(known, _)| *known == name);
        match (readout, Source::open(file)) {
            (Some((_, readout)), Some(source)) => replay(*readout, source),
            (None, _) => {
                say!("readout '{name}': expected fit, head, head-fit or head-prior");
                false
            }
            (_, None) => {
                say!("{file}: cannot be opened");
                false
            }
        }
    })
}

fn replay(readout: Readout, mut source: Source) -> bool {
    let Some(memory) = MEMORY.take() else {
        return false;
    };
    let mut stream = match stream(models::EDGE, readout, memory) {
        Ok(stream) => stream,
        Err(error) => {
            say!("model: {error}");
            return false;
        }
    };
    let mut bytes = [0; BYTES];
    let mut frames = 0;
    while source.fill(&mut bytes) {
        if frames % TRAJECTORY == 0 {
            stream.reset();
        }
        frames += 1;
        let frame = Frame::read(&bytes);
        let before = ticks();
        let answer = stream.push(&frame.readings, None);
        let taken = ticks() - before;
        if let Ok(Some(answer)) = answer {
            put!("window {taken}");
            for target in &answer.targets {
                for number in numbers(target) {
                    put!(" {:016x}", number.to_bits());
                }
            }
            say!();
        }
    }
    frames > 0
}
