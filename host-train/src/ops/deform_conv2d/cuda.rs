//! Deformable convolution on a GPU: the matrix product of the ordinary one, over samples that are
//! taken on the way.

use derefnet_cuda_kernels as kernels;
use kernels::ConvGeometry;

use super::{DeformConv2d, TAPS};
use crate::backend::Backend;
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, Slabs, geometry};
use crate::ops::conv2d::cuda::{gradient_grid, layer, product_grid, sum_slabs};
use crate::ops::{Operator, Saved, as_on_the_cpu};

/// Side of the kernel.
const SIDE: usize = 3;

impl DeformConv2d {
    fn pixels(&self) -> usize {
        self.input.n * self.input.pixels()
    }

    fn on_the_device(&self, x: &Buffer, dy: &Buffer) -> ConvGeometry {
        layer(self.input, self.out_channels, SIDE, x, dy)
    }

    /// Gradient by the samples, `(pixels, taps, c)`.
    fn sample_gradient(&self, cuda: &Cuda, g: &ConvGeometry, saved: &Saved<'_, Cuda>) -> Buffer {
        let outs = TAPS * self.input.c;
        let dsamples = cuda.alloc(self.pixels() * outs);
        let arguments = [
            geometry(g),
            Argument::In(saved.grad),
            Argument::In(saved.inputs[2]),
            Argument::Out(&dsamples),
        ];
        let grid = product_grid(self.pixels(), outs);
        cuda.launch(&kernels::DEFORM_SAMPLE_GRADIENT, grid, &arguments);
        dsamples
    }

    fn offset_gradient(
        &self,
        cuda: &Cuda,
        g: &ConvGeometry,
        saved: &Saved<'_, Cuda>,
        dsamples: &Buffer,
        doffsets: &Buffer,
    ) {
        let arguments = [
            geometry(g),
            Argument::In(saved.inputs[0]),
            Argument::In(saved.inputs[1]),
            Argument::In(dsamples),
            Argument::Out(doffsets),
        ];
        let grid = Grid::over(self.pixels() * TAPS);
        cuda.launch(&kernels::DEFORM_OFFSET_GRADIENT, grid, &arguments);
    }

    /// Every pixel collects from the samples that read it, which lists name.
    fn input_gradient(
        &self,
        cuda: &Cuda,
        g: &ConvGeometry,
        offsets: &Buffer,
        dsamples: &Buffer,
        dx: &Buffer,
    ) {
        let places = (self.input.h + 1) * (self.input.w + 1);
        let heads = cuda.alloc(self.input.n * places);
        let before = cuda.alloc(self.pixels() * TAPS);
        let arguments = [
            geometry(g),
            Argument::In(offsets),
            Argument::Out(&heads),
            Argument::Out(&before),
        ];
        cuda.launch(&kernels::DEFORM_LISTS, Grid::each(self.input.n), &arguments);
        let arguments = [
            geometry(g),
            Argument::In(offsets),
            Argument::In(dsamples),
            Argument::In(&heads),
            Argument::In(&before),
            Argument::Out(dx),
        ];
        let grid = Grid::over(dx.len());
        cuda.launch(&kernels::DEFORM_INPUT_GRADIENT, grid, &arguments);
    }

    fn kernel_gradient(&self, cuda: &Cuda, g: &ConvGeometry, saved: &Saved<'_, Cuda>, dw: &Buffer) {
        let slabs = Slabs::new(self.pixels());
        let s = slabs.geometry();
        let part = cuda.alloc(slabs.count() * dw.len());
        let arguments = [
            geometry(g),
            geometry(&s),
            Argument::In(saved.inputs[0]),
            Argument::In(saved.inputs[1]),
            Argument::In(saved.grad),
            Argument::Out(&part),
        ];
        let grid = gradient_grid(&slabs, self.out_channels, TAPS * self.input.c);
        cuda.launch(&kernels::DEFORM_KERNEL_GRADIENT, grid, &arguments);
        sum_slabs(cuda, g, &slabs, &part, dw);
    }
}

impl Operator<Cuda> for DeformConv2d {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let g = self.on_the_device(inputs[0], output);
        let arguments = [
            geometry(&g),
            Argument::In(inputs[0]),
            Argument::In(inputs[1]),
            Argument::In(inputs[2]),
            Argument::Out(output),
        ];
        let grid = product_grid(self.pixels(), self.out_channels);
        cuda.launch(&kernels::DEFORM, grid, &arguments);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let g = self.on_the_device(saved.inputs[0], saved.grad);
        if grads[0].is_some() || grads[1].is_some() {
            let dsamples = self.sample_gradient(cuda, &g, saved);
            if let Some(dx) = &grads[0] {
                self.input_gradient(cuda, &g, saved.inputs[1], &dsamples, dx);
            }
            if let Some(doffsets) = &grads[1] {
                self.offset_gradient(cuda, &g, saved, &dsamples, doffsets);
            }
        }
        if let Some(dw) = &grads[2] {
            self.kernel_gradient(cuda, &g, saved, dw);
        }
    }
}
