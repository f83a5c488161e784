//! Ticks of every part of a new frame.

use core::hint::black_box;

use derefnet_core::arch::Kernels;
use derefnet_core::net::{Picture, Probe, Tensor};
use derefnet_core::stream::{Memory, Stream};

use crate::board::ticks;
use crate::network::{READOUTS, stream};
use crate::recording::{GOLDEN, scenes};
use crate::say;

/// Parts of a new frame, in the order of their work. The last one is whatever follows the network:
/// the fit, or reading the head's answer.
const PARTS: [&str; 17] = [
    "start",
    "data_step",
    "stage_conv2d_1_c",
    "stage_conv2d_c_c",
    "stage_conv2d_c_1",
    "code",
    "feature",
    "attention",
    "deformable",
    "merge",
    "tail_conv2d_5_c",
    "tail_blocks",
    "tail_conv2d_c_1",
    "head_conv2d_5_c",
    "head_blocks",
    "head_conv2d_c_63",
    "locate",
];
const REST: usize = PARTS.len() - 1;

/// The part that ends with a tensor.
const fn part(tensor: Tensor) -> usize {
    match tensor {
        Tensor::Start | Tensor::Back => 0,
        Tensor::Step(_) => 1,
        Tensor::Hidden(_, 0) => 2,
        Tensor::Hidden(..) => 3,
        Tensor::Stage(_) => 4,
        Tensor::Coded(_) => 5,
        Tensor::Feature(_) => 6,
        Tensor::Aggregate(_) => 7,
        Tensor::Offsets(..) | Tensor::Deformed(..) => 8,
        Tensor::Stack => 9,
        Tensor::Tail => 10,
        Tensor::Block(..) => 11,
        Tensor::Map => 12,
        Tensor::HeadInput => 13,
        Tensor::HeadBlock(..) => 14,
        Tensor::HeadAnswer => 15,
    }
}

/// Most frames whose ticks are kept.
const MOST_FRAMES: usize = 256;

/// Ticks so far.
struct Profile {
    since: u64,
    parts: [u64; PARTS.len()],
    frames: [u64; MOST_FRAMES],
    windows: usize,
}

impl Probe for Profile {
    fn see(&mut self, tensor: Tensor, _: Picture<'_>) {
        self.add(part(tensor));
    }
}

impl Profile {
    const ZERO: Self = Self {
        since: 0,
        parts: [0; PARTS.len()],
        frames: [0; MOST_FRAMES],
        windows: 0,
    };

    /// What was done since the last call belongs to `part`.
    fn add(&mut self, part: usize) {
        let now = ticks();
        self.parts[part] += now - self.since;
        self.since = now;
    }

    /// Pushes a frame; nothing of the first ones, which have no answer, is kept.
    fn push<M: Memory>(&mut self, stream: &mut Stream<M>, readings: &[u16]) {
        let before = self.parts;
        let start = ticks();
        self.since = start;
        let answer = stream.push_seen(readings, None, self);
        let is_answer = matches!(black_box(&answer), Ok(Some(_)));
        self.add(REST);
        if !is_answer {
            self.parts = before;
        } else if let Some(frame) = self.frames.get_mut(self.windows) {
            *frame = self.since - start;
            self.windows += 1;
        }
    }

    fn print(&mut self, model: &str, readout: &str) {
        let windows = self.windows;
        let frames = &mut self.frames[..windows];
        frames.sort_unstable();
        let at = |place: usize| frames.get(place).copied().unwrap_or(0);
        let [least, median, most] = [0, windows / 2, windows.saturating_sub(1)].map(at);
        let set = Kernels::best().name();
        say!("frame {model} {readout} {set} {windows} {least} {median} {most}");
        for (name, ticks) in PARTS.iter().zip(self.parts) {
            if ticks > 0 {
                say!("part {model} {readout} {name} {ticks}");
            }
        }
    }
}

/// Prints, in ticks, `frame MODEL READOUT SET WINDOWS LEAST MEDIAN MOST` for every readout of `file`
/// over golden frames, and `part MODEL READOUT NAME SUM` for every part of all those frames together.
/// A map takes the same work for any frame, so few frames do.
pub fn run<M: Memory>(model: &str, file: &[u8], memory: &mut M) -> bool {
    for (name, readout) in READOUTS {
        let mut profile = Profile::ZERO;
        let (scene_count, frame_count) = match name {
            "grid" => (1, 6),
            _ => (4, usize::MAX),
        };
        let mut made = stream(file, readout, memory);
        let stream = match &mut made {
            Ok(stream) => stream,
            Err(error) => {
                say!("failed {model} {name}: {error}");
                return false;
            }
        };
        for scene in scenes(GOLDEN).take(scene_count) {
            stream.reset();
            for frame in scene.take(frame_count) {
                profile.push(stream, &frame.readings);
            }
        }
        profile.print(model, name);
    }
    say!(
        "memory {model} {} {}",
        size_of::<M>(),
        size_of::<Stream<M>>()
    );
    true
}
