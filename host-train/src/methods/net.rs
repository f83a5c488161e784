//! The language in which methods describe their networks.
//!
//! One description serves all ends: recorded on a tape it computes, on a
//! [`Counting`](crate::backend::counting::Counting) backend it declares its tensors and counts its
//! work. Values are maps `(n, h, w, c)`; vectors per frame are maps of one pixel.

mod layers;
mod values;

use std::fmt::Display;

use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, MAP_LEN, MAP_SIDE};

pub use layers::Layer;

use super::sensor::Sensor;
use super::tensors::{Init, Role, Spec};
use crate::autograd::Var;
use crate::ops::Op;
use crate::tensor::Shape;

/// A value on the tape with its shape.
#[derive(Clone, Copy, Debug)]
pub struct Map {
    /// The value.
    pub var: Var,
    /// Its shape.
    pub shape: Shape,
}

/// Takes down what a network does.
pub trait Recorder {
    /// Applies an operator.
    fn apply(&mut self, op: Op, inputs: &[Var]) -> Var;
    /// A constant.
    fn constant(&mut self, values: &[f32]) -> Var;
    /// The frames, where the result is to be a function of them.
    fn frames(&mut self, counts: &[f32]) -> Var {
        self.constant(counts)
    }
    /// A tensor of the method; the same name is the same tensor.
    fn tensor(&mut self, spec: Spec) -> Var;
}

/// A batch of trajectories as a method sees it.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Counts `(frames, 121)`, trajectory after trajectory.
    pub counts: &'a [f32],
    /// Frames per trajectory, at least 5.
    pub length: usize,
    /// The sensor.
    pub sensor: &'a Sensor,
}

/// Which of a method's forms is meant.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Name of a variant.
    pub variant: &'static str,
    /// Share of the published channels and blocks that it has: 1 is the published network, 0 the
    /// smallest, for checks.
    pub width: f32,
    /// With what only training needs: symmetric branches, batch moments.
    pub training: bool,
}

/// A new value of a [`Role::State`] tensor, known after the pass.
#[derive(Clone, Debug)]
pub struct Update {
    /// The tensor.
    pub name: String,
    /// Where its new values are: the first ones of this value.
    pub value: Var,
    /// Share that the new values get; 1 replaces the old ones.
    pub share: f32,
    /// Factor of the second half of the new values.
    pub second_half: f32,
}

/// A network under description.
pub struct Net<'r> {
    recorder: &'r mut dyn Recorder,
    input: Input<'r>,
    form: Form,
    scope: String,
    updates: Vec<Update>,
}
impl<'r> Net<'r> {
    /// Begins the description of a network of `form` on `input`.
    pub fn new(recorder: &'r mut dyn Recorder, input: Input<'r>, form: Form) -> Self {
        Self {
            recorder,
            input,
            form,
            scope: String::new(),
            updates: Vec::new(),
        }
    }

    /// New values of state tensors.
    pub fn into_updates(self) -> Vec<Update> {
        self.updates
    }

    /// Whether training follows.
    pub fn training(&self) -> bool {
        self.form.training
    }

    /// Whether the variant called `name` is meant.
    pub fn is(&self, name: &str) -> bool {
        self.form.variant == name
    }

    /// The share of `full` that the network's width says, at least `small`.
    pub fn pick(&self, full: usize, small: usize) -> usize {
        let share = (full as f32 * self.form.width).round() as usize;
        share.clamp(small, full)
    }

    /// Frames in the batch.
    pub fn frame_count(&self) -> usize {
        self.input.counts.len() / FRAME_LEN
    }

    /// Frames per trajectory.
    pub fn length(&self) -> usize {
        self.input.length
    }

    /// Names what `build` adds below `scope`.
    pub fn within<T>(&mut self, scope: impl Display, build: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.scope.len();
        self.scope.push_str(&format!("{scope}."));
        let built = build(self);
        self.scope.truncate(outer);
        built
    }

    /// Applies an operator.
    pub fn apply(&mut self, op: impl Into<Op>, inputs: &[Var]) -> Var {
        self.recorder.apply(op.into(), inputs)
    }

    fn tensor(&mut self, name: &str, shape: &[usize], init: Init, role: Role) -> Var {
        self.recorder.tensor(Spec {
            name: format!("{}{name}", self.scope),
            shape: shape.to_vec(),
            init,
            role,
        })
    }

    /// A trained tensor.
    pub fn parameter(&mut self, name: &str, shape: &[usize], init: Init) -> Var {
        self.tensor(name, shape, init, Role::Trained)
    }

    /// A tensor of the published network that never runs.
    pub fn unused(&mut self, name: &str, shape: &[usize], init: Init) {
        self.tensor(name, shape, init, Role::Unused);
    }

    /// A constant.
    pub fn constant(&mut self, shape: Shape, values: &[f32]) -> Map {
        debug_assert_eq!(shape.len(), values.len());
        let var = self.recorder.constant(values);
        Map { var, shape }
    }

    fn pixels(&mut self, n: usize, c: usize, values: &[f32]) -> Map {
        let shape = Shape { n, h: 1, w: 1, c };
        self.constant(shape, values)
    }

    /// A constant of one value.
    pub fn scalar(&mut self, value: f32) -> Map {
        self.pixels(1, 1, &[value])
    }

    /// The frames `(n, 11, 11, 1)`, counts.
    pub fn frames(&mut self) -> Map {
        let counts = self.input.counts;
        let shape = Shape {
            n: counts.len() / FRAME_LEN,
            h: FRAME_SIDE,
            w: FRAME_SIDE,
            c: 1,
        };
        let var = self.recorder.frames(counts);
        Map { var, shape }
    }

    /// `Q_init y (n, 33, 33, 1)`.
    pub fn start(&mut self) -> Map {
        let frames = self.frames();
        let map = self.times(frames, &self.input.sensor.operators.qinit, MAP_LEN);
        self.as_map(map)
    }

    /// `Φᵀ y (n, 33, 33, 1)`.
    pub fn back_projection(&mut self) -> Map {
        let (frames, matrix) = (self.frames(), self.input.sensor.transposed_phi());
        let map = self.times(frames, &matrix, MAP_LEN);
        self.as_map(map)
    }

    /// `Φ x (n, 1, 1, 121)`.
    pub fn seen(&mut self, x: Map) -> Map {
        self.times(x, &self.input.sensor.phi, FRAME_LEN)
    }

    /// A map per row of 1,089 values.
    pub fn as_map(&self, x: Map) -> Map {
        let (h, w) = (MAP_SIDE, MAP_SIDE);
        let shape = Shape {
            n: x.shape.n,
            h,
            w,
            c: 1,
        };
        Map { shape, ..x }
    }

    /// A row per map.
    pub fn as_rows(&self, x: Map) -> Map {
        let shape = Shape {
            n: x.shape.n,
            h: 1,
            w: 1,
            c: x.shape.item(),
        };
        Map { shape, ..x }
    }

    /// Every row of `x` times a constant `matrix (out, in)`.
    pub fn times(&mut self, x: Map, matrix: &[f32], out: usize) -> Map {
        let matrix = self.recorder.constant(matrix);
        self.product(x, matrix, None, out)
    }

    /// A tensor that training collects; see [`Net::follow`].
    pub fn state(&mut self, name: &str, shape: &[usize], init: Init) -> Var {
        self.tensor(name, shape, init, Role::State)
    }

    /// Lets the state tensor `name` follow `value`; see [`Update`].
    pub fn follow(&mut self, name: &str, value: Var, share: f32, second_half: f32) {
        self.updates.push(Update {
            name: format!("{}{name}", self.scope),
            value,
            share,
            second_half,
        });
    }

    /// Values of a tensor as one row.
    pub fn row(&mut self, name: &str, len: usize, init: Init) -> Map {
        let var = self.parameter(name, &[len], init);
        let (n, h, w) = (1, 1, 1);
        let shape = Shape { n, h, w, c: len };
        Map { var, shape }
    }
}

/// Frames of a batch, all but two at either end of each trajectory.
pub fn scored_frames(frames: usize, length: usize) -> Vec<usize> {
    let inside = |frame: &usize| (2..length - 2).contains(&(frame % length));
    (0..frames).filter(inside).collect()
}
