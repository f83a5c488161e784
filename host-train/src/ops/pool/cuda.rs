//! Pooling on a GPU.

use derefnet_cuda_kernels::{POOL, POOL_GRADIENT, PoolGeometry, TAKE_MAX, TAKE_MEAN};

use super::{Pool, Take};
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, count, geometry};
use crate::ops::{Operator, Saved, as_on_the_cpu};

impl Pool {
    fn on_the_device(&self) -> PoolGeometry {
        PoolGeometry {
            n: count(self.input.n),
            h: count(self.input.h),
            w: count(self.input.w),
            c: count(self.input.c),
            rows: count(self.window[0]),
            columns: count(self.window[1]),
            take: match self.take {
                Take::Mean => TAKE_MEAN,
                Take::Max => TAKE_MAX,
            },
        }
    }
}

impl Operator<Cuda> for Pool {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let g = self.on_the_device();
        let arguments = [geometry(&g), Argument::In(inputs[0]), Argument::Out(output)];
        cuda.launch(&POOL, Grid::over(output.len()), &arguments);
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
        cuda.launch(&POOL_GRADIENT, Grid::over(dx.len()), &arguments);
    }
}
