//! The tape: operators in the order in which they ran.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::backend::Backend;
use crate::ops::{Op, Operator, Saved};

/// A value on a tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Var(usize);

enum Value<'a, B: Backend> {
    Owned(B::Buffer),
    Borrowed(&'a B::Buffer),
    Freed,
}

struct Node<'a, B: Backend> {
    value: Value<'a, B>,
    /// What made the value; leaves have none.
    source: Option<Source<B>>,
    needs_grad: bool,
}

/// An operator, its inputs, and what it kept for the backward pass.
struct Source<B: Backend> {
    operator: Box<dyn Operator<B>>,
    inputs: Vec<Var>,
    kept: B::Buffer,
}

impl<B: Backend> Node<'_, B> {
    /// Hands the buffers of a computed value back.
    fn free(&mut self, backend: &B) {
        if let Value::Owned(value) = std::mem::replace(&mut self.value, Value::Freed) {
            backend.recycle(value);
        }
        if let Some(source) = self.source.take() {
            backend.recycle(source.kept);
        }
    }
}

/// Time and work of one kind of operator.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Time in forward passes.
    pub forward: Duration,
    /// Time in backward passes.
    pub backward: Duration,
    /// Multiply-adds of the forward passes.
    pub multiply_adds: u64,
    /// Applications.
    pub calls: u64,
}

/// Records operators as they run and plays them back for gradients.
pub struct Tape<'a, B: Backend> {
    backend: &'a B,
    nodes: Vec<Node<'a, B>>,
    costs: BTreeMap<&'static str, Cost>,
}

/// Gradients of the leaves that asked for one.
pub struct Gradients<B: Backend>(BTreeMap<Var, B::Buffer>);

impl<B: Backend> Gradients<B> {
    /// Takes the gradient of `var`; `None` if the loss does not depend on it.
    pub fn take(&mut self, var: Var) -> Option<B::Buffer> {
        self.0.remove(&var)
    }
}

impl<'a, B: Backend> Tape<'a, B> {
    /// An empty tape.
    pub fn new(backend: &'a B) -> Self {
        Self {
            backend,
            nodes: Vec::new(),
            costs: BTreeMap::new(),
        }
    }

    fn push(&mut self, value: Value<'a, B>, source: Option<Source<B>>, needs_grad: bool) -> Var {
        self.nodes.push(Node {
            value,
            source,
            needs_grad,
        });
        Var(self.nodes.len() - 1)
    }

    /// A value without gradient.
    pub fn constant(&mut self, values: &[f32]) -> Var {
        self.push(Value::Owned(self.backend.upload(values)), None, false)
    }

    /// A value owned elsewhere; its gradient is kept where `needs_grad`.
    pub fn leaf(&mut self, value: &'a B::Buffer, needs_grad: bool) -> Var {
        self.push(Value::Borrowed(value), None, needs_grad)
    }

    /// Runs `operator` on `inputs` and records it.
    pub fn apply(&mut self, operator: impl Into<Op>, inputs: &[Var]) -> Var {
        let operator = self.backend.kernels(operator.into());
        let started = Instant::now();
        let needs_grad = inputs.iter().any(|v| self.nodes[v.0].needs_grad);
        let mut output = self.backend.alloc(operator.output_len());
        let kept_len = if needs_grad { operator.kept_len() } else { 0 };
        let mut kept = self.backend.alloc(kept_len);
        let values: Vec<&B::Buffer> = inputs.iter().map(|&v| self.value(v)).collect();
        if needs_grad {
            operator.forward_keeping(self.backend, &values, &mut output, &mut kept);
        } else {
            operator.forward(self.backend, &values, &mut output);
        }
        let cost = self.costs.entry(operator.name()).or_default();
        cost.forward += started.elapsed();
        cost.multiply_adds += operator.multiply_adds();
        cost.calls += 1;
        let source = Source {
            operator,
            inputs: inputs.to_vec(),
            kept,
        };
        self.push(Value::Owned(output), Some(source), needs_grad)
    }

    /// The buffer behind `var`.
    ///
    /// # Panics
    /// After [`Tape::backward`], for values computed on the tape.
    pub fn value(&self, var: Var) -> &B::Buffer {
        match &self.nodes[var.0].value {
            Value::Owned(buffer) => buffer,
            Value::Borrowed(buffer) => buffer,
            Value::Freed => panic!("value {} was freed by the backward pass", var.0),
        }
    }

    /// Values behind `var`.
    pub fn len_of(&self, var: Var) -> usize {
        self.backend.len(self.value(var))
    }

    /// Copies the value behind `var` to the host.
    pub fn download(&self, var: Var) -> Vec<f32> {
        self.backend.download(self.value(var))
    }

    /// Time spent so far, per operator name.
    pub fn costs(&self) -> &BTreeMap<&'static str, Cost> {
        &self.costs
    }

    /// Gradients of the scalar `root` by every leaf that needs one; gradients of the values in
    /// `keep` are kept too. Values computed on the tape are freed on the way.
    pub fn backward(&mut self, root: Var, keep: &[Var]) -> Gradients<B> {
        let mut grads: Vec<Option<B::Buffer>> = (0..self.nodes.len()).map(|_| None).collect();
        let mut seed = self.backend.alloc(1);
        self.backend.fill(&mut seed, 1.0);
        grads[root.0] = Some(seed);
        let mut kept = BTreeMap::new();
        for at in (0..=root.0).rev() {
            let Some(grad) = grads[at].take() else {
                continue;
            };
            if self.nodes[at].source.is_none() {
                kept.insert(Var(at), grad);
                continue;
            }
            self.backward_node(at, &grad, &mut grads);
            if keep.contains(&Var(at)) {
                kept.insert(Var(at), grad);
            } else {
                self.backend.recycle(grad);
            }
            self.nodes[at].free(self.backend);
        }
        Gradients(kept)
    }

    fn backward_node(&mut self, at: usize, grad: &B::Buffer, grads: &mut [Option<B::Buffer>]) {
        let Some(source) = &self.nodes[at].source else {
            return;
        };
        let Source {
            operator,
            inputs,
            kept,
        } = source;
        let started = Instant::now();
        let values: Vec<&B::Buffer> = inputs.iter().map(|&v| self.value(v)).collect();
        let mut outs: Vec<Option<B::Buffer>> = inputs
            .iter()
            .zip(&values)
            .map(|(v, value)| {
                let needed = self.nodes[v.0].needs_grad;
                needed.then(|| self.backend.alloc(self.backend.len(value)))
            })
            .collect();
        let saved = Saved {
            inputs: &values,
            output: self.value(Var(at)),
            kept,
            grad,
        };
        operator.backward(self.backend, &saved, &mut outs);
        for (input, out) in inputs.iter().zip(outs) {
            let Some(out) = out else { continue };
            match &mut grads[input.0] {
                Some(sum) => {
                    self.backend.accumulate(sum, &out);
                    self.backend.recycle(out);
                }
                slot => *slot = Some(out),
            }
        }
        let name = operator.name();
        self.costs.entry(name).or_default().backward += started.elapsed();
    }
}

impl<B: Backend> Drop for Tape<'_, B> {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            node.free(self.backend);
        }
    }
}
