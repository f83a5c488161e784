//! The backward pass of a graph on the CPU, item by item.

use super::Input;
use super::PerItem;
use super::cpu::{Kernels, items, take};
use super::graph::Place;
use super::kernel::ItemSaved;
use crate::backend::cpu::{Buffer, Cpu, with_scratch};
use crate::ops::Saved;

/// A backward pass over the graph.
pub(super) struct Backward<'a> {
    graph: &'a PerItem,
    places: Vec<Place>,
    lens: Vec<usize>,
    output_starts: Vec<usize>,
    /// Which inputs and nodes need a gradient.
    needs: Vec<bool>,
    kernels: Kernels<'a>,
    /// Where each kernel's sums start.
    sums: Vec<usize>,
}

/// Consecutive items of one part, each with the gradients of its own inputs.
pub(super) struct Part<'a> {
    first: usize,
    gradients: Vec<Vec<Option<&'a mut [f32]>>>,
}

impl<'a> Backward<'a> {
    /// `needs` says which inputs and nodes need a gradient, `sums` where each kernel's sums start.
    pub(super) fn new(
        graph: &'a PerItem,
        lens: Vec<usize>,
        needs: Vec<bool>,
        kernels: Kernels<'a>,
        sums: Vec<usize>,
    ) -> Self {
        Self {
            graph,
            places: graph.places().0,
            lens,
            output_starts: graph.output_starts(),
            needs,
            kernels,
            sums,
        }
    }
}

impl Backward<'_> {
    /// Divides the gradients of the items' inputs.
    pub(super) fn parts<'g>(&self, grads: &'g mut [Option<Buffer>]) -> Vec<Part<'g>> {
        let graph = self.graph;
        let mut gradients: Vec<Vec<Option<&mut [f32]>>> = (0..graph.n)
            .map(|_| graph.inputs.iter().map(|_| None).collect())
            .collect();
        for (k, (input, grad)) in graph.inputs.iter().zip(grads).enumerate() {
            if let (Input::Item(len), Some(grad)) = (input, grad) {
                for (gradients, slice) in gradients.iter_mut().zip(items(grad, *len)) {
                    gradients[k] = Some(slice);
                }
            }
        }
        let per_part = Cpu::part_len(graph.n);
        let mut parts = Vec::new();
        while !gradients.is_empty() {
            let rest = gradients.split_off(per_part.min(gradients.len()));
            parts.push(Part {
                first: parts.len() * per_part,
                gradients: std::mem::replace(&mut gradients, rest),
            });
        }
        parts
    }

    pub(super) fn part(&self, saved: &Saved<'_, Cpu>, part: Part<'_>, sums: &mut [f32]) {
        for (k, gradients) in part.gradients.into_iter().enumerate() {
            self.item(saved, part.first + k, gradients, sums);
        }
    }

    /// The backward pass of one item.
    fn item(
        &self,
        saved: &Saved<'_, Cpu>,
        item: usize,
        gradients: Vec<Option<&mut [f32]>>,
        sums: &mut [f32],
    ) {
        let longest = self.lens.iter().copied().max().unwrap_or_default();
        let longest = gradients
            .iter()
            .flatten()
            .map(|g| g.len())
            .fold(longest, usize::max);
        let again = self.places.iter().zip(&self.lens);
        let again: usize = again
            .filter(|(p, _)| **p == Place::Again)
            .map(|(_, len)| len)
            .sum();
        // Every node's gradient, and one that is added to another.
        let room = again + (self.lens.len() + 1) * longest;
        with_scratch(room, |scratch| {
            let mut rest = &mut *scratch;
            let values = self.values(saved, item, &mut rest);
            let mut gradients: Vec<Option<&mut [f32]>> = gradients;
            let inputs = gradients.len();
            let mut written = vec![false; inputs];
            gradients.extend(self.lens.iter().map(|_| None));
            written.extend(self.lens.iter().map(|_| false));
            let mut slots = Slots {
                free: Vec::new(),
                rest,
            };
            for node in (0..self.lens.len()).rev() {
                let own = gradients[inputs + node].take();
                let outer = self.output_gradient(saved, item, node);
                let grad: &[f32] = match (&own, outer) {
                    (None, None) => continue,
                    (Some(own), None) => own,
                    (None, Some(outer)) => outer,
                    (Some(_), Some(_)) => unreachable!("an output is read inside the graph"),
                };
                if self.needs[inputs + node] {
                    let step = Step {
                        values: &values,
                        grad,
                        written: &mut written,
                    };
                    self.node(node, step, &mut gradients, &mut slots, sums);
                }
                slots.free.extend(own);
            }
            for (gradient, _) in gradients
                .iter_mut()
                .zip(written)
                .take(inputs)
                .filter(|g| !g.1)
            {
                if let Some(gradient) = gradient {
                    gradient.fill(0.0);
                }
            }
        });
    }

    /// Values of inputs and nodes, as far as the backward pass reads them.
    fn values<'v>(
        &self,
        saved: &'v Saved<'_, Cpu>,
        item: usize,
        rest: &mut &'v mut [f32],
    ) -> Vec<&'v [f32]> {
        let mut values = self.graph.item_values(saved.inputs, item);
        for (node, place) in self.places.iter().enumerate() {
            let len = self.lens[node];
            values.push(match *place {
                Place::Nowhere => &[],
                Place::Kept(start) => &saved.kept[start + item * len..][..len],
                Place::Output(k) => &saved.output[self.output_starts[k] + item * len..][..len],
                Place::Again => {
                    let out = take(rest, len);
                    self.graph.run_node(&self.kernels, node, &values, out);
                    out
                }
            });
        }
        values
    }

    /// Gradient of the loss by the node as an output of the graph.
    fn output_gradient<'v>(
        &self,
        saved: &Saved<'v, Cpu>,
        item: usize,
        node: usize,
    ) -> Option<&'v [f32]> {
        let Place::Output(k) = self.places[node] else {
            return None;
        };
        let len = self.lens[node];
        Some(&saved.grad[self.output_starts[k] + item * len..][..len])
    }

    /// The backward pass of one node of one item.
    fn node<'s>(
        &self,
        node: usize,
        step: Step<'_>,
        gradients: &mut [Option<&'s mut [f32]>],
        slots: &mut Slots<'s>,
        sums: &mut [f32],
    ) {
        let (inputs, shared) = self.graph.split_inputs(node);
        let Step {
            values,
            grad,
            written,
        } = step;
        let read: Vec<&[f32]> = inputs.iter().map(|id| values[id.0]).collect();
        let mut targets: Vec<Option<&'s mut [f32]>> = inputs
            .iter()
            .map(|id| {
                if !self.needs[id.0] {
                    return None;
                }
                let own = if written[id.0] {
                    None
                } else {
                    gradients[id.0].take()
                };
                Some(own.unwrap_or_else(|| slots.take(self.graph.len_of(*id))))
            })
            .collect();
        let number = self.kernels.number[node];
        let kernel = self.kernels.of(node);
        let wanted = shared.iter().any(|id| self.needs[id.0]);
        let sums = if wanted {
            &mut sums[self.sums[number]..][..kernel.sums_len()]
        } else {
            &mut []
        };
        let saved = ItemSaved {
            inputs: &read,
            output: values[self.graph.inputs.len() + node],
            grad,
        };
        let mut borrowed: Vec<Option<&mut [f32]>> =
            targets.iter_mut().map(|t| t.as_deref_mut()).collect();
        kernel.backward(&saved, &mut borrowed, sums);
        for (id, target) in inputs.iter().zip(targets) {
            let Some(target) = target else { continue };
            if let (true, Some(sum)) = (written[id.0], &mut gradients[id.0]) {
                for (s, t) in sum.iter_mut().zip(target.iter()) {
                    *s += t;
                }
                slots.free.push(target);
            } else {
                gradients[id.0] = Some(target);
                written[id.0] = true;
            }
        }
    }

    /// Turns the sums over all items into the gradients of the shared inputs.
    pub(super) fn finish(&self, sums: &[f32], grads: &mut [Option<Buffer>]) {
        let mut targets: Vec<Option<&mut [f32]>> =
            grads.iter_mut().map(|g| g.as_deref_mut()).collect();
        for (target, input) in targets.iter_mut().zip(&self.graph.inputs) {
            if let (Some(target), Input::Shared(_)) = (target, input) {
                target.fill(0.0);
            }
        }
        for (number, kernel) in self.kernels.kernels.iter().enumerate() {
            let shared = self.graph.split_inputs(self.kernels.first[number]).1;
            let mut own: Vec<Option<&mut [f32]>> =
                shared.iter().map(|id| targets[id.0].take()).collect();
            if own.iter().any(Option::is_some) {
                let sums = &sums[self.sums[number]..][..kernel.sums_len()];
                kernel.finish(sums, &mut own);
            }
            for (id, own) in shared.iter().zip(own) {
                targets[id.0] = own;
            }
        }
    }
}

/// What the backward pass of a node reads, and which gradients were written before.
struct Step<'a> {
    values: &'a [&'a [f32]],
    grad: &'a [f32],
    written: &'a mut [bool],
}

/// Scratch for gradients; the one freed last is used first, while it is in the cache.
struct Slots<'s> {
    free: Vec<&'s mut [f32]>,
    rest: &'s mut [f32],
}

impl<'s> Slots<'s> {
    fn take(&mut self, len: usize) -> &'s mut [f32] {
        let position = self.free.iter().rposition(|slot| slot.len() == len);
        match position {
            Some(at) => self.free.remove(at),
            None => take(&mut self.rest, len),
        }
    }
}
