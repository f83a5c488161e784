//! Tensors of a method: what they are called, their shapes and how they begin.

use super::sensor::Sensor;
use crate::model::Parameter;
use crate::rng::Rng;

/// Random numbers of this module.
const DOMAIN: [u8; 8] = *b"methods ";

/// Initial values. Fans count the kernel's area; of a shape `(a, b, k, k)`, `b·k²` is the fan in and
/// `a·k²` the fan out.
#[derive(Clone, Copy, Debug)]
pub enum Init {
    /// Uniform in `±1/√fan_in`.
    Uniform,
    /// Uniform in `±1/√n` of the given `n`: biases, whose own shape does not tell.
    UniformOf(usize),
    /// Normal of variance `2/(fan_in + fan_out)`.
    Xavier,
    /// The factor times a normal of variance `2/fan_in`.
    Kaiming(f32),
    /// Normal of variance `2/fan_out`.
    KaimingOut,
    /// Uniform in `±√(6/fan_in)`.
    Deformable,
    /// One value everywhere.
    Constant(f32),
    /// Normal, then divided by its norm.
    Direction,
    /// A mean of 0 and, in the second half, a variance of 1.
    Moments,
    /// Computed from the sensor and `Q_init`.
    Sensor(fn(&Sensor) -> Vec<f32>),
}

/// What a tensor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Trained by gradients.
    Trained,
    /// Part of the published network that never runs: counted, not trained.
    Unused,
    /// Collected in training, without gradient: running moments.
    State,
}

/// A tensor before it has values.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Unique name, scopes separated by dots.
    pub name: String,
    /// Shape; convolutions are `(out, in, k, k)`, transposed ones `(in, out, k, k)`.
    pub shape: Vec<usize>,
    /// Initial values.
    pub init: Init,
    /// What it is for.
    pub role: Role,
}

impl Spec {
    /// Values of the tensor.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the tensor has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn draw(&self, sensor: &Sensor, rng: &mut Rng) -> Vec<f32> {
        let area: usize = self.shape.iter().skip(2).product();
        let fan_in = (self.shape.get(1).copied().unwrap_or(1) * area) as f64;
        let fan_out = (self.shape[0] * area) as f64;
        let mut normal = |variance: f64| {
            let draw = |_| (variance.sqrt() * rng.gaussian()) as f32;
            (0..self.len()).map(draw).collect::<Vec<f32>>()
        };
        let bound = match self.init {
            Init::Uniform => 1.0 / fan_in.sqrt(),
            Init::UniformOf(n) => 1.0 / (n as f64).sqrt(),
            Init::Deformable => (6.0 / fan_in).sqrt(),
            Init::Xavier => return normal(2.0 / (fan_in + fan_out)),
            Init::Kaiming(s) => return normal(2.0 * f64::from(s) * f64::from(s) / fan_in),
            Init::KaimingOut => return normal(2.0 / fan_out),
            Init::Constant(value) => return vec![value; self.len()],
            Init::Direction => {
                let mut values = normal(1.0);
                let square = |v: &f32| f64::from(*v) * f64::from(*v);
                let norm = values.iter().map(square).sum::<f64>().sqrt() as f32;
                values.iter_mut().for_each(|v| *v /= norm);
                return values;
            }
            Init::Moments => {
                let half = self.len() / 2;
                return (0..self.len())
                    .map(|i| f32::from(u8::from(i >= half)))
                    .collect();
            }
            Init::Sensor(values) => return values(sensor),
        };
        (0..self.len())
            .map(|_| rng.range(-bound, bound) as f32)
            .collect()
    }
}

/// Draws all tensors; each has its own stream of `seed`.
pub fn initialise(specs: &[Spec], sensor: &Sensor, seed: u64) -> Vec<Parameter> {
    let drawn = specs.iter().enumerate().map(|(stream, spec)| Parameter {
        name: spec.name.clone(),
        shape: spec.shape.clone(),
        values: spec.draw(sensor, &mut Rng::new(seed, DOMAIN, stream as u64)),
    });
    drawn.collect()
}
