//! Channel statistics on a GPU.

use derefnet_cuda_kernels::{CHANNEL_STATS, CHANNEL_STATS_GRADIENT, GroupGeometry};

use super::ChannelStats;
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, count, geometry};
use crate::ops::{Operator, Saved, as_on_the_cpu};

impl ChannelStats {
    fn on_the_device(&self) -> GroupGeometry {
        GroupGeometry {
            pixels: count(self.pixels),
            channels: count(self.channels),
            groups: 1,
        }
    }
}

impl Operator<Cuda> for ChannelStats {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let g = self.on_the_device();
        let arguments = [geometry(&g), Argument::In(inputs[0]), Argument::Out(output)];
        cuda.launch(&CHANNEL_STATS, Grid::over(self.pixels), &arguments);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let Some(dx) = &grads[0] else { return };
        let g = self.on_the_device();
        let arguments = [
            geometry(&g),
            Argument::In(saved.inputs[0]),
            Argument::In(saved.output),
            Argument::In(saved.grad),
            Argument::Out(dx),
        ];
        cuda.launch(&CHANNEL_STATS_GRADIENT, Grid::over(self.pixels), &arguments);
    }
}
