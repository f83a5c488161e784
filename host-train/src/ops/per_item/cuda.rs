//! Graphs on a GPU: each operator over all items at once, which keep more of the device busy than
//! item after item would.

use std::ops::Range;

use super::stage::Stage;
use super::{Id, PerItem};
use crate::backend::Backend;
use crate::backend::cuda::{Buffer, Cuda};
use crate::ops::{Add, Conv2d, DataStep, Op, Operator, Saved, SoftThreshold, Sub};
use crate::tensor::Shape;

/// Values to which the beginning of every kept value is aligned, so that pixels can be read four
/// channels at a time.
const ALIGNMENT: usize = 64;

/// Kernels of the operator over `n` items, from that over one.
fn batched(op: &Op, n: usize) -> Box<dyn Operator<Cuda>> {
    match op.clone() {
        Op::Add(Add { len }) => Box::new(Add { len: len * n }),
        Op::Sub(Sub { len }) => Box::new(Sub { len: len * n }),
        Op::SoftThreshold(SoftThreshold { len }) => Box::new(SoftThreshold { len: len * n }),
        Op::DataStep(op) => Box::new(DataStep { n: op.n * n, ..op }),
        Op::Conv2d(op) => {
            let n = op.input.n * n;
            let input = Shape { n, ..op.input };
            Box::new(Conv2d { input, ..op })
        }
        op => unreachable!("{op:?} inside a graph"),
    }
}

/// A graph prepared for the device.
struct Plan<'a> {
    graph: &'a PerItem,
    operators: Vec<Box<dyn Operator<Cuda>>>,
    /// Where each node's value lies: in the output, or in the kept buffer.
    places: Vec<(Option<usize>, Range<usize>)>,
    kept: usize,
}

impl<'a> Plan<'a> {
    fn new(graph: &'a PerItem) -> Self {
        let nodes = graph.nodes.iter();
        let operators: Vec<Box<dyn Operator<Cuda>>> =
            nodes.map(|node| batched(&node.op, graph.n)).collect();
        let starts = graph.output_starts();
        let mut kept = 0;
        let places = operators.iter().enumerate().map(|(node, operator)| {
            let (id, len) = (Id(graph.inputs.len() + node), operator.output_len());
            let output = graph.outputs.iter().position(|&output| output == id);
            let start = output.map_or_else(
                || {
                    kept += len.next_multiple_of(ALIGNMENT);
                    kept - len.next_multiple_of(ALIGNMENT)
                },
                |k| starts[k],
            );
            (output, start..start + len)
        });
        Self {
            places: places.collect(),
            graph,
            operators,
            kept,
        }
    }

    /// Values of all nodes in `output` and `kept`.
    fn values(&self, output: &Buffer, kept: &Buffer) -> Vec<Buffer> {
        let places = self.places.iter();
        places
            .map(|(in_output, range)| {
                let whole = if in_output.is_some() { output } else { kept };
                whole.part(range.start, range.len())
            })
            .collect()
    }

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &Buffer, kept: &Buffer) {
        let mut values = self.values(output, kept);
        for (node, operator) in self.operators.iter().enumerate() {
            let (before, rest) = values.split_at_mut(node);
            let read = self.read(node, inputs, before);
            operator.forward(cuda, &read, &mut rest[0]);
        }
    }

    /// The inputs of a node.
    fn read<'v>(
        &self,
        node: usize,
        inputs: &[&'v Buffer],
        values: &'v [Buffer],
    ) -> Vec<&'v Buffer> {
        let ids = self.graph.nodes[node].inputs.iter();
        let first = inputs.len();
        ids.map(|id| {
            id.0.checked_sub(first)
                .map_or_else(|| inputs[id.0], |at| &values[at])
        })
        .collect()
    }

    /// Gradients of inputs and nodes, as far as something arrives; `grads` says of which inputs they
    /// are wanted.
    fn backward(
        &self,
        cuda: &Cuda,
        saved: &Saved<'_, Cuda>,
        wanted: &[bool],
    ) -> Vec<Option<Buffer>> {
        let values = self.values(saved.output, saved.kept);
        let needs = self.graph.needs(wanted.iter().copied());
        let first = wanted.len();
        let mut sums: Vec<Option<Buffer>> = needs.iter().map(|_| None).collect();
        for (node, operator) in self.operators.iter().enumerate().rev() {
            let arriving = match &self.places[node] {
                (Some(_), range) => Some(saved.grad.part(range.start, range.len())),
                (None, _) => sums[first + node].take(),
            };
            let (Some(grad), true) = (arriving, needs[first + node]) else {
                continue;
            };
            let read = self.read(node, saved.inputs, &values);
            let ids = &self.graph.nodes[node].inputs;
            let slots = ids.iter().zip(&read);
            let mut own: Vec<Option<Buffer>> = slots
                .map(|(id, value)| needs[id.0].then(|| cuda.alloc(value.len())))
                .collect();
            let node_saved = Saved {
                inputs: &read,
                output: &values[node],
                kept: &cuda.alloc(0),
                grad: &grad,
            };
            operator.backward(cuda, &node_saved, &mut own);
            for (id, own) in ids.iter().zip(own) {
                match (&mut sums[id.0], own) {
                    (Some(sum), Some(own)) => cuda.accumulate(sum, &own),
                    (slot, own @ Some(_)) => *slot = own,
                    (_, None) => {}
                }
            }
        }
        sums
    }
}

impl Operator<Cuda> for PerItem {
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_len(&self) -> usize {
        self.outputs_len()
    }

    fn multiply_adds(&self) -> u64 {
        Plan::new(self)
            .operators
            .iter()
            .map(|op| op.multiply_adds())
            .sum()
    }

    fn kept_len(&self) -> usize {
        Plan::new(self).kept
    }

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        if let Some(stage) = Stage::of(self).filter(|stage| stage.fits(cuda)) {
            return stage.forward(cuda, inputs, output);
        }
        let plan = Plan::new(self);
        plan.forward(cuda, inputs, output, &cuda.alloc(plan.kept));
    }

    fn forward_keeping(
        &self,
        cuda: &Cuda,
        inputs: &[&Buffer],
        output: &mut Buffer,
        kept: &mut Buffer,
    ) {
        Plan::new(self).forward(cuda, inputs, output, kept);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let wanted: Vec<bool> = grads.iter().map(Option::is_some).collect();
        let sums = Plan::new(self).backward(cuda, saved, &wanted);
        for (grad, sum) in grads.iter_mut().zip(sums) {
            match (grad, sum) {
                (Some(grad), Some(sum)) => *grad = sum,
                (Some(grad), None) => cuda.fill(grad, 0.0),
                (None, _) => {}
            }
        }
    }
}
