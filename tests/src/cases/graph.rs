//! Graphs of operators, recorded once for [`PerItem`] and for the oracles.

use derefnet::ops::{Activation, Conv2d, Id, Op, PerItem};

use super::Draw;
use crate::oracle::{self, arithmetic::Arithmetic};
use crate::tolerance::KINK_CLEARANCE;

/// What an input of a [`Graph`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Every item's own.
    Own,
    /// Every item's own `B` of the data step, a constant.
    Back,
    /// Kernel or bias that weighs so many inputs.
    Weight(usize),
    /// `ρ` or `θ`.
    Scalar,
    /// `G` of the data step, a constant.
    Gram,
}

impl Role {
    /// Whether every item has its own.
    pub(super) fn is_own(self) -> bool {
        matches!(self, Self::Own | Self::Back)
    }

    /// Values. Weights are never zero: a window of zero weights would put a ReLU on its kink in
    /// every item.
    pub(super) fn draw(self, len: usize, mut draw: Draw) -> Vec<f32> {
        match self {
            Self::Own | Self::Back => draw.normal(len, 1.0),
            Self::Weight(fan_in) => {
                let deviation = (2.0 / fan_in as f64).sqrt();
                let values = draw.normal(len, deviation).into_iter();
                values
                    .map(|v| if v == 0.0 { deviation as f32 } else { v })
                    .collect()
            }
            Self::Scalar => vec![0.1 * (2 + draw.pick(3)) as f32],
            Self::Gram => {
                let side = len.isqrt();
                let values = draw.normal(len, 0.7 / (side as f64).sqrt());
                let upper = |k: usize| values[k.max(k % side * side + k / side)];
                (0..len).map(upper).collect()
            }
        }
    }
}

/// Operators on the values of one item; inputs and steps are numbered through in this order.
///
/// Recorded once and read twice: by [`PerItem`], and by the operators' own oracles, in order and
/// then backwards, adding up gradients.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) inputs: Vec<(Role, usize)>,
    pub(super) steps: Vec<(Op, Vec<usize>)>,
    pub(super) outputs: Vec<usize>,
}

impl Graph {
    pub(super) fn input(&mut self, role: Role, len: usize) -> usize {
        self.inputs.push((role, len));
        self.inputs.len() - 1
    }

    pub(super) fn kernel(&mut self, op: &Conv2d) -> usize {
        let fan_in = op.weights() / op.out_channels;
        self.input(Role::Weight(fan_in), op.weights())
    }

    /// `H`, `B`, `ρ` and `G` of a data step.
    pub(super) fn data_inputs(&mut self, cells: usize) -> [usize; 4] {
        let roles = [
            (Role::Own, cells),
            (Role::Back, cells),
            (Role::Scalar, 1),
            (Role::Gram, cells),
        ];
        roles.map(|(role, len)| self.input(role, len))
    }

    pub(super) fn apply(&mut self, op: impl Into<Op>, inputs: &[usize]) -> usize {
        self.steps.push((op.into(), inputs.to_vec()));
        self.inputs.len() + self.steps.len() - 1
    }

    pub(super) fn per_item(&self, n: usize) -> PerItem {
        let mut graph = PerItem::new("graph", n);
        let mut ids: Vec<Id> = Vec::new();
        for &(role, len) in &self.inputs {
            ids.push(if role.is_own() {
                graph.item(len)
            } else {
                graph.shared(len)
            });
        }
        for (op, inputs) in &self.steps {
            let inputs: Vec<Id> = inputs.iter().map(|&k| ids[k]).collect();
            ids.push(graph.apply(op.clone(), &inputs));
        }
        self.outputs.iter().for_each(|&k| graph.output(ids[k]));
        graph
    }

    /// Values of all inputs and steps of one item.
    pub(super) fn values(&self, inputs: &[Vec<f64>], item: usize) -> Vec<Vec<f64>> {
        let mut values = inputs.to_vec();
        for (values, (role, len)) in values.iter_mut().zip(&self.inputs) {
            if role.is_own() {
                *values = values[item * len..(item + 1) * len].to_vec();
            }
        }
        for (op, inputs) in &self.steps {
            values.push(forward(op, &read(&values, inputs)));
        }
        values
    }

    /// Gradients by all inputs and steps of one item; zeros where none arrives.
    pub(super) fn gradients(&self, values: &[Vec<f64>], outputs: &[&[f64]]) -> Vec<Vec<f64>> {
        let mut gradients: Vec<Vec<f64>> = values.iter().map(|v| vec![0.0; v.len()]).collect();
        for (&k, gradient) in self.outputs.iter().zip(outputs) {
            add(&mut gradients[k], gradient);
        }
        for (k, (op, inputs)) in self.steps.iter().enumerate().rev() {
            let dy = &gradients[self.inputs.len() + k];
            let own = backward(op, &read(values, inputs), dy);
            for (&input, gradient) in inputs.iter().zip(&own) {
                add(&mut gradients[input], gradient);
            }
        }
        gradients
    }

    /// Squared terms of the gradient by a scalar, given the gradients by all values. A data step and
    /// a threshold above its kink are linear in theirs: the slope is `(y - x) / scalar`.
    pub(super) fn scalar_squares(
        &self,
        scalar: usize,
        values: &[Vec<f64>],
        gradients: &[Vec<f64>],
    ) -> f64 {
        let readers = self
            .steps
            .iter()
            .zip(self.inputs.len()..)
            .filter(|((_, inputs), _)| inputs.contains(&scalar));
        let squares = readers.map(|((_, inputs), at)| {
            let (x, y, dy) = (&values[inputs[0]], &values[at], &gradients[at]);
            let slope = |k: usize| (y[k] - x[k]) / values[scalar][0];
            (0..dy.len())
                .map(|k| (dy[k] * slope(k)).powi(2))
                .sum::<f64>()
        });
        squares.sum()
    }

    /// Whether no ReLU and no threshold of the item is so close to its kink that rounding could
    /// decide on which side it lies.
    pub(super) fn is_clear(&self, values: &[Vec<f64>]) -> bool {
        self.steps.iter().all(|(op, inputs)| {
            let inputs = read(values, inputs);
            let (from, kink) = match op {
                Op::Conv2d(op) if op.activation == Activation::Relu => {
                    (oracle::conv2d::sums(op, &inputs), 0.0)
                }
                Op::SoftThreshold(_) => (inputs[0].clone(), inputs[1][0]),
                _ => return true,
            };
            let clearance = KINK_CLEARANCE * largest(&from);
            from.iter().all(|v| (v.abs() - kink).abs() > clearance)
        })
    }
}

pub(super) fn read(values: &[Vec<f64>], places: &[usize]) -> Vec<Vec<f64>> {
    places.iter().map(|&k| values[k].clone()).collect()
}

pub(super) fn add(sum: &mut [f64], values: &[f64]) {
    sum.iter_mut().zip(values).for_each(|(s, v)| *s += v);
}

pub(super) fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, v| v.abs().max(most))
}

/// The oracle of an operator inside a graph.
pub(super) fn forward(op: &Op, inputs: &[Vec<f64>]) -> Vec<f64> {
    match op {
        Op::Add(_) => oracle::arithmetic::forward(Arithmetic::Add, inputs),
        Op::Conv2d(op) => oracle::conv2d::forward(op, inputs),
        Op::DataStep(op) => oracle::data_step::forward(op, inputs),
        Op::SoftThreshold(_) => oracle::soft_threshold::forward(inputs),
        Op::Sub(_) => oracle::arithmetic::forward(Arithmetic::Sub, inputs),
        op => unreachable!("{op:?} in a graph"),
    }
}

/// Its gradients.
pub(super) fn backward(op: &Op, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    match op {
        Op::Add(_) => oracle::arithmetic::backward(Arithmetic::Add, inputs, dy),
        Op::Conv2d(op) => oracle::conv2d::backward(op, inputs, dy),
        Op::DataStep(op) => oracle::data_step::backward(op, inputs, dy),
        Op::SoftThreshold(_) => oracle::soft_threshold::backward(inputs, dy),
        Op::Sub(_) => oracle::arithmetic::backward(Arithmetic::Sub, inputs, dy),
        op => unreachable!("{op:?} in a graph"),
    }
}
