//! Losses of masks on a GPU, in f64.

use derefnet_cuda_kernels::{
    MASK_LOSS_FRAMES, MASK_LOSS_GRADIENT, MASK_LOSS_SUMS, MaskGeometry, OVERLAP_SENSITIVE,
    OVERLAP_SOFT,
};

use super::{MaskLoss, Overlap};
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, count, geometry};
use crate::ops::{Operator, Saved, as_on_the_cpu};

/// Sums of a frame, and factors of its slope.
const SUMS: usize = 7;
const FACTORS: usize = 4;

impl MaskLoss {
    fn on_the_device(&self) -> MaskGeometry {
        MaskGeometry {
            n: count(self.n),
            h: count(self.h),
            w: count(self.w),
            overlap: match self.overlap {
                Overlap::Soft => OVERLAP_SOFT,
                Overlap::Sensitive => OVERLAP_SENSITIVE,
            },
        }
    }

    /// The value into `output`; returns the factors of all frames' slopes.
    fn judge(&self, cuda: &Cuda, inputs: &[&Buffer], output: &Buffer) -> Buffer {
        let (g, sums) = (self.on_the_device(), cuda.doubles(SUMS * self.n));
        let slopes = cuda.doubles(FACTORS * self.n);
        let arguments = [
            geometry(&g),
            Argument::In(inputs[0]),
            Argument::In(inputs[1]),
            Argument::Out(&sums),
        ];
        cuda.launch(&MASK_LOSS_SUMS, Grid::each(self.n), &arguments);
        let arguments = [
            geometry(&g),
            Argument::In(&sums),
            Argument::Out(&slopes),
            Argument::Out(output),
        ];
        cuda.launch(&MASK_LOSS_FRAMES, Grid::each(1), &arguments);
        slopes
    }
}

impl Operator<Cuda> for MaskLoss {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        self.judge(cuda, inputs, output);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let Some(dz) = &grads[0] else { return };
        let value = cuda.doubles(1);
        let slopes = self.judge(cuda, saved.inputs, &value);
        let g = self.on_the_device();
        let arguments = [
            geometry(&g),
            Argument::In(&slopes),
            Argument::In(saved.inputs[0]),
            Argument::In(saved.inputs[1]),
            Argument::In(saved.grad),
            Argument::Out(dz),
        ];
        cuda.launch(&MASK_LOSS_GRADIENT, Grid::over(dz.len()), &arguments);
    }
}
