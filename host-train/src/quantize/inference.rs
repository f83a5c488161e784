//! Running a model file on the host: the integer network of core over many windows.

use derefnet_core::arch::Kernels;
use derefnet_core::locate::head::{ANSWER_LEN, CHANNELS};
use derefnet_core::net::{Frame, Lengths, Probe, Run, Scratch, take_frame};
use derefnet_core::physics::{FRAME_LEN, MAP_LEN, WINDOW};
use derefnet_core::weights::Model;
use rayon::prelude::*;

use crate::eval::network::{Network, no_head};
use crate::model::Frames;
use crate::{Error, Result};

/// Scratch memory of a run.
struct Buffers {
    planes: [Vec<i16>; 2],
    packed: [Vec<i16>; 2],
    sums: Vec<i32>,
    patches: Vec<i16>,
    line: Vec<i16>,
    offsets: Vec<i16>,
    small: Vec<i16>,
}

impl Buffers {
    fn new(lengths: Lengths) -> Self {
        Self {
            planes: lengths.planes.map(|len| vec![0; len]),
            packed: lengths.packed.map(|len| vec![0; len]),
            sums: vec![0; lengths.sums],
            patches: vec![0; lengths.patches],
            line: vec![0; lengths.line],
            offsets: vec![0; lengths.offsets],
            small: vec![0; lengths.small],
        }
    }

    fn scratch(&mut self) -> Scratch<'_> {
        let [a, b] = &mut self.planes;
        let [first, second] = &mut self.packed;
        Scratch {
            planes: [a, b],
            packed: [first, second],
            sums: &mut self.sums,
            patches: &mut self.patches,
            line: &mut self.line,
            offsets: &mut self.offsets,
            small: &mut self.small,
        }
    }
}

/// A model file, ready to run on windows in parallel.
#[derive(Clone, Debug)]
pub struct Quantised<'m> {
    model: Model<'m>,
    kernels: Kernels,
}

impl<'m> Quantised<'m> {
    /// A model with the fastest kernels of this processor.
    pub fn new(model: Model<'m>) -> Self {
        Self {
            model,
            kernels: Kernels::best(),
        }
    }

    /// The model.
    pub fn model(&self) -> &Model<'m> {
        &self.model
    }

    /// Frames as the network takes them; counts are rounded to integers.
    fn inputs(&self, frames: &Frames) -> Vec<Frame> {
        let bits = self.model.header.input_bits;
        let input = |counts: &[f32]| {
            let (mut whole, mut frame) = ([0; FRAME_LEN], [0; FRAME_LEN]);
            for (whole, count) in whole.iter_mut().zip(counts) {
                *whole = count.round() as i32;
            }
            take_frame(&whole, bits, &mut frame);
            frame
        };
        frames.counts.chunks_exact(FRAME_LEN).map(input).collect()
    }

    /// First frames of all windows of all trajectories.
    fn starts(frames: &Frames) -> Vec<usize> {
        let windows = |m| (0..frames.windows()).map(move |w| m * frames.length + w);
        (0..frames.trajectories()).flat_map(windows).collect()
    }

    /// Shows `probe` every tensor of the window `(5, 121)` counts.
    ///
    /// # Errors
    /// [`Error::Usage`] if it is no window.
    pub fn see(&self, window: &[f32], probe: &mut dyn Probe) -> Result<()> {
        let inputs = self.inputs(&Frames {
            counts: window.to_vec(),
            length: WINDOW,
        });
        let Some(window) = inputs.as_array::<WINDOW>() else {
            return Err(Error::usage("expected one window of five frames"));
        };
        if let Some(network) = &self.model.map {
            let lengths = Lengths::map(network.header.channels.into());
            let mut stages = [[0; MAP_LEN]; WINDOW];
            self.run_seen(lengths, &mut Buffers::new(lengths), probe, |run| {
                for (frame, stage) in window.iter().zip(&mut stages) {
                    run.unfold(network, frame, stage);
                }
                run.align(network, stages.each_ref());
                run.tail(network, &mut [0; MAP_LEN]);
            })?;
        }
        if let Some(head) = &self.model.head {
            let lengths = Lengths::head(head.header.channels.into());
            self.run_seen(lengths, &mut Buffers::new(lengths), probe, |run| {
                run.answer(head, window.each_ref());
            })?;
        }
        Ok(())
    }

    /// Runs a part of the network.
    fn run<T>(
        &self,
        lengths: Lengths,
        buffers: &mut Buffers,
        part: impl FnOnce(&mut Run) -> T,
    ) -> Result<T> {
        self.run_seen(lengths, buffers, &mut (), part)
    }

    fn run_seen<T>(
        &self,
        lengths: Lengths,
        buffers: &mut Buffers,
        probe: &mut dyn Probe,
        part: impl FnOnce(&mut Run) -> T,
    ) -> Result<T> {
        let run = Run::new(self.kernels, lengths, buffers.scratch(), probe);
        let mut run = run.map_err(|e| Error::CheckFailed(e.to_string()))?;
        Ok(part(&mut run))
    }
}

impl Network for Quantised<'_> {
    fn has_map(&self) -> bool {
        self.model.map.is_some()
    }

    fn maps(&self, frames: &Frames) -> Result<Vec<f32>> {
        let network = self.model.map.as_ref();
        let network = network.ok_or_else(|| Error::usage("this model has no map, only a head"))?;
        let lengths = Lengths::map(network.header.channels.into());
        let unfold = |buffers: &mut Buffers, frame: &Frame| {
            let mut stage = [0; MAP_LEN];
            self.run(lengths, buffers, |run| {
                run.unfold(network, frame, &mut stage)
            })?;
            Ok(stage)
        };
        let inputs = self.inputs(frames);
        let inputs = inputs.par_iter().map_init(|| Buffers::new(lengths), unfold);
        let stages: Vec<[i16; MAP_LEN]> = inputs.collect::<Result<_>>()?;
        let unmix = |buffers: &mut Buffers, &start: &usize| {
            let mut map = [0; MAP_LEN];
            self.run(lengths, buffers, |run| {
                run.align(network, std::array::from_fn(|time| &stages[start + time]));
                run.tail(network, &mut map);
            })?;
            Ok(map.map(|v| f32::from(v) * network.header.step))
        };
        let starts = Self::starts(frames);
        let starts = starts.par_iter().map_init(|| Buffers::new(lengths), unmix);
        let maps: Vec<[f32; MAP_LEN]> = starts.collect::<Result<_>>()?;
        Ok(maps.into_flattened())
    }

    fn answers(&self, frames: &Frames) -> Result<Vec<f32>> {
        let head = self.model.head.as_ref().ok_or_else(no_head)?;
        let lengths = Lengths::head(head.header.channels.into());
        let inputs = self.inputs(frames);
        let answer = |buffers: &mut Buffers, &start: &usize| {
            let window: [&Frame; WINDOW] = std::array::from_fn(|time| &inputs[start + time]);
            self.run(lengths, buffers, |run| {
                let answer = run.answer(head, window).iter().zip(0..);
                let steps = head.header.steps;
                answer
                    .map(|(&v, k)| f32::from(v) * steps[k % CHANNELS])
                    .collect::<Vec<f32>>()
            })
        };
        let starts = Self::starts(frames);
        let starts = starts.par_iter().map_init(|| Buffers::new(lengths), answer);
        let answers: Vec<Vec<f32>> = starts.collect::<Result<_>>()?;
        debug_assert!(answers.iter().all(|answer| answer.len() == ANSWER_LEN));
        Ok(answers.concat())
    }

    fn head_unit(&self) -> Option<f32> {
        self.model.head.as_ref().map(|head| head.header.unit)
    }

    fn check_length(&self, _: usize) -> Result<()> {
        // Such a network counts time within the window.
        Ok(())
    }
}
