//! A network over trajectories: maps, grid readout, metric.

use derefnet_core::metric::{Detection, GRID_THRESHOLD, MapShape, grid_detections};
use derefnet_core::physics::{FRAME_LEN, MAP_LEN, RATIO, WINDOW};

use super::metric::FrameResult;
use crate::autograd::{Tape, Var};
use crate::backend::Backend;
use crate::model::{DeRefNet, Frames, Graph, TimeConvention, Trained};
use crate::scene::{Target, Trajectory};
use crate::{Error, Result};

/// Frames handled at once: a trajectory of the training data.
const PIECE: usize = 20;

/// Standard deviation per axis of a target about the centre of its cell, were it anywhere in the
/// cell with equal probability, pixels: the uncertainty of the grid readout.
pub fn grid_sigma() -> f64 {
    1.0 / (RATIO as f64 * 12f64.sqrt())
}

/// A network with its parameters on a backend.
pub struct Inference<'a, B: Backend> {
    network: &'a DeRefNet,
    backend: &'a B,
    values: Vec<B::Buffer>,
    /// Gates of the position code `(5, 1089)` if it counts within the window, where they are the
    /// same for all frames.
    gates: Option<B::Buffer>,
}

impl<'a, B: Backend> Inference<'a, B> {
    /// Uploads the parameters of `network`.
    pub fn new(network: &'a DeRefNet, backend: &'a B) -> Self {
        let tensors = network.parameters.tensors.iter();
        let values: Vec<B::Buffer> = tensors.map(|t| backend.upload(&t.values)).collect();
        let windowed = network.config.time == TimeConvention::Window;
        let gates = windowed.then(|| {
            let mut tape = Tape::new(backend);
            let leaves = network.leaves(&mut tape, &values, Trained::Nothing);
            let gates = network.gates(&mut tape, &leaves, WINDOW);
            backend.upload(&tape.download(gates))
        });
        Self {
            network,
            backend,
            values,
            gates,
        }
    }

    /// Maps of all windows of `frames`, counts, `(windows, 1089)`.
    pub fn maps(&self, frames: &Frames) -> Vec<f32> {
        self.backend.pass(|| self.maps_of(frames))
    }

    fn maps_of(&self, frames: &Frames) -> Vec<f32> {
        let mut tape = Tape::new(self.backend);
        let leaves = self.leaves(&mut tape);
        let graph = self.record(&mut tape, &leaves, frames);
        self.map(&tape, &graph)
    }

    /// Stages and maps of all windows of `frames`.
    fn record<'t>(&'t self, tape: &mut Tape<'t, B>, leaves: &[Var], frames: &Frames) -> Graph {
        let counts = &frames.counts;
        let mut graph = self.network.unfold(tape, leaves, counts, false);
        self.unmix_on(tape, leaves, &mut graph, frames.length);
        graph
    }

    /// Maps of all windows from what the stages left on `tape`.
    fn unmix_on<'t>(
        &'t self,
        tape: &mut Tape<'t, B>,
        leaves: &[Var],
        graph: &mut Graph,
        length: usize,
    ) {
        graph.gate = self.gates.as_ref().map(|gates| tape.leaf(gates, false));
        self.network.unmix(tape, leaves, graph, length);
    }

    /// The maps in `graph`, counts.
    fn map(&self, tape: &Tape<'_, B>, graph: &Graph) -> Vec<f32> {
        let output = graph.output.map_or_else(Vec::new, |v| tape.download(v));
        let unit = self.network.config.intensity_scale;
        output.iter().map(|v| v * unit).collect()
    }

    fn leaves<'t>(&'t self, tape: &mut Tape<'t, B>) -> Vec<Var> {
        self.network.leaves(tape, &self.values, Trained::Nothing)
    }

    /// Raw answers of the offset head for all windows of `frames`, `(windows, 11, 11, 3, 3, 7)`; see
    /// [`derefnet_core::locate::head`]. `None` if the network has no head.
    pub fn answers(&self, frames: &Frames) -> Option<Vec<f32>> {
        self.backend.pass(|| {
            let mut tape = Tape::new(self.backend);
            let leaves = self.leaves(&mut tape);
            let answer = self.network.answer(&mut tape, &leaves, frames)?;
            Some(tape.download(answer))
        })
    }

    /// The network, for those who build on the two parts below.
    pub(super) fn network(&self) -> &DeRefNet {
        self.network
    }

    /// Outputs of the last stage for `counts (frames, 121)`: `(frames, 1089)`, in units of the
    /// network's intensity scale.
    pub(super) fn unfold(&self, counts: &[f32]) -> Vec<f32> {
        self.backend.pass(|| {
            let mut tape = Tape::new(self.backend);
            let leaves = self.leaves(&mut tape);
            let graph = self.network.unfold(&mut tape, &leaves, counts, false);
            let last = graph.stages.last();
            last.map_or_else(Vec::new, |&v| tape.download(v))
        })
    }

    /// Map of the one window, counts, `(1089)`, whose five stage outputs `(5, 1089)` are `stages`.
    pub(super) fn unmix(&self, stages: &[f32]) -> Vec<f32> {
        self.backend.pass(|| {
            let mut tape = Tape::new(self.backend);
            let leaves = self.leaves(&mut tape);
            let stages = vec![tape.constant(stages)];
            let mut graph = Graph {
                unit: self.network.config.intensity_scale,
                stages,
                ..Graph::default()
            };
            self.unmix_on(&mut tape, &leaves, &mut graph, WINDOW);
            self.map(&tape, &graph)
        })
    }
}

/// A network that answers about windows of frames, in whatever numbers and wherever it computes.
pub trait Network: Sync {
    /// Maps of all windows of `frames`, counts, `(windows, 1089)`.
    ///
    /// # Errors
    /// If the network has no map.
    fn maps(&self, frames: &Frames) -> Result<Vec<f32>>;

    /// Raw answers of the offset head for all windows of `frames`, `(windows, 11, 11, 3, 3, 7)`; see
    /// [`derefnet_core::locate::head`].
    ///
    /// # Errors
    /// If the network has no head.
    fn answers(&self, frames: &Frames) -> Result<Vec<f32>>;

    /// Sequences that should be asked about at once, each from a thread of its own.
    fn in_flight(&self) -> usize {
        1
    }

    /// Whether the network has a map, and not an offset head alone.
    fn has_map(&self) -> bool {
        true
    }

    /// Counts that are 1 in the intensities of the offset head; `None` if the network has none.
    fn head_unit(&self) -> Option<f32>;

    /// Refuses sequences of `length` frames if the network does not know their times.
    ///
    /// # Errors
    /// If the network counts time within the trajectory and the sequence is longer than the 20
    /// frames it was made for.
    fn check_length(&self, length: usize) -> Result<()>;

    /// Maps of all windows of one sequence of any length, `(windows, 1089)`, in pieces that bound
    /// the memory.
    ///
    /// # Errors
    /// As [`Self::maps`] and [`Self::check_length`].
    fn sequence_maps(&self, counts: &[f32]) -> Result<Vec<f32>> {
        self.check_length(counts.len() / FRAME_LEN)?;
        in_pieces(counts, |piece| self.maps(piece))
    }

    /// Raw answers of the offset head for all windows of one sequence of any length, as
    /// [`Self::answers`], in pieces that bound the memory.
    ///
    /// # Errors
    /// As [`Self::answers`] and [`Self::check_length`].
    fn sequence_answers(&self, counts: &[f32]) -> Result<Vec<f32>> {
        self.check_length(counts.len() / FRAME_LEN)?;
        in_pieces(counts, |piece| self.answers(piece))
    }
}

impl<B: Backend> Network for Inference<'_, B> {
    fn maps(&self, frames: &Frames) -> Result<Vec<f32>> {
        Ok(Inference::maps(self, frames))
    }

    fn answers(&self, frames: &Frames) -> Result<Vec<f32>> {
        Inference::answers(self, frames).ok_or_else(no_head)
    }

    fn in_flight(&self) -> usize {
        self.backend.in_flight()
    }

    fn head_unit(&self) -> Option<f32> {
        let config = &self.network.config;
        config.head.as_ref().map(|_| config.intensity_scale)
    }

    fn check_length(&self, length: usize) -> Result<()> {
        if self.network.config.time == TimeConvention::Trajectory && length > PIECE {
            return Err(Error::usage(format!(
                "a sequence has {length} frames, but this model counts time within trajectories of \
                 {PIECE}"
            )));
        }
        Ok(())
    }
}

/// What a network without an offset head answers for it.
pub(crate) fn no_head() -> Error {
    Error::usage("offset head: this model has none")
}

/// What `of_piece` says about all windows of a sequence.
fn in_pieces(counts: &[f32], of_piece: impl Fn(&Frames) -> Result<Vec<f32>>) -> Result<Vec<f32>> {
    let length = counts.len() / FRAME_LEN;
    let mut all = Vec::new();
    let mut first = 0;
    while first + WINDOW <= length {
        let last = (first + PIECE).min(length);
        let piece = counts[first * FRAME_LEN..last * FRAME_LEN].to_vec();
        all.extend(of_piece(&Frames {
            counts: piece,
            length: last - first,
        })?);
        first = last + 1 - WINDOW;
    }
    Ok(all)
}

/// The frames of trajectories of equal length as one batch.
pub fn batch<'t>(trajectories: impl IntoIterator<Item = &'t Trajectory>) -> Frames {
    let (mut counts, mut length) = (Vec::new(), 0);
    for trajectory in trajectories {
        length = trajectory.frames.shape()[0];
        counts.extend(trajectory.frames.iter().map(|&c| c as f32));
    }
    Frames { counts, length }
}

/// Truth of the windows' middle frames.
pub fn centres(trajectory: &Trajectory) -> &[Vec<Target>] {
    let side = WINDOW / 2;
    &trajectory.truth[side..trajectory.truth.len() - side]
}

/// Grid readout of one map: every cell of at least 70 counts.
///
/// # Errors
/// If the map holds a value that is not finite.
pub fn read_grid(map: &[f32]) -> Result<Vec<Detection>> {
    let none = Detection {
        x: 0.0,
        y: 0.0,
        score: 0.0,
    };
    let mut found = vec![none; MAP_LEN];
    let count = grid_detections(map, MapShape::SEQ_CSIST, GRID_THRESHOLD, &mut found)
        .map_err(|e| Error::CheckFailed(format!("network output: {e}")))?;
    found.truncate(count);
    Ok(found)
}

/// Grid detections beside the truth for every evaluated frame of `trajectories`.
///
/// # Errors
/// If the network has no map or one holds a value that is not finite, or `tick`, called after each
/// trajectory, fails.
pub fn grid_results(
    network: &dyn Network,
    trajectories: &[Trajectory],
    mut tick: impl FnMut() -> Result<()>,
) -> Result<Vec<FrameResult>> {
    let mut results = Vec::new();
    for together in trajectories.chunks(network.in_flight()) {
        for (trajectory, maps) in together.iter().zip(maps_at_once(network, together)) {
            for (map, truth) in maps?.chunks_exact(MAP_LEN).zip(centres(trajectory)) {
                results.push(FrameResult {
                    detections: read_grid(map)?,
                    truth: truth.clone(),
                });
            }
            tick()?;
        }
    }
    Ok(results)
}

/// Maps of all windows of each trajectory; several are asked for from threads of their own.
fn maps_at_once(network: &dyn Network, trajectories: &[Trajectory]) -> Vec<Result<Vec<f32>>> {
    let maps = |trajectory: &Trajectory| {
        network.check_length(trajectory.truth.len())?;
        network.maps(&batch([trajectory]))
    };
    if let [one] = trajectories {
        return vec![maps(one)];
    }
    std::thread::scope(|scope| {
        let threads = trajectories.iter().map(|t| scope.spawn(move || maps(t)));
        let threads: Vec<_> = threads.collect();
        let ended = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        ended
            .map(|maps| maps.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}
