//! Graphs run item by item on the CPU.

use rayon::prelude::*;

use super::backward::{Backward, Part};
use super::graph::Place;
use super::kernel::{ItemKernel, Pass};
use super::{Id, Input, PerItem};
use crate::backend::Backend;
use crate::backend::cpu::packed::sum_parts;
use crate::backend::cpu::{Buffer, Cpu, with_scratch};
use crate::ops::{Operator, Saved};

/// Items per worker from which on workers share no item: an uneven rest costs little then.
const FEW: usize = 4;

/// Prepared kernels of a graph.
pub(super) struct Kernels<'a> {
    /// Which kernel each node runs.
    pub(super) number: Vec<usize>,
    /// First node of each kernel.
    pub(super) first: Vec<usize>,
    pub(super) kernels: Vec<Box<dyn ItemKernel + 'a>>,
}

impl<'a> Kernels<'a> {
    fn new(graph: &PerItem, cpu: &'a Cpu, inputs: &[&'a Buffer], pass: Pass) -> Self {
        let (number, first) = graph.alike();
        let prepare = |&node: &usize| {
            let shared = graph.split_inputs(node).1;
            let shared: Vec<&[f32]> = shared.iter().map(|id| &**inputs[id.0]).collect();
            graph.itemwise(node).prepare(cpu, &shared, pass)
        };
        Self {
            kernels: first.par_iter().with_max_len(1).map(prepare).collect(),
            number,
            first,
        }
    }

    pub(super) fn of(&self, node: usize) -> &dyn ItemKernel {
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
pub(super) fn items(buffer: &mut [f32], len: usize) -> impl Iterator<Item = &mut [f32]> {
    buffer.chunks_exact_mut(len)
}

/// Takes the first `len` values off `rest`.
pub(super) fn take<'a>(rest: &mut &'a mut [f32], len: usize) -> &'a mut [f32] {
    let (head, tail) = std::mem::take(rest).split_at_mut(len);
    *rest = tail;
    head
}

impl PerItem {
    /// The item's own inputs; empty slices stand for shared ones.
    pub(super) fn item_values<'a>(&self, inputs: &[&'a Buffer], item: usize) -> Vec<&'a [f32]> {
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

    fn run(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut [f32], kept: &mut [f32]) {
        let few = self.n < FEW * rayon::current_num_threads();
        let pass = if few { Pass::ForwardFew } else { Pass::Forward };
        let kernels = Kernels::new(self, cpu, inputs, pass);
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

    pub(super) fn run_node(
        &self,
        kernels: &Kernels,
        node: usize,
        values: &[&[f32]],
        out: &mut [f32],
    ) {
        let inputs = self.split_inputs(node).0;
        let inputs: Vec<&[f32]> = inputs.iter().map(|id| values[id.0]).collect();
        kernels.of(node).forward(&inputs, out);
    }

    fn node_lens(&self) -> Vec<usize> {
        let ids = (0..self.nodes.len()).map(|node| Id(self.inputs.len() + node));
        ids.map(|id| self.len_of(id)).collect()
    }
}

impl Operator<Cpu> for PerItem {
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_len(&self) -> usize {
        self.outputs_len()
    }

    fn multiply_adds(&self) -> u64 {
        let nodes = (0..self.nodes.len()).map(|node| self.kernels_of(node).multiply_adds());
        self.n as u64 * nodes.sum::<u64>()
    }

    fn kept_len(&self) -> usize {
        self.places().1
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        self.run(cpu, inputs, output, &mut []);
    }

    fn forward_keeping(
        &self,
        cpu: &Cpu,
        inputs: &[&Buffer],
        output: &mut Buffer,
        kept: &mut Buffer,
    ) {
        self.run(cpu, inputs, output, kept);
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let kernels = Kernels::new(self, cpu, saved.inputs, Pass::Backward);
        let (starts, len) = kernels.sums();
        let needs = self.needs(grads.iter().map(Option::is_some));
        let pass = Backward::new(self, self.node_lens(), needs, kernels, starts);
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
