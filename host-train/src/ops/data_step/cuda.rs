//! Data step on a GPU.

use derefnet_cuda_kernels::{DATA_STEP, DATA_STEP_PARTIALS, DataStepGeometry};

use super::DataStep;
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, count, geometry};
use crate::ops::{Operator, Saved, as_on_the_cpu};

impl DataStep {
    fn on_the_device(&self) -> DataStepGeometry {
        DataStepGeometry {
            n: count(self.n),
            side: count(self.side),
        }
    }

    /// One map a block, with it, the matrix and two products in shared memory.
    fn grid(&self) -> Grid {
        Grid::each(self.n).with_shared(4 * self.side * self.side)
    }
}

impl Operator<Cuda> for DataStep {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let g = self.on_the_device();
        let [h, back, rho, gram] = [0, 1, 2, 3].map(|i| Argument::In(inputs[i]));
        let arguments = [geometry(&g), h, back, rho, gram, Argument::Out(output)];
        cuda.launch(&DATA_STEP, self.grid(), &arguments);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let g = self.on_the_device();
        let [h, back, rho, gram] = [0, 1, 2, 3].map(|i| Argument::In(saved.inputs[i]));
        let dr = Argument::In(saved.grad);
        if let Some(dh) = &grads[0] {
            // Linear in H with a symmetric matrix: the gradient is the step without data.
            let arguments = [
                geometry(&g),
                dr,
                Argument::Null,
                rho,
                gram,
                Argument::Out(dh),
            ];
            cuda.launch(&DATA_STEP, self.grid(), &arguments);
        }
        if let Some(drho) = &grads[2] {
            let part = cuda.doubles(self.n);
            let arguments = [geometry(&g), h, back, gram, dr, Argument::Out(&part)];
            cuda.launch(&DATA_STEP_PARTIALS, self.grid(), &arguments);
            cuda.sum(&part, -1.0, drho);
        }
    }
}
