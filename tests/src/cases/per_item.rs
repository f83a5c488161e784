//! Problems for graphs that run item by item.

use derefnet::ops::{Activation, Add, Conv2d, DataStep, Op, SoftThreshold, Sub};
use derefnet::tensor::Shape;
use proptest::prelude::*;
use proptest::sample::select;

use super::graph::{Graph, Role, add, largest};
use super::{Case, Draw, Sizes, wide};
use crate::tolerance::GRAPH;

/// Products that the forward oracle of one random problem may cost.
const AFFORDABLE: usize = 50_000;

/// A tensor of fewer values may cancel as a whole.
const FEW: usize = 16;

/// Which graph.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// The network's unfolded stage; two branches share the inverse kernels where `symmetric`.
    Stage {
        /// Whether the second branch and its output are there.
        symmetric: bool,
    },
    /// The network's residual block, `x + conv(relu(conv(x)))`: an item input is read twice.
    Block,
    /// `x + relu(conv(x))`: none but its own gradient reads what the ReLU gives.
    Addend,
    /// Values computed again from values computed again, most of them read twice, and inputs that
    /// lead to no output.
    Chain,
    /// One kernel at four places: twice in equal operators, with another bias, without activation.
    SharedKernel,
}

/// A graph of drawn values.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Which graph.
    pub kind: Kind,
    /// Items.
    pub n: usize,
    /// Side of the maps.
    pub side: usize,
    /// Channels between ends of one channel.
    pub channels: usize,
    /// Of the values.
    pub seed: u64,
}

/// Random problems.
pub fn problems() -> impl Strategy<Value = Problem> {
    let stage = |symmetric| Kind::Stage { symmetric };
    let rest = [Kind::Block, Kind::Addend, Kind::Chain, Kind::SharedKernel];
    let kinds = [stage(false), stage(true)].into_iter().chain(rest);
    let sizes = (
        select(vec![1, 2, 3, 5, 17, 35]),
        select(vec![3, 5, 6]),
        select(vec![2, 5, 16]),
    );
    (select(kinds.collect::<Vec<_>>()), sizes, any::<u64>()).prop_map(|(kind, sizes, seed)| {
        let mut problem = Problem::new(kind, sizes, seed);
        let affordable = AFFORDABLE / (problem.work() / problem.n);
        problem.n = problem.n.min(affordable).max(1);
        problem
    })
}

/// Every graph by tiles (16 channels, sides of whole tiles) and directly; one item, few, and parts
/// of two and three. Each pair names mistakes that it is there for.
pub fn named() -> Vec<(&'static str, Problem)> {
    let [one, both] = [false, true].map(|symmetric| Kind::Stage { symmetric });
    let list = [
        // Values taken from another item or node, kept buffers misread, rests of vectors.
        ("stage, tiles", one, (3, 9, 16)),
        ("stage, one item, direct", one, (1, 11, 18)),
        // Gradients overwritten where a value has two readers, sums of equal operators finished
        // twice, gradients of the two outputs exchanged; with 35 items, a shorter last part.
        ("both branches, tiles", both, (17, 6, 16)),
        ("both branches, planes, uneven parts", both, (35, 11, 16)),
        ("both branches, direct", both, (3, 9, 18)),
        // An input's own gradient buffer taken by both readers, or added to while still dirty.
        ("block, tiles", Kind::Block, (3, 9, 16)),
        ("block, direct, uneven parts", Kind::Block, (35, 6, 18)),
        // A value dropped that its own operator reads.
        ("addend, tiles", Kind::Addend, (3, 9, 16)),
        ("addend, direct", Kind::Addend, (17, 6, 18)),
        // Values computed again out of order or not at all; NaN left where no gradient arrives.
        ("chain, tiles", Kind::Chain, (17, 9, 16)),
        ("chain, one item, direct", Kind::Chain, (1, 11, 18)),
        // Nodes held for equal by kernel or by operator alone, one node's sum standing for all.
        ("shared kernel, tiles", Kind::SharedKernel, (3, 6, 16)),
        ("shared kernel, direct", Kind::SharedKernel, (17, 6, 18)),
    ];
    let numbered = list.into_iter().zip(0..);
    numbered
        .map(|((name, kind, sizes), seed)| (name, Problem::new(kind, sizes, seed)))
        .collect()
}

impl Problem {
    fn new(kind: Kind, (n, side, channels): (usize, usize, usize), seed: u64) -> Self {
        Self {
            kind,
            n,
            side,
            channels,
            seed,
        }
    }

    fn conv(&self, from: usize, to: usize, bias: bool, activation: Activation) -> Conv2d {
        let (n, h, w) = (1, self.side, self.side);
        Conv2d {
            input: Shape { n, h, w, c: from },
            out_channels: to,
            kernel: 3,
            bias,
            activation,
        }
    }

    fn cells(&self) -> usize {
        self.side * self.side
    }

    fn stage(&self, symmetric: bool) -> Graph {
        let (mut graph, c, len) = (Graph::default(), self.channels, self.cells());
        let layers = [
            self.conv(1, c, false, Activation::Relu),
            self.conv(c, c, false, Activation::None),
            self.conv(c, c, false, Activation::Relu),
            self.conv(c, 1, false, Activation::None),
        ];
        let data = graph.data_inputs(len);
        let [f1, f2, g1, g2] = [0, 1, 2, 3].map(|k| graph.kernel(&layers[k]));
        let theta = graph.input(Role::Scalar, 1);
        let r = graph.apply(
            DataStep {
                n: 1,
                side: self.side,
            },
            &data,
        );
        let f = graph.apply(layers[0], &[r, f1]);
        let f = graph.apply(layers[1], &[f, f2]);
        let s = graph.apply(SoftThreshold { len: c * len }, &[f, theta]);
        let g = graph.apply(layers[2], &[s, g1]);
        graph.outputs = vec![graph.apply(layers[3], &[g, g2])];
        if symmetric {
            let g = graph.apply(layers[2], &[f, g1]);
            let back = graph.apply(layers[3], &[g, g2]);
            let residual = graph.apply(Sub { len }, &[back, r]);
            graph.outputs.push(residual);
        }
        graph
    }

    fn block(&self) -> Graph {
        let (mut graph, c, len) = (
            Graph::default(),
            self.channels,
            self.channels * self.cells(),
        );
        let first = self.conv(c, c, true, Activation::Relu);
        let second = self.conv(c, c, true, Activation::None);
        let x = graph.input(Role::Own, len);
        let [w1, w2] = [first, second].map(|op| graph.kernel(&op));
        let [b1, b2] = [0, 1].map(|_| graph.input(Role::Weight(9), c));
        let y = graph.apply(first, &[x, w1, b1]);
        let y = graph.apply(second, &[y, w2, b2]);
        graph.outputs = vec![graph.apply(Add { len }, &[x, y])];
        graph
    }

    fn addend(&self) -> Graph {
        let (mut graph, c, len) = (
            Graph::default(),
            self.channels,
            self.channels * self.cells(),
        );
        let layer = self.conv(c, c, false, Activation::Relu);
        let x = graph.input(Role::Own, len);
        let kernel = graph.kernel(&layer);
        let y = graph.apply(layer, &[x, kernel]);
        graph.outputs = vec![graph.apply(Add { len }, &[x, y])];
        graph
    }

    fn chain(&self) -> Graph {
        let (mut graph, c, len) = (Graph::default(), self.channels, self.cells());
        let wide = self.conv(1, c, false, Activation::Relu);
        let inner = self.conv(c, c, false, Activation::Relu);
        let narrow = self.conv(c, 1, false, Activation::None);
        // Nobody reads the first input, and nobody reads what is made of the last.
        graph.input(Role::Own, len);
        let data = graph.data_inputs(len);
        let [w1, w2, w3, w4] = [wide, inner, narrow, wide].map(|op| graph.kernel(&op));
        let theta = graph.input(Role::Scalar, 1);
        let lost = graph.input(Role::Own, len);
        let r = graph.apply(
            DataStep {
                n: 1,
                side: self.side,
            },
            &data,
        );
        let t = graph.apply(SoftThreshold { len }, &[r, theta]);
        let d = graph.apply(Sub { len }, &[t, r]);
        let f = graph.apply(wide, &[d, w1]);
        graph.apply(wide, &[lost, w4]);
        let f = graph.apply(inner, &[f, w2]);
        let y = graph.apply(narrow, &[f, w3]);
        graph.outputs = vec![graph.apply(Add { len }, &[y, t])];
        graph
    }

    fn shared_kernel(&self) -> Graph {
        let (mut graph, c, len) = (Graph::default(), self.channels, self.cells());
        let wide = self.conv(1, c, false, Activation::Relu);
        let inner = self.conv(c, c, true, Activation::Relu);
        let bare = self.conv(c, c, true, Activation::None);
        let narrow = self.conv(c, 1, false, Activation::None);
        let x = graph.input(Role::Own, len);
        let [first, shared, last] = [wide, inner, narrow].map(|op| graph.kernel(&op));
        let [b1, b2] = [0, 1].map(|_| graph.input(Role::Weight(9), c));
        let mut y = graph.apply(wide, &[x, first]);
        for (op, bias) in [(inner, b1), (inner, b1), (inner, b2), (bare, b1)] {
            y = graph.apply(op, &[y, shared, bias]);
        }
        let y = graph.apply(narrow, &[y, last]);
        graph.outputs = vec![graph.apply(Sub { len }, &[y, x])];
        graph
    }

    fn graph(&self) -> Graph {
        match self.kind {
            Kind::Stage { symmetric } => self.stage(symmetric),
            Kind::Block => self.block(),
            Kind::Addend => self.addend(),
            Kind::Chain => self.chain(),
            Kind::SharedKernel => self.shared_kernel(),
        }
    }

    /// Gradients by each output of one item.
    fn of_item<'a>(&self, graph: &Graph, dy: &'a [f64], item: usize) -> Vec<&'a [f64]> {
        let outputs = graph.outputs.len();
        let items: Vec<&[f64]> = dy.chunks(dy.len() / (outputs * self.n)).collect();
        (0..outputs).map(|k| items[k * self.n + item]).collect()
    }

    /// Products of the oracle's forward pass.
    pub fn work(&self) -> usize {
        let products = |op: &Op| match op {
            Op::Conv2d(op) => self.cells() * op.input.c * op.out_channels * 9,
            Op::DataStep(_) => 2 * self.side.pow(3),
            _ => 0,
        };
        let steps = self.graph().steps;
        self.n * steps.iter().map(|(op, _)| products(op)).sum::<usize>()
    }
}

impl Case for Problem {
    fn op(&self) -> Op {
        self.graph().per_item(self.n).into()
    }

    /// Draws every item anew until it is clear of kinks: most of them are at once, as the items of
    /// a graph do not meet.
    fn inputs(&self) -> Vec<Vec<f32>> {
        let graph = self.graph();
        let draw = |own: bool, time: u64| -> Vec<Vec<f32>> {
            let places = graph.inputs.iter().enumerate();
            places
                .map(|(k, (role, len))| match role.is_own() == own {
                    true => role.draw(*len, Draw::new(self.seed, time << 8 | k as u64)),
                    false => Vec::new(),
                })
                .collect()
        };
        let mut inputs = draw(false, 0);
        let shared: Vec<Vec<f64>> = inputs.iter().map(|i| wide(i)).collect();
        let mut times = 0..;
        for _ in 0..self.n {
            let clear = |time| {
                let own = draw(true, time);
                let pairs = shared.iter().zip(&own);
                let item: Vec<Vec<f64>> =
                    pairs.map(|(s, o)| [s.clone(), wide(o)].concat()).collect();
                graph.is_clear(&graph.values(&item, 0)).then_some(own)
            };
            for (input, own) in inputs
                .iter_mut()
                .zip(times.find_map(clear).into_iter().flatten())
            {
                input.extend(own);
            }
        }
        inputs
    }

    fn output_gradient(&self, len: usize) -> Vec<f32> {
        Draw::new(self.seed, u64::MAX).normal(len, 1.0)
    }

    fn trained(&self) -> Vec<bool> {
        let inputs = self.graph().inputs.into_iter();
        inputs
            .map(|(role, _)| !matches!(role, Role::Back | Role::Gram))
            .collect()
    }

    fn forward(&self, inputs: &[Vec<f64>]) -> Vec<f64> {
        let graph = self.graph();
        let mut outputs = vec![Vec::new(); graph.outputs.len()];
        for item in 0..self.n {
            let values = graph.values(inputs, item);
            for (output, &k) in outputs.iter_mut().zip(&graph.outputs) {
                output.extend(&values[k]);
            }
        }
        outputs.concat()
    }

    fn backward(&self, inputs: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
        let graph = self.graph();
        let mut sums: Vec<Vec<f64>> = vec![Vec::new(); inputs.len()];
        for item in 0..self.n {
            let values = graph.values(inputs, item);
            let gradients = graph.gradients(&values, &self.of_item(&graph, dy, item));
            for ((sum, own), (role, len)) in sums.iter_mut().zip(gradients).zip(&graph.inputs) {
                if role.is_own() {
                    sum.extend(own);
                } else {
                    sum.resize(*len, 0.0);
                    add(sum, &own);
                }
            }
        }
        sums
    }

    /// Of a tensor its largest value: without signs, values would grow from operator to operator
    /// as they never do. A scalar has no largest; its gradient is a sum of terms of either sign, as
    /// large as the root of their squares. A bias of few values may cancel as a whole: its gradient
    /// sums up terms that those of kernels weigh, and counts as no smaller than a tenth of theirs.
    fn sizes(&self, _: &[Vec<f64>], dy: &[f64]) -> Sizes {
        let graph = self.graph();
        let inputs: Vec<Vec<f64>> = self.inputs().iter().map(|i| wide(i)).collect();
        let dy = wide(&self.output_gradient(dy.len()));
        let level = |values: &[f64]| vec![largest(values); values.len()];
        let output = self.forward(&inputs);
        let tensors = output.chunks(output.len() / graph.outputs.len());
        let exact = self.backward(&inputs, &dy);
        let most = exact.iter().map(|g| largest(g)).fold(0.0, f64::max);
        let few = |g: &Vec<f64>| g.len() < FEW;
        let least = |g: &Vec<f64>| if few(g) { 0.1 * most } else { 0.0 };
        let mut gradients: Vec<Vec<f64>> = exact
            .iter()
            .map(|g| vec![largest(g).max(least(g)); g.len()])
            .collect();
        let scalars = graph
            .inputs
            .iter()
            .enumerate()
            .filter(|(_, (role, _))| *role == Role::Scalar);
        for (k, _) in scalars {
            let squares = (0..self.n).map(|item| {
                let values = graph.values(&inputs, item);
                let own = graph.gradients(&values, &self.of_item(&graph, &dy, item));
                graph.scalar_squares(k, &values, &own)
            });
            gradients[k] = vec![squares.sum::<f64>().sqrt()];
        }
        Sizes {
            output: tensors.flat_map(level).collect(),
            gradients,
        }
    }

    fn tolerance(&self) -> f64 {
        GRAPH
    }
}
