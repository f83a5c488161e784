//! What a forward pass leaves on the tape.

use crate::autograd::Var;

/// Values of one forward pass; maps are in units of the network's intensity scale.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// Counts that equal 1 in the maps.
    pub unit: f32,
    /// `Q_init L (frames, 1089)`.
    pub start: Option<Var>,
    /// Output of each stage, `(frames, 1089)`.
    pub stages: Vec<Var>,
    /// Symmetric residual of each stage, `(frames, 1089)`; empty unless asked for.
    pub symmetric: Vec<Var>,
    /// Gates of the position code, `(times, 1089)`.
    pub gate: Option<Var>,
    /// Position-coded maps of the window centres' set, `(instances, 1089)`.
    pub coded: Option<Var>,
    /// Which instance of `coded` is the centre of each window.
    pub centres: Vec<usize>,
    /// Which frame is the centre of each window.
    pub centre_frames: Vec<usize>,
    /// Features of `coded`, and of the neighbours' set, `(instances, 33, 33, c)`.
    pub features: Vec<Var>,
    /// Aggregate, offsets, first and second alignment of every pair.
    pub pair: Vec<(&'static str, Var)>,
    /// Aligned maps, `(windows × 4, 1089)`, neighbours in time order.
    pub aligned: Option<Var>,
    /// The tail's five input maps, `(windows, 33, 33, 5)`.
    pub stack: Option<Var>,
    /// Tail after its first convolution and after its residual blocks.
    pub tail: Vec<(&'static str, Var)>,
    /// The answer, `(windows, 1089)`.
    pub output: Option<Var>,
}
