//! A small graph of operators, run item by item.
//!
//! A batch of maps that passes through operators one by one leaves the cache after each of them.
//! Here every item passes through the whole graph before the next one starts, forward and backward:
//! only what the backward pass cannot cheaply compute again is written to memory.

mod backward;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod graph;
pub(crate) mod kernel;
#[cfg(feature = "cuda")]
mod stage;

use super::Op;

/// A value of the graph: an input or the result of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(usize);

/// An input of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// `(n, len)`: every item has its own.
    Item(usize),
    /// `(len)`: the same for all, a parameter or a constant.
    Shared(usize),
}

/// An operator of the graph, with the geometry of one item.
#[derive(Clone, Debug)]
struct Node {
    op: Op,
    inputs: Vec<Id>,
}

/// A graph of operators over `n` items; inputs in the order of their declaration, then the
/// output `(outputs, n, len)`.
///
/// Inside may stand [`Conv2d`](super::Conv2d), [`DataStep`](super::DataStep),
/// [`SoftThreshold`](super::SoftThreshold), [`Add`](super::Add) and [`Sub`](super::Sub).
#[derive(Clone, Debug)]
pub struct PerItem {
    name: &'static str,
    n: usize,
    inputs: Vec<Input>,
    nodes: Vec<Node>,
    outputs: Vec<Id>,
}

impl PerItem {
    /// An empty graph over `n` items; `name` stands in profiles.
    pub fn new(name: &'static str, n: usize) -> Self {
        Self {
            name,
            n,
            inputs: Vec::new(),
            nodes: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// One operator over `n` items: `op` has the geometry of one, `inputs` the lengths of an item's
    /// own inputs, `shared` those of the others.
    pub(crate) fn single(
        name: &'static str,
        n: usize,
        op: impl Into<Op>,
        inputs: &[usize],
        shared: &[usize],
    ) -> Self {
        let mut graph = Self::new(name, n);
        let own = inputs.iter().map(|&len| graph.item(len));
        let mut ids: Vec<Id> = own.collect();
        ids.extend(shared.iter().map(|&len| graph.shared(len)));
        let result = graph.apply(op, &ids);
        graph.output(result);
        graph
    }

    /// Items that pass through the graph.
    pub(crate) fn items(&self) -> usize {
        self.n
    }

    /// The operators, with the geometry of one item.
    pub(crate) fn ops(&self) -> impl Iterator<Item = &Op> {
        self.nodes.iter().map(|node| &node.op)
    }

    /// Declares an input `(n, len)`.
    ///
    /// # Panics
    /// After the first operator: inputs come first.
    pub fn item(&mut self, len: usize) -> Id {
        self.input(Input::Item(len))
    }

    /// Declares an input `(len)` that all items share.
    ///
    /// # Panics
    /// After the first operator: inputs come first.
    pub fn shared(&mut self, len: usize) -> Id {
        self.input(Input::Shared(len))
    }

    fn input(&mut self, input: Input) -> Id {
        assert!(self.nodes.is_empty(), "inputs come before operators");
        self.inputs.push(input);
        Id(self.inputs.len() - 1)
    }

    /// Adds an operator; its geometry is that of one item. Its first inputs belong to items, the
    /// others are shared, as the operator has it.
    ///
    /// # Panics
    /// If the operator cannot stand in such a graph, or an input comes twice, is an output, or is
    /// shared where items need their own, or the other way round.
    pub fn apply(&mut self, op: impl Into<Op>, inputs: &[Id]) -> Id {
        let op = op.into();
        let own = kernel::itemwise(&op).map(kernel::Itemwise::item_inputs);
        let own = own.unwrap_or_else(|| panic!("{op:?} inside a graph"));
        for (k, id) in inputs.iter().enumerate() {
            let shared = matches!(self.inputs.get(id.0), Some(Input::Shared(_)));
            assert!(shared == (k >= own), "input {k} of {op:?}");
            assert!(!inputs[..k].contains(id), "an input comes twice");
            assert!(!self.outputs.contains(id), "outputs are not read again");
        }
        self.nodes.push(Node {
            op,
            inputs: inputs.to_vec(),
        });
        Id(self.inputs.len() + self.nodes.len() - 1)
    }

    /// Declares the result of an operator as the next output.
    ///
    /// # Panics
    /// If `id` is an input, an output already, or read by another operator.
    pub fn output(&mut self, id: Id) {
        let read = self.nodes.iter().any(|node| node.inputs.contains(&id));
        assert!(id.0 >= self.inputs.len() && !self.outputs.contains(&id) && !read);
        self.outputs.push(id);
    }
}
