//! A stream of frames of one scene: a frame in, the targets of the frame two before it out.
//!
//! # Examples
//! ```
//! use derefnet_core::arch::Kernels;
//! use derefnet_core::stream::{MapMemory, Readout, Stream, StreamConfig};
//! use derefnet_core::weights::Model;
//!
//! // In firmware: `static`, and the file in flash.
//! static FILE: &[u8] = include_bytes!("../../models/edge.dref");
//! let mut memory = MapMemory::<16>::new();
//!
//! let model = Model::load(FILE)?;
//! let config = StreamConfig {
//!     readout: Readout::HeadFit,
//!     pedestal: 1000,
//!     ..StreamConfig::of(&model)
//! };
//! let mut stream = Stream::new(model, config, Kernels::best(), &mut memory)?;
//! let dark = [1000; 121];
//! for frame in 0..5 {
//!     let answer = stream.push(&dark, None)?;
//!     assert_eq!(answer.is_some(), frame == 4);
//! }
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod answer;
mod fill;
mod history;
mod memory;
mod slice;

use heapless::Vec;

pub use answer::{Answer, Map, Readout, StreamConfig};
pub use memory::{HeadMemory, MapMemory, Memory};
pub use slice::{Slice, slice};

use crate::arch::Kernels;
use crate::error::{Error, Result, check_len};
use crate::locate::head::{Claim, MAX_TARGETS, read_steps};
use crate::locate::{Locator, MAX_SOURCES, Proposal};
use crate::net::{Frame, Lengths, Probe, Run};
use crate::physics::{FRAME_LEN, MAP_LEN, WINDOW};
use crate::weights::{LoadError, MapNetwork, Model};
use history::History;

/// A stream of frames.
pub struct Stream<'a, M: Memory> {
    model: Model<'a>,
    config: StreamConfig,
    kernels: Kernels,
    locator: Locator,
    history: History,
    saturated: u32,
    memory: &'a mut M,
}

impl<'a, M: Memory> Stream<'a, M> {
    /// A stream without frames.
    ///
    /// # Errors
    /// [`LoadError::Missing`] if the readout needs a part that the model lacks, [`LoadError::Sizes`]
    /// if the model needs other memory, [`LoadError::Field`] for a fit out of range.
    pub fn new(
        model: Model<'a>,
        config: StreamConfig,
        kernels: Kernels,
        memory: &'a mut M,
    ) -> core::result::Result<Self, LoadError> {
        check_parts::<M>(&model, config.readout)?;
        let locator = Locator::new(config.locate).map_err(|_| LoadError::Field {
            field: "locate",
            expected: "a configuration within its ranges",
        })?;
        Ok(Self {
            model,
            config,
            kernels,
            locator,
            history: History::EMPTY,
            saturated: 0,
            memory,
        })
    }

    /// What this stream works with.
    pub const fn config(&self) -> &StreamConfig {
        &self.config
    }

    /// The model.
    pub const fn model(&self) -> &Model<'a> {
        &self.model
    }

    /// Takes the next frame, `(11, 11)` readings; from the fifth on, answers for the frame two before
    /// it. `dead` flags pixels not to believe, what they hold does not matter.
    ///
    /// # Errors
    /// [`Error::Length`] for a wrong number of readings or flags; the frame is not taken then.
    pub fn push(&mut self, readings: &[u16], dead: Option<&[bool]>) -> Result<Option<Answer<'_>>> {
        self.push_seen(readings, dead, &mut ())
    }

    /// [`Self::push`] with a look at every tensor of the network.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn push_seen(
        &mut self,
        readings: &[u16],
        dead: Option<&[bool]>,
        probe: &mut dyn Probe,
    ) -> Result<Option<Answer<'_>>> {
        check_len("readings of a frame", FRAME_LEN, readings.len())?;
        dead.map_or(Ok(()), |dead| {
            check_len("dead pixels", FRAME_LEN, dead.len())
        })?;
        self.take(readings, dead, probe)?;
        if !self.history.is_full() {
            return Ok(None);
        }
        self.answer(probe).map(Some)
    }

    /// The answer for one window `(5, 11, 11)`, whatever came before; the stream is empty afterwards.
    /// `dead` flags pixels not to believe: 121 for all frames alike or 605.
    ///
    /// # Errors
    /// [`Error::Length`] for a wrong number of readings or flags.
    pub fn window(&mut self, readings: &[u16], dead: Option<&[bool]>) -> Result<Answer<'_>> {
        check_len("readings of a window", WINDOW * FRAME_LEN, readings.len())?;
        if let Some(dead) = dead.filter(|dead| dead.len() != FRAME_LEN) {
            check_len("dead pixels", WINDOW * FRAME_LEN, dead.len())?;
        }
        self.reset();
        let flags = |time: usize| dead.map(|dead| dead.get(time * FRAME_LEN..).unwrap_or(dead));
        for (time, frame) in readings.chunks_exact(FRAME_LEN).enumerate() {
            let flags = flags(time).and_then(|flags| flags.get(..FRAME_LEN).or(dead));
            self.take(frame, flags, &mut ())?;
        }
        self.history.forget();
        self.answer(&mut ())
    }

    /// Forgets all frames: after a gap, or where another scene begins.
    pub fn reset(&mut self) {
        self.history.forget();
        self.saturated = 0;
    }

    /// Takes a frame of the right length.
    fn take(
        &mut self,
        readings: &[u16],
        dead: Option<&[bool]>,
        probe: &mut dyn Probe,
    ) -> Result<()> {
        let bits = self.model.header.input_bits;
        let saturated = self.history.push(readings, dead, &self.config, bits);
        if self.config.readout != Readout::Fit {
            self.saturated += saturated;
        }
        if self.config.readout == Readout::Grid {
            self.unfold(probe)?;
        }
        Ok(())
    }

    /// Passes the last frame through the stages.
    fn unfold(&mut self, probe: &mut dyn Probe) -> Result<()> {
        let Some(network) = map_network::<M>(&self.model) else {
            return Ok(());
        };
        let slot = self.history.newest();
        let Some((scratch, stages)) = self.memory.run() else {
            return Ok(());
        };
        let lengths = Lengths::map(network.header.channels.into());
        let mut run = Run::new(self.kernels, lengths, scratch, probe)?;
        if let Some(stage) = stages.get_mut(slot) {
            run.unfold(network, self.history.inputs(slot), stage);
        }
        self.saturated += run.saturated();
        Ok(())
    }

    /// The answer for the five frames that are there.
    fn answer(&mut self, probe: &mut dyn Probe) -> Result<Answer<'_>> {
        let mut answer = match self.config.readout {
            Readout::Grid => {
                self.unmix(probe)?;
                Answer::EMPTY
            }
            Readout::Fit => self.fit(&[])?,
            Readout::Head => {
                let mut answer = Answer::EMPTY;
                for claim in &self.claims(probe)? {
                    // Both lists have the same capacity.
                    let _ = answer.targets.push(claim.target());
                }
                answer
            }
            Readout::HeadFit => self.fit_claims(false, probe)?,
            Readout::HeadPrior => self.fit_claims(true, probe)?,
        };
        answer.saturated = core::mem::take(&mut self.saturated);
        if self.config.readout == Readout::Grid {
            answer.map = self.map();
        }
        Ok(answer)
    }

    /// The map of the last answer, until the next frame.
    pub(crate) fn map(&mut self) -> Option<Map<'_>> {
        let step = self.model.map.as_ref()?.header.step;
        let [oldest, ..] = self.history.order();
        let (_, stages) = self.memory.run()?;
        let values = stages.get(oldest)?;
        Some(Map { values, step })
    }

    /// Puts the map in the place of the oldest frame's stage output, which the next frame's takes.
    fn unmix(&mut self, probe: &mut dyn Probe) -> Result<()> {
        let Some(network) = map_network::<M>(&self.model) else {
            return Ok(());
        };
        let order = self.history.order();
        let Some((scratch, stages)) = self.memory.run() else {
            return Ok(());
        };
        let lengths = Lengths::map(network.header.channels.into());
        let mut run = Run::new(self.kernels, lengths, scratch, probe)?;
        let missing = [0; MAP_LEN];
        let window = order.map(|slot| stages.get(slot).unwrap_or(&missing));
        run.align(network, window);
        if let Some(oldest) = stages.get_mut(order[0]) {
            run.tail(network, oldest);
        }
        self.saturated += run.saturated();
        Ok(())
    }

    /// What the head claims.
    fn claims(&mut self, probe: &mut dyn Probe) -> Result<Vec<Claim, MAX_TARGETS>> {
        let Some(head) = &self.model.head else {
            return Ok(Vec::new());
        };
        let order = self.history.order();
        let Some((scratch, _)) = self.memory.run() else {
            return Ok(Vec::new());
        };
        let lengths = Lengths::head(head.header.channels.into());
        let mut run = Run::new(self.kernels, lengths, scratch, probe)?;
        let window: [&Frame; WINDOW] = order.map(|slot| self.history.inputs(slot));
        let answer = run.answer(head, window);
        let claims = read_steps(answer, &head.header.steps, head.header.unit);
        self.saturated += run.saturated();
        Ok(claims)
    }

    /// The fit started from the head's claims.
    fn fit_claims<'b>(
        &mut self,
        with_precision: bool,
        probe: &mut dyn Probe,
    ) -> Result<Answer<'b>> {
        let claims = self.claims(probe)?;
        let mut proposals: Vec<Proposal, MAX_SOURCES> = Vec::new();
        for claim in &claims {
            if let Some(proposal) = claim.proposal(with_precision) {
                // Both lists have the same capacity.
                let _ = proposals.push(proposal);
            }
        }
        self.fit(&proposals)
    }

    fn fit<'b>(&mut self, proposals: &[Proposal]) -> Result<Answer<'b>> {
        let (counts, excluded) = self.history.window(self.config.pedestal);
        let some = self.history.has_dead().then_some(excluded.as_slice());
        let workspace = self.memory.fit().ok_or(Error::NoFrames)?;
        let located = self.locator.locate(workspace, &counts, some, proposals)?;
        Ok(Answer {
            targets: located.targets,
            reduced_chi2: Some(located.reduced_chi2),
            evaluations: located.evaluations,
            complete: located.complete,
            ..Answer::EMPTY
        })
    }
}

/// The network with the map, in memory that has room for it: programs without such memory have none of
/// its code either.
fn map_network<'a, 'm, M: Memory>(model: &'a Model<'m>) -> Option<&'a MapNetwork<'m>> {
    if M::MAP_CHANNELS == 0 {
        return None;
    }
    model.map.as_ref()
}

/// Bytes that a stream needs in all.
pub const fn ram_bytes<M: Memory>() -> usize {
    size_of::<M>() + size_of::<Stream<'_, M>>()
}

// The budgets of both presets, and of the offset head with the fit.
const _: () = assert!(ram_bytes::<MapMemory<32>>() <= 640 * 1024);
const _: () = assert!(ram_bytes::<MapMemory<16>>() <= 128 * 1024);
const _: () = assert!(ram_bytes::<HeadMemory<32>>() <= 64 * 1024);

/// Refuses a model without the part that the readout needs, or too large for the memory.
fn check_parts<M: Memory>(model: &Model, readout: Readout) -> core::result::Result<(), LoadError> {
    let sizes = |what, expected, got| LoadError::Sizes {
        what,
        expected,
        got,
    };
    if readout == Readout::Grid {
        let map = model.map.as_ref();
        let map = map.ok_or(LoadError::Missing {
            part: "map network",
        })?;
        let channels = usize::from(map.header.channels);
        if channels != M::MAP_CHANNELS {
            return Err(sizes("map channels", M::MAP_CHANNELS, channels));
        }
    }
    if readout.needs_head() {
        let head = model.head.as_ref();
        let head = head.ok_or(LoadError::Missing {
            part: "offset head",
        })?;
        let channels = usize::from(head.header.channels);
        if channels > M::HEAD_CHANNELS {
            return Err(sizes("head channels at most", M::HEAD_CHANNELS, channels));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
