//! The image for a sensor: targets in a recording by the offset head or the fit of the preset `edge`,
//! without its network with the map, within 128 KiB of RAM and 256 KiB of flash, and nothing in it that
//! panics: `edge READOUT FILE`.
//!
//! Prints `window TICKS NUMBER…` for every frame with an answer, where eight numbers stand for a
//! target: bits of row and column (pixels), score, intensity, the standard deviations of row and
//! column, their correlation and the intensity's standard deviation. Nothing is read or printed while
//! the clock runs.
#![cfg_attr(target_os = "none", no_std, no_main)]

use derefnet_core::stream::{HeadMemory, Readout, Stream};
use derefnet_firmware::board::{Room, Source, ticks, with_arguments};
use derefnet_firmware::models;
use derefnet_firmware::network::{READOUTS, numbers, stream};
use derefnet_firmware::recording::{BYTES, Frame, TRAJECTORY};
use derefnet_firmware::text::Line;

derefnet_firmware::program!(run);

static MEMORY: Room<HeadMemory<32>> = Room::new(HeadMemory::new());

fn run() -> bool {
    with_arguments(|[name, file]| {
        let readout = READOUTS.iter().find(|(known, _)| *known == name);
        match (readout, Source::open(file)) {
            (Some((_, readout)), Some(source)) => replay(*readout, source),
            (None, _) => refuse("readout: expected fit, head, head-fit or head-prior"),
            (_, None) => refuse("the file cannot be opened"),
        }
    })
}

fn refuse(why: &str) -> bool {
    Line::new(why).say();
    false
}

fn replay(readout: Readout, mut source: Source) -> bool {
    let Some(memory) = MEMORY.take() else {
        return refuse("no memory");
    };
    let mut made = stream(models::HEAD, readout, memory);
    let Ok(stream) = &mut made else {
        return refuse("the model does not serve this readout");
    };
    let mut bytes = [0; BYTES];
    let mut frames = 0;
    while source.fill(&mut bytes) {
        if frames % TRAJECTORY == 0 {
            stream.reset();
        }
        frames += 1;
        if !push(stream, &Frame::read(&bytes)) {
            return false;
        }
    }
    frames > 0
}

/// Pushes a frame and prints its answer; whether it was taken.
fn push(stream: &mut Stream<'_, HeadMemory<32>>, frame: &Frame) -> bool {
    let before = ticks();
    let answer = stream.push(&frame.readings, None);
    let taken = ticks() - before;
    let Ok(answer) = answer else {
        return refuse("a frame was refused");
    };
    if let Some(answer) = answer {
        Line::new("window").decimal(taken).put();
        for target in &answer.targets {
            let numbers = numbers(target).into_iter();
            let line = numbers.fold(Line::new(""), |line, number| {
                line.hexadecimal(number.to_bits())
            });
            line.put();
        }
        Line::new("").say();
    }
    true
}
