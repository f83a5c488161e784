//! The unfolding stage as one kernel on a GPU, where nothing between its layers has to be kept.

use derefnet_cuda_kernels as kernels;
use kernels::{Kernel, STAGE_PADDING, STAGE_PIXELS, StageGeometry};

use super::{Id, Input, PerItem};
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, count, geometry};
use crate::ops::{Activation, Conv2d, DataStep, Op};

/// A graph that is a stage without its symmetric branch.
pub(super) struct Stage {
    n: usize,
    side: usize,
    channels: usize,
    /// Where the graph's inputs are: H, B, ρ, G, the first two kernels, θ, the last two kernels.
    inputs: [Id; 9],
}

/// Whether `op` is a layer of a stage.
fn is_layer(op: &Conv2d, side: usize, [from, to]: [usize; 2], activation: Activation) -> bool {
    let shape = (op.input.h, op.input.w, op.input.c, op.out_channels);
    let plain = op.kernel == 3 && !op.bias && op.activation == activation;
    plain && shape == (side, side, from, to)
}

#[cfg(test)]
impl PerItem {
    /// Whether it is a stage without its symmetric branch.
    pub(crate) fn is_stage(&self) -> bool {
        Stage::of(self).is_some()
    }
}

impl Stage {
    /// The stage that `graph` is, if it is one.
    pub(super) fn of(graph: &PerItem) -> Option<Self> {
        let first = graph.inputs.len();
        let [step, f1, f2, threshold, g1, g2] = &graph.nodes[..] else {
            return None;
        };
        let (Op::DataStep(DataStep { n: 1, side }), Op::SoftThreshold(_)) =
            (&step.op, &threshold.op)
        else {
            return None;
        };
        let layers = [f1, f2, g1, g2].map(|node| match &node.op {
            Op::Conv2d(op) => Some(op),
            _ => None,
        });
        let [Some(a), Some(b), Some(c), Some(d)] = layers else {
            return None;
        };
        let (side, wide) = (*side, a.out_channels);
        let right = is_layer(a, side, [1, wide], Activation::Relu)
            && is_layer(b, side, [wide; 2], Activation::None)
            && is_layer(c, side, [wide; 2], Activation::Relu)
            && is_layer(d, side, [wide, 1], Activation::None);
        // Each node reads the one before, and nothing else comes out.
        let nodes = graph.nodes.iter().enumerate().skip(1);
        let chained = nodes
            .clone()
            .all(|(at, node)| node.inputs[0].0 == first + at - 1);
        if !(right && chained && graph.outputs == [Id(first + 5)]) {
            return None;
        }
        let mut inputs = step.inputs.clone();
        inputs.extend(nodes.map(|(_, node)| node.inputs[1]));
        Some(Self {
            n: graph.n,
            side,
            channels: wide,
            inputs: inputs.try_into().ok()?,
        })
        .filter(|stage| stage.inputs.iter().all(|id| id.0 < first))
        .filter(|stage| matches!(graph.inputs[stage.inputs[0].0], Input::Item(_)))
    }

    /// Values of shared memory: the bordered map, and four maps of one channel.
    fn shared(&self) -> usize {
        let bordered = (self.side + 2) * (self.side + 2) * (self.channels + STAGE_PADDING);
        bordered + 4 * self.side * self.side
    }

    fn kernel(&self) -> Option<&'static Kernel> {
        match self.channels {
            16 => Some(&kernels::STAGE_16),
            32 => Some(&kernels::STAGE_32),
            _ => None,
        }
    }

    /// Whether there is a kernel for its sizes, and room on the device.
    pub(super) fn fits(&self, cuda: &Cuda) -> bool {
        let small = self.side * self.side <= STAGE_PIXELS;
        small && self.kernel().is_some() && cuda.has_shared(self.shared())
    }

    /// Runs it.
    ///
    /// # Panics
    /// If it does not fit.
    pub(super) fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &Buffer) {
        let kernel = self.kernel().expect("a stage that fits has a kernel");
        let g = StageGeometry {
            n: count(self.n),
            side: count(self.side),
        };
        let mut arguments = vec![geometry(&g)];
        arguments.extend(self.inputs.map(|id| Argument::In(inputs[id.0])));
        arguments.push(Argument::Out(output));
        let grid = Grid::each(self.n).with_shared(self.shared());
        cuda.launch(kernel, grid, &arguments);
    }
}
