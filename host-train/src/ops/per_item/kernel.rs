//! What an operator must offer to stand in a graph that runs item by item on the CPU.

use crate::backend::cpu::Cpu;
use crate::ops::Op;

/// Values that a backward pass of one item may read.
pub(crate) struct ItemSaved<'a> {
    /// The item's own inputs, in order.
    pub inputs: &'a [&'a [f32]],
    /// The item's output; empty unless [`Itemwise::reads_output`].
    pub output: &'a [f32],
    /// Gradient of the loss by it.
    pub grad: &'a [f32],
}

/// An operator with its shared inputs prepared once for all items.
pub(crate) trait ItemKernel: Send + Sync {
    /// Overwrites `output`.
    fn forward(&self, inputs: &[&[f32]], output: &mut [f32]);

    /// Overwrites the gradients that are present, one per input of the item; adds what the shared
    /// inputs' gradients sum up to `sums`, of [`ItemKernel::sums_len`] values or empty.
    fn backward(&self, saved: &ItemSaved<'_>, grads: &mut [Option<&mut [f32]>], sums: &mut [f32]);

    /// Length of the sums over items.
    fn sums_len(&self) -> usize {
        0
    }

    /// Adds to the gradients of the shared inputs what `sums` over all items stand for.
    fn finish(&self, _sums: &[f32], _shared: &mut [Option<&mut [f32]>]) {}
}

/// What kernels are prepared for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Forward, with enough items to keep all workers busy.
    Forward,
    /// Forward with few items: each may be divided among workers.
    ForwardFew,
    /// Backward, and forward again where [`Itemwise::is_cheap`].
    Backward,
}

/// An operator that can run item by item; its geometry is that of one item.
pub(crate) trait Itemwise {
    /// Inputs that every item has its own of; they come first, shared ones follow.
    fn item_inputs(&self) -> usize;

    /// Whether the backward pass reads item input `input`.
    fn reads_input(&self, input: usize) -> bool;

    /// Whether the backward pass reads the output.
    fn reads_output(&self) -> bool {
        false
    }

    /// Whether computing the output again costs less than reading it from memory.
    fn is_cheap(&self) -> bool {
        true
    }

    /// Prepares the kernels.
    fn prepare<'a>(
        &self,
        cpu: &'a Cpu,
        shared: &[&'a [f32]],
        pass: Pass,
    ) -> Box<dyn ItemKernel + 'a>;
}

/// The item-by-item side of an operator, if it has one.
pub(crate) fn itemwise(op: &Op) -> Option<&dyn Itemwise> {
    match op {
        Op::Add(op) => Some(op),
        Op::Conv2d(op) => Some(op),
        Op::DataStep(op) => Some(op),
        Op::SoftThreshold(op) => Some(op),
        Op::Sub(op) => Some(op),
        _ => None,
    }
}
