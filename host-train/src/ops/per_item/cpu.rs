//! Graphs run item by item on the CPU.

use rayon::prelude::*;

use super::graph::Place;
use super::kernel::{ItemKernel, ItemSaved};
use super::{Id, Input, PerItem};
use crate::backend::Backend;
use crate::backend::cpu::packed::sum_parts;
use crate::backend::cpu::{Cpu, with_scratch};
use crate::ops::{Operator, Saved};

/// Prepared kernels of a graph.
struct Kernels<'a> {
    /// Which kernel each node runs.
    number: Vec<usize>,
    /// First node of each kernel.
    first: Vec<usize>,
    kernels: Vec<Box<dyn ItemKernel + 'a>>,
}

impl<'a> Kernels<'a> {
    fn new(graph: &PerItem, cpu: &'a Cpu, inputs: &[&'a Vec<f32>], backward: bool) -> Self {
        let (number, first) = graph.alike();
        let prepare = |&node: &usize| {
            let shared = graph.split_inputs(node).1;
            let shared: Vec<&[f32]> = shared.iter().map(|id| inputs[id.0].as_slice()).collect();
            graph.itemwise(node).prepare(cpu, &shared, backward)
        };
        Self {
            kernels: first.iter().map(prepare).collect(),
            number,
            first,
        }
    }

    fn of(&self, node: usize) -> &dyn ItemKernel {
        &*self.kernels[self.number[node]]
    }

    /// Where each kernel's sums start, and the length of all.
    fn sums(&self) -> (Vec<usize>, usize) {
        let mut len = 0;
        let starts = self.kernels.iter().map(|kernel| {
            len += kernel.sums_len();
            len - kernel.sums_len()
        });
        (starts.collect(), len)
    }
}

/// Slices `(n, len)` of a buffer, one per item.
fn items(buffer: &mut [f32], len: usize) -> impl Iterator<Item = &mut [f32]> {
    buffer.chunks_exact_mut(len)
}

/// Takes the first `len` values off `rest`.
fn take<'a>(rest: &mut &'a mut [f32], len: usize) -> &'a mut [f32] {
    let (head, tail) = std::mem::take(rest).split_at_mut(len);
    *rest = tail;
    head
}

impl PerItem {
    /// The item's own inputs; empty slices stand for shared ones.
    fn item_values<'a>(&self, inputs: &[&'a Vec<f32>], item: usize) -> Vec<&'a [f32]> {
        let slices = self
            .inputs
            .iter()
            .zip(inputs)
            .map(|(input, values)| match *input {
                Input::Item(len) => &values[item * len..(item + 1) * len],
                Input::Shared(_) => &[],
            });
        slices.collect()
    }

    /// Per item and node, where the forward pass writes what outlives it.
    fn targets<'a>(
        &self,
        output: &'a mut [f32],
        kept: &'a mut [f32],
    ) -> Vec<Vec<Option<&'a mut [f32]>>> {
        let mut targets: Vec<Vec<Option<&mut [f32]>>> = (0..self.n)
            .map(|_| self.nodes.iter().map(|_| None).collect())
            .collect();
        let mut rest = output;
        for &id in &self.outputs {
            let (len, node) = (self.len_of(id), id.0 - self.inputs.len());
            let region = take(&mut rest, self.n * len);
            for (target, slice) in targets.iter_mut().zip(items(region, len)) {
                target[node] = Some(slice);
            }
        }
        if kept.is_empty() {
            return targets;
        }
        let mut rest = kept;
        // Kept buffers were laid out from the last node to the first.
        for (node, place) in self.places().0.into_iter().enumerate().rev() {
            if let Place::Kept(_) = place {
                let len = self.len_of(Id(self.inputs.len() + node));
                let region = take(&mut rest, self.n * len);
                for (target, slice) in targets.iter_mut().zip(items(region, len)) {
                    target[node] = Some(slice);
                }
            }
        }
        targets
    }

    fn run(&self, cpu: &Cpu, inputs: &[&Vec<f32>], output: &mut [f32], kept: &mut [f32]) {
        let kernels = Kernels::new(self, cpu, inputs, false);
        let lens = self.node_lens();
        let targets = self.targets(output, kept);
        let scratch = |targets: &[Option<&mut [f32]>]| {
            let nodes = targets.iter().zip(&lens);
            nodes
                .map(|(t, len)| if t.is_none() { *len } else { 0 })
                .sum()
        };
        targets
            .into_par_iter()
            .with_max_len(1)
            .enumerate()
            .for_each(|(item, targets)| {
                with_scratch(scratch(&targets), |mut rest| {
                    let mut values = self.item_values(inputs, item);
                    for (node, target) in targets.into_iter().enumerate() {
                        let out = target.unwrap_or_else(|| take(&mut rest, lens[node]));
                        self.run_node(&kernels, node, &values, out);
                        values.push(out);
                    }
                });
            });
    }

    fn run_node(&self, kernels: &Kernels, node: usize, values: &[&[f32]], out: &mut [f32]) {
        let inputs = self.split_inputs(node).0;
        let inputs: Vec<&[f32]> = inputs.iter().map(|id| values[id.0]).collect();
        kernels.of(node).forward(&inputs, out);
    }

    fn node_lens(&self) -> Vec<usize> {
        let ids = (0..self.nodes.len()).map(|node| Id(self.inputs.len() + node));
        ids.map(|id| self.len_of(id)).collect()
    }

    /// Which values need a gradient, given which inputs do.
    fn needs(&self, inputs: impl Iterator<Item = bool>) -> Vec<bool> {
        let mut needs: Vec<bool> = inputs.collect();
        for node in &self.nodes {
            needs.push(node.inputs.iter().any(|id| needs[id.0]));
        }
        needs
    }
}

impl Operator<Cpu> for PerItem {
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_len(&self) -> usize {
        self.outputs
            .iter()
            .map(|&id| self.n * self.len_of(id))
            .sum()
    }

    fn multiply_adds(&self) -> u64 {
        let nodes = (0..self.nodes.len()).map(|node| self.kernels_of(node).multiply_adds());
        self.n as u64 * nodes.sum::<u64>()
    }

    fn kept_len(&self) -> usize {
        self.places().1
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Vec<f32>], output: &mut Vec<f32>) {
        self.run(cpu, inputs, output, &mut []);
    }

    fn forward_keeping(
        &self,
        cpu: &Cpu,
        inputs: &[&Vec<f32>],
        output: &mut Vec<f32>,
        kept: &mut Vec<f32>,
    ) {
        self.run(cpu, inputs, output, kept);
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Vec<f32>>]) {
        let kernels = Kernels::new(self, cpu, saved.inputs, true);
        let (starts, len) = kernels.sums();
        let pass = Backward {
            graph: self,
            places: self.places().0,
            lens: self.node_lens(),
            output_starts: self.output_starts(),
            needs: self.needs(grads.iter().map(Option::is_some)),
            kernels,
            sums: starts,
        };
        let per_part = Cpu::part_len(self.n);
        let mut sums = cpu.alloc(self.n.div_ceil(per_part) * len);
        let mut slices = sums.chunks_mut(len.max(1));
        let parts: Vec<(Part, &mut [f32])> = pass
            .parts(grads)
            .into_iter()
            .map(|part| (part, slices.next().unwrap_or_default()))
            .collect();
        parts
            .into_par_iter()
            .with_max_len(1)
            .for_each(|(part, sums)| {
                sums.fill(0.0);
                pass.part(saved, part, sums);
            });
        sum_parts(&mut sums, len);
        pass.finish(&sums[..len], grads);
        cpu.recycle(sums);
    }
}

/// A backward pass over the graph.
struct Backward<'a> {
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
struct Part<'a> {
    first: usize,
    gradients: Vec<Vec<Option<&'a mut [f32]>>>,
}

impl Backward<'_> {
    /// Divides the gradients of the items' inputs.
    fn parts<'g>(&self, grads: &'g mut [Option<Vec<f32>>]) -> Vec<Part<'g>> {
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

    fn part(&self, saved: &Saved<'_, Cpu>, part: Part<'_>, sums: &mut [f32]) {
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
    fn finish(&self, sums: &[f32], grads: &mut [Option<Vec<f32>>]) {
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
