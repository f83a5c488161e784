//! Functions of values, without tensors.

use super::{Map, Net, scored_frames};
use crate::autograd::Var;
use crate::ops::{
    AbsoluteError, Add, Concat, DataStep, Function, Gather, GroupScale, Interpolation, Mul,
    PixelShuffle, Pointwise, Pool, Prelu, Resize, Rule, Shrink, SoftThreshold, SquaredError, Sub,
    Take,
};
use crate::tensor::Shape;

impl Net<'_> {
    /// `a + b`.
    pub fn add(&mut self, a: Map, b: Map) -> Map {
        let len = a.shape.len();
        let var = self.apply(Add { len }, &[a.var, b.var]);
        Map { var, ..a }
    }

    /// `a - b`.
    pub fn sub(&mut self, a: Map, b: Map) -> Map {
        let len = a.shape.len();
        let var = self.apply(Sub { len }, &[a.var, b.var]);
        Map { var, ..a }
    }

    /// `a · b`, element by element.
    pub fn mul(&mut self, a: Map, b: Map) -> Map {
        let len = a.shape.len();
        let var = self.apply(Mul { len }, &[a.var, b.var]);
        Map { var, ..a }
    }

    /// A function of every value.
    pub fn map(&mut self, x: Map, function: Function) -> Map {
        let len = x.shape.len();
        let var = self.apply(Pointwise { len, function }, &[x.var]);
        Map { var, ..x }
    }

    /// `factor · x`.
    pub fn scale(&mut self, x: Map, factor: f32) -> Map {
        self.map(x, Function::Scale(factor))
    }

    /// `s · x` for one value `s` on the tape.
    pub fn times_scalar(&mut self, x: Map, s: Var) -> Map {
        let channels = x.shape.len();
        let op = GroupScale {
            pixels: 1,
            channels,
            groups: 1,
        };
        let var = self.apply(op, &[x.var, s]);
        Map { var, ..x }
    }

    /// Every row of `x` times its value in `s (n)`.
    pub fn times_rows(&mut self, x: Map, s: Map) -> Map {
        let op = GroupScale {
            pixels: x.shape.n,
            channels: x.shape.item(),
            groups: 1,
        };
        let var = self.apply(op, &[x.var, s.var]);
        Map { var, ..x }
    }

    /// Leaky rectifier with a constant slope.
    pub fn leaky(&mut self, x: Map, slope: f32) -> Map {
        let slope = self.scalar(slope);
        let len = x.shape.len();
        let var = self.apply(Prelu { len }, &[x.var, slope.var]);
        Map { var, ..x }
    }

    /// Rectifier.
    pub fn relu(&mut self, x: Map) -> Map {
        self.leaky(x, 0.0)
    }

    /// Channels of all `parts`, one after the other.
    pub fn concat(&mut self, parts: &[Map]) -> Map {
        let shape = parts[0].shape;
        let channels: Vec<usize> = parts.iter().map(|p| p.shape.c).collect();
        let c = channels.iter().sum();
        let op = Concat {
            pixels: shape.n * shape.pixels(),
            channels,
        };
        let inputs: Vec<Var> = parts.iter().map(|p| p.var).collect();
        Map {
            var: self.apply(op, &inputs),
            shape: shape.with_channels(c),
        }
    }

    /// Maps `index` of the batch.
    pub fn select(&mut self, x: Map, index: Vec<usize>) -> Map {
        let shape = Shape {
            n: index.len(),
            ..x.shape
        };
        let op = Gather {
            index,
            sources: x.shape.n,
            item: x.shape.item(),
        };
        let var = self.apply(op, &[x.var]);
        Map { var, shape }
    }

    /// Value number `index` of `x`.
    pub fn pick_value(&mut self, x: Map, index: usize) -> Var {
        let op = Gather {
            index: vec![index],
            sources: x.shape.len(),
            item: 1,
        };
        self.apply(op, &[x.var])
    }

    /// A map of `shape` that has value `index` of `x` everywhere.
    pub fn spread(&mut self, x: Map, index: usize, shape: Shape) -> Map {
        let op = Gather {
            index: vec![index; shape.len()],
            sources: x.shape.len(),
            item: 1,
        };
        let var = self.apply(op, &[x.var]);
        Map { var, shape }
    }

    /// Channels as sub-pixels.
    pub fn shuffle(&mut self, x: Map, factor: usize) -> Map {
        let op = PixelShuffle {
            input: x.shape,
            factor,
        };
        Map {
            var: self.apply(op, &[x.var]),
            shape: op.output(),
        }
    }

    /// Maps of other sides.
    pub fn resize(&mut self, x: Map, side: usize, interpolation: Interpolation) -> Map {
        let op = Resize {
            input: x.shape,
            h: side,
            w: side,
            interpolation,
        };
        Map {
            var: self.apply(op, &[x.var]),
            shape: op.output(),
        }
    }

    /// One value per window of `window` rows and columns, and channel.
    pub fn pool(&mut self, x: Map, window: [usize; 2], take: Take) -> Map {
        let op = Pool {
            input: x.shape,
            window,
            take,
        };
        Map {
            var: self.apply(op, &[x.var]),
            shape: op.output(),
        }
    }

    /// `x - ρ · (G x G - B)` with `G (side, side)` and `B` like `x`; see [`DataStep`].
    pub fn data_step(&mut self, x: Map, back: Map, rho: Var, gram: &[f32]) -> Map {
        let gram = self.recorder.constant(gram);
        let op = DataStep {
            n: x.shape.n,
            side: x.shape.h,
        };
        let var = self.apply(op, &[x.var, back.var, rho, gram]);
        Map { var, ..x }
    }

    /// `x - ρ · (ΦᵀΦ x - B)`.
    pub fn gradient_step(&mut self, x: Map, back: Map, rho: Var) -> Map {
        let sensor = self.input.sensor;
        self.data_step(x, back, rho, &sensor.operators.gram)
    }

    /// Mean of the squares of `x`, or of `x - target`.
    pub fn mean_square(&mut self, x: Map, target: Option<Map>) -> Var {
        let len = x.shape.len();
        let inputs: Vec<Var> = [x].into_iter().chain(target).map(|m| m.var).collect();
        let scale = 1.0 / len as f32;
        self.apply(SquaredError { len, scale }, &inputs)
    }

    /// Mean of the magnitudes of `x`.
    pub fn mean_magnitude(&mut self, x: Map) -> Var {
        let zeros = self.constant(x.shape, &vec![0.0; x.shape.len()]);
        let len = x.shape.len();
        let scale = 1.0 / len as f32;
        self.apply(AbsoluteError { len, scale }, &[x.var, zeros.var])
    }

    /// Soft threshold of all values by one.
    pub fn soft(&mut self, x: Map, theta: Var) -> Map {
        let len = x.shape.len();
        let var = self.apply(SoftThreshold { len }, &[x.var, theta]);
        Map { var, ..x }
    }

    /// Threshold of every row of `x` by a row of thresholds `(1, len)` or one per row.
    pub fn shrink(&mut self, x: Map, theta: Map, rule: Rule) -> Map {
        let (rows, len) = (x.shape.n, x.shape.item());
        let theta = if theta.shape.n == rows {
            theta
        } else {
            self.select(theta, vec![0; rows])
        };
        let var = self.apply(Shrink { rows, len, rule }, &[x.var, theta.var]);
        Map { var, ..x }
    }

    /// The frames of each trajectory that are scored, all but two at either end.
    pub fn scored(&mut self, x: Map) -> Map {
        let index = scored_frames(x.shape.n, self.input.length);
        self.select(x, index)
    }
}
