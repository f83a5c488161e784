//! Position code on a GPU.

use derefnet_cuda_kernels::{
    TIME_CODE_GATES, TIME_CODE_GRADIENT, TIME_CODE_ROW_SUMS, TIME_CODE_WEIGHT_GRADIENT,
    TimeGeometry,
};

use super::TimeCode;
use crate::backend::Backend;
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, count, geometry};
use crate::ops::{Operator, Saved, as_on_the_cpu};

impl TimeCode {
    fn on_the_device(&self) -> TimeGeometry {
        TimeGeometry {
            times: count(self.times.len()),
            len: count(self.len),
        }
    }

    fn times(&self, cuda: &Cuda) -> std::sync::Arc<Buffer> {
        let bits: Vec<u32> = self.times.iter().map(|t| t.to_bits()).collect();
        cuda.numbers(&bits)
    }
}

impl Operator<Cuda> for TimeCode {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let (g, times, sums) = (self.on_the_device(), self.times(cuda), cuda.alloc(self.len));
        let arguments = [
            Argument::Count(self.len),
            Argument::In(inputs[0]),
            Argument::Out(&sums),
        ];
        cuda.launch(&TIME_CODE_ROW_SUMS, Grid::each(self.len), &arguments);
        let arguments = [
            geometry(&g),
            Argument::In(&times),
            Argument::In(&sums),
            Argument::In(inputs[1]),
            Argument::Out(output),
        ];
        cuda.launch(&TIME_CODE_GATES, Grid::over(output.len()), &arguments);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let (g, times, dsums) = (self.on_the_device(), self.times(cuda), cuda.alloc(self.len));
        let arguments = [
            geometry(&g),
            Argument::In(&times),
            Argument::In(saved.output),
            Argument::In(saved.grad),
            Argument::Out(&dsums),
            grads[1].as_ref().map_or(Argument::Null, Argument::Out),
        ];
        cuda.launch(&TIME_CODE_GRADIENT, Grid::over(self.len), &arguments);
        if let Some(dw) = &grads[0] {
            let arguments = [
                Argument::Count(self.len),
                Argument::In(&dsums),
                Argument::Out(dw),
            ];
            let grid = Grid::over(dw.len());
            cuda.launch(&TIME_CODE_WEIGHT_GRADIENT, grid, &arguments);
        }
    }
}
