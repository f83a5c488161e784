//! Group scale on a GPU.

use derefnet_cuda_kernels::{GROUP_SCALE, GROUP_SCALE_GRADIENT, GroupGeometry};

use super::GroupScale;
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, count, geometry};
use crate::ops::{Operator, Saved, as_on_the_cpu};

impl GroupScale {
    fn on_the_device(&self) -> GroupGeometry {
        GroupGeometry {
            pixels: count(self.pixels),
            channels: count(self.channels),
            groups: count(self.groups),
        }
    }

    fn launch(&self, cuda: &Cuda, x: &Buffer, s: &Buffer, y: &Buffer) {
        let g = self.on_the_device();
        let arguments = [
            geometry(&g),
            Argument::In(x),
            Argument::In(s),
            Argument::Out(y),
        ];
        cuda.launch(&GROUP_SCALE, Grid::over(y.len()), &arguments);
    }
}

impl Operator<Cuda> for GroupScale {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        self.launch(cuda, inputs[0], inputs[1], output);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        if let Some(dx) = &grads[0] {
            self.launch(cuda, saved.grad, saved.inputs[1], dx);
        }
        if let Some(ds) = &grads[1] {
            let g = self.on_the_device();
            let arguments = [
                geometry(&g),
                Argument::In(saved.inputs[0]),
                Argument::In(saved.grad),
                Argument::Out(ds),
            ];
            cuda.launch(&GROUP_SCALE_GRADIENT, Grid::over(ds.len()), &arguments);
        }
    }
}
