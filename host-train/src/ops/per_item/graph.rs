//! What follows from the shape of a graph alone.

use super::kernel::{Itemwise, itemwise};
use super::{Id, Input, PerItem};
use crate::backend::cpu::Cpu;
use crate::ops::Operator;

/// Where the value of an operator is found in the backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nobody reads it.
    Nowhere,
    /// In this output of the graph.
    Output(usize),
    /// From here on in the kept buffer, `(n, len)`.
    Kept(usize),
    /// Computed again.
    Again,
}

impl PerItem {
    pub(super) fn itemwise(&self, node: usize) -> &dyn Itemwise {
        let found = itemwise(&self.nodes[node].op);
        found.unwrap_or_else(|| unreachable!("apply refuses other operators"))
    }

    /// Values of an item behind an id.
    pub(super) fn len_of(&self, id: Id) -> usize {
        match self.inputs.get(id.0) {
            Some(Input::Item(len) | Input::Shared(len)) => *len,
            None => self.kernels_of(id.0 - self.inputs.len()).output_len(),
        }
    }

    /// The operator of a node by itself, for its sizes.
    pub(super) fn kernels_of(&self, node: usize) -> Box<dyn Operator<Cpu>> {
        self.nodes[node].op.clone().boxed()
    }

    /// Inputs of `node` that every item has its own of, and those that all share.
    pub(super) fn split_inputs(&self, node: usize) -> (&[Id], &[Id]) {
        let inputs = &self.nodes[node].inputs;
        inputs.split_at(self.itemwise(node).item_inputs())
    }

    /// Values of all outputs.
    pub(super) fn outputs_len(&self) -> usize {
        let outputs = self.outputs.iter();
        outputs.map(|&id| self.n * self.len_of(id)).sum()
    }

    /// Which inputs and nodes need a gradient, given which inputs do. Constants have none: operators
    /// give none for them.
    pub(super) fn needs(&self, inputs: impl Iterator<Item = bool>) -> Vec<bool> {
        let mut needs: Vec<bool> = inputs.collect();
        for node in &self.nodes {
            needs.push(node.inputs.iter().any(|id| needs[id.0]));
        }
        needs
    }

    /// The operator whose result `id` is.
    pub(super) fn node(&self, id: Id) -> Option<usize> {
        id.0.checked_sub(self.inputs.len())
    }

    /// Where the backward pass finds the value of every operator, and the length of the kept buffer.
    pub(super) fn places(&self) -> (Vec<Place>, usize) {
        let mut needed = vec![false; self.nodes.len()];
        for node in 0..self.nodes.len() {
            let kind = self.itemwise(node);
            needed[node] |= kind.reads_output();
            for (k, &input) in self.split_inputs(node).0.iter().enumerate() {
                if let (Some(source), true) = (self.node(input), kind.reads_input(k)) {
                    needed[source] = true;
                }
            }
        }
        let mut places = vec![Place::Nowhere; self.nodes.len()];
        let mut kept = 0;
        for node in (0..self.nodes.len()).rev() {
            let id = Id(self.inputs.len() + node);
            let output = self.outputs.iter().position(|&output| output == id);
            places[node] = match output {
                Some(output) => Place::Output(output),
                None if !needed[node] => Place::Nowhere,
                None if self.itemwise(node).is_cheap() => {
                    // To be computed again, its inputs must be there.
                    for &input in self.split_inputs(node).0 {
                        if let Some(source) = self.node(input) {
                            needed[source] = true;
                        }
                    }
                    Place::Again
                }
                None => {
                    kept += self.n * self.len_of(id);
                    Place::Kept(kept - self.n * self.len_of(id))
                }
            };
        }
        (places, kept)
    }

    /// Where each output starts in the output buffer.
    pub(super) fn output_starts(&self) -> Vec<usize> {
        let mut start = 0;
        let outputs = self.outputs.iter().map(|&id| {
            start += self.n * self.len_of(id);
            start - self.n * self.len_of(id)
        });
        outputs.collect()
    }

    /// Numbers nodes that are the same operator on the same shared inputs alike: such nodes share
    /// their kernels and their sums. Gives the number of each node and the first node of each number.
    pub(super) fn alike(&self) -> (Vec<usize>, Vec<usize>) {
        let (mut number, mut first) = (Vec::new(), Vec::<usize>::new());
        for node in 0..self.nodes.len() {
            let key = |n: usize| (self.split_inputs(n).1, format!("{:?}", self.nodes[n].op));
            let known = first.iter().position(|&other| key(other) == key(node));
            number.push(known.unwrap_or(first.len()));
            if known.is_none() {
                first.push(node);
            }
        }
        (number, first)
    }
}
