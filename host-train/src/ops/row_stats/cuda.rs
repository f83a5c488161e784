//! Figures of rows on a GPU, one row a block; sums are carried in f64.

use derefnet_cuda_kernels::{ROW_COUNT, ROW_RMS, ROW_RMS_GRADIENT, RowGeometry};

use super::{RowCount, RowRms};
use crate::backend::Backend;
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, count, geometry};
use crate::ops::{Operator, Saved, as_on_the_cpu};

impl Operator<Cuda> for RowRms {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let arguments = [
            Argument::Count(self.len),
            Argument::In(inputs[0]),
            Argument::Out(output),
        ];
        cuda.launch(&ROW_RMS, Grid::each(self.rows), &arguments);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let Some(dv) = &grads[0] else { return };
        let g = RowGeometry {
            rows: count(self.rows),
            len: count(self.len),
        };
        let arguments = [
            geometry(&g),
            Argument::In(saved.inputs[0]),
            Argument::In(saved.output),
            Argument::In(saved.grad),
            Argument::Out(dv),
        ];
        cuda.launch(&ROW_RMS_GRADIENT, Grid::over(dv.len()), &arguments);
    }
}

impl Operator<Cuda> for RowCount {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let arguments = [
            Argument::Count(self.len),
            Argument::Float(self.scale),
            Argument::In(inputs[0]),
            Argument::Out(output),
        ];
        cuda.launch(&ROW_COUNT, Grid::each(self.rows), &arguments);
    }

    fn backward(&self, cuda: &Cuda, _: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        if let Some(dx) = &mut grads[0] {
            cuda.fill(dx, 0.0);
        }
    }
}
