//! Any frames, masks, gaps and windows, in any order, on a small valid model.
#![no_main]

use std::sync::LazyLock;

use arbitrary::{Arbitrary, Unstructured};
use derefnet_core::arch::Kernels;
use derefnet_core::locate::Noise;
use derefnet_core::stream::{MapMemory, Stream, StreamConfig};
use derefnet_core::weights::Model;
use derefnet_fuzz::models::{Sizes, random_model};
use derefnet_fuzz::readout_for;
use libfuzzer_sys::fuzz_target;

static MODEL: LazyLock<Model> = LazyLock::new(|| {
    let sizes = Sizes {
        map: Some([8, 1, 1]),
        head: Some([8, 0]),
    };
    let file = random_model(1, sizes).leak();
    Model::load(file).expect("a valid file")
});

#[derive(Arbitrary, Debug)]
struct Input {
    pedestal: u16,
    saturation: Option<u16>,
    counts: [u8; 2],
    noise: Option<f64>,
    evaluations: u8,
    calls: Vec<Call>,
}

#[derive(Arbitrary, Debug)]
enum Call {
    Push(Pixels, Option<u128>),
    Window(Pixels, Option<u128>),
    Wrong(u8),
    Reset,
}

/// Readings that repeat: few bytes make a frame.
type Pixels = [u16; 4];

fn frame<const N: usize>(pixels: Pixels) -> [u16; N] {
    core::array::from_fn(|i| pixels[(i + i / 7) % 4].wrapping_mul(1 + (i / 40) as u16))
}

fn flags<const N: usize>(mask: u128) -> [bool; N] {
    core::array::from_fn(|i| mask >> (i % 128) & 1 == 1)
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(bytes)) else {
        return;
    };
    let model = MODEL.clone();
    let mut config = StreamConfig {
        readout: readout_for(bytes),
        pedestal: input.pedestal,
        saturation: input.saturation,
        ..StreamConfig::of(&model)
    };
    config.locate.counts = input.counts.map(usize::from);
    config.locate.noise = input.noise.map_or(Noise::Estimated, Noise::Known);
    // Some are out of range; few, because a fit of nonsense takes as many as it may.
    config.locate.window_evaluations = u32::from(input.evaluations) % 48;
    let mut memory = MapMemory::<8>::new();
    let Ok(mut stream) = Stream::new(model, config, Kernels::best(), &mut memory) else {
        return;
    };
    let mut frames = 0;
    for call in input.calls.into_iter().take(7) {
        match call {
            Call::Push(pixels, mask) => {
                let flags = mask.map(flags::<121>);
                let answer = stream.push(&frame::<121>(pixels), flags.as_ref().map(|f| &f[..]));
                frames += 1;
                assert_eq!(answer.is_ok_and(|a| a.is_some()), frames >= 5);
            }
            Call::Window(pixels, mask) => {
                let flags = mask.map(flags::<605>);
                let answer = stream.window(&frame::<605>(pixels), flags.as_ref().map(|f| &f[..]));
                assert!(answer.is_ok());
                frames = 0;
            }
            Call::Wrong(length) => {
                let length = usize::from(length);
                assert_eq!(stream.push(&vec![0; length], None).is_err(), length != 121);
                frames += usize::from(length == 121);
            }
            Call::Reset => {
                stream.reset();
                frames = 0;
            }
        }
    }
});
