//! Strided and transposed convolutions on a GPU: matrix products on tensor cores.

use derefnet_cuda_kernels as kernels;
use kernels::{ConvGeometry, StrideGeometry};

use super::{Stride, StridedConv2d, TransposedConv2d};
use crate::backend::Backend;
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, Slabs, count, geometry};
use crate::ops::conv2d::cuda::{gradient_grid, product_grid, sum_slabs};
use crate::ops::normalise::cuda::{column_grid, maps};
use crate::ops::{Operator, Saved, as_on_the_cpu};
use crate::tensor::Shape;

/// A pair of maps and the kernel between them.
struct Layer {
    large: Shape,
    small: Shape,
    by: Stride,
}

impl Layer {
    fn on_the_device(&self, large: &Buffer, small: &Buffer) -> StrideGeometry {
        StrideGeometry {
            n: count(self.large.n),
            h: count(self.large.h),
            w: count(self.large.w),
            c: count(self.large.c),
            small_h: count(self.small.h),
            small_w: count(self.small.w),
            small_c: count(self.small.c),
            k: count(self.by.kernel),
            stride: count(self.by.stride),
            padding: count(self.by.padding),
            vector: u32::from(large.reads_by_four(self.large.c)),
            small_vector: u32::from(small.reads_by_four(self.small.c)),
        }
    }

    /// From the large map to the small one.
    fn down(&self, cuda: &Cuda, large: &Buffer, w: &Buffer, bias: Argument<'_>, small: &Buffer) {
        let g = self.on_the_device(large, small);
        let arguments = [
            geometry(&g),
            Argument::In(large),
            Argument::In(w),
            bias,
            Argument::Out(small),
        ];
        let grid = product_grid(self.small.n * self.small.pixels(), self.small.c);
        cuda.launch(&kernels::STRIDED_DOWN, grid, &arguments);
    }

    /// From the small map to the large one, each plane of the grid the pixels that lie alike.
    fn up(&self, cuda: &Cuda, small: &Buffer, w: &Buffer, bias: Argument<'_>, large: &Buffer) {
        let g = self.on_the_device(large, small);
        let arguments = [
            geometry(&g),
            Argument::In(small),
            Argument::In(w),
            bias,
            Argument::Out(large),
        ];
        let stride = self.by.stride;
        let pixels = self.large.h.div_ceil(stride) * self.large.w.div_ceil(stride);
        let grid = product_grid(self.large.n * pixels, self.large.c).with_planes(stride * stride);
        cuda.launch(&kernels::STRIDED_UP, grid, &arguments);
    }

    /// Gradient by the kernel: slabs of pixels first, then their sum.
    fn kernel_gradient(&self, cuda: &Cuda, large: &Buffer, small: &Buffer, dw: &Buffer) {
        let slabs = Slabs::new(self.small.n * self.small.pixels());
        let (g, s) = (self.on_the_device(large, small), slabs.geometry());
        let part = cuda.alloc(slabs.count() * dw.len());
        let arguments = [
            geometry(&g),
            geometry(&s),
            Argument::In(large),
            Argument::In(small),
            Argument::Out(&part),
        ];
        let grid = gradient_grid(&slabs, self.small.c, dw.len() / self.small.c);
        cuda.launch(&kernels::STRIDED_KERNEL_GRADIENT, grid, &arguments);
        let kernel = ConvGeometry {
            n: g.n,
            h: g.small_h,
            w: g.small_w,
            c: g.c,
            out: g.small_c,
            k: g.k,
            activation: 0,
            vector: g.vector,
            out_vector: g.small_vector,
        };
        sum_slabs(cuda, &kernel, &slabs, &part, dw);
    }
}

/// Sum of the gradient's pixels.
fn bias_gradient(cuda: &Cuda, dy: &Buffer, db: &Buffer) {
    let channels = db.len();
    let pixels = dy.len() / channels;
    let (g, slabs) = (maps(pixels, channels), Slabs::new(pixels));
    let (s, part) = (slabs.geometry(), cuda.doubles(slabs.count() * channels));
    let arguments = [
        geometry(&g),
        geometry(&s),
        Argument::In(dy),
        Argument::Out(&part),
    ];
    let grid = column_grid(&slabs, channels, 1);
    cuda.launch(&kernels::STRIDED_BIAS_PARTIALS, grid, &arguments);
    let arguments = [
        Argument::Count(channels),
        geometry(&s),
        Argument::In(&part),
        Argument::Out(db),
    ];
    cuda.launch(&kernels::STRIDED_BIAS_SUM, Grid::over(channels), &arguments);
}

/// The third input, where there is one.
fn bias<'a>(inputs: &[&'a Buffer]) -> Argument<'a> {
    inputs.get(2).map_or(Argument::Null, |b| Argument::In(b))
}

impl Operator<Cuda> for StridedConv2d {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        self.layer()
            .down(cuda, inputs[0], inputs[1], bias(inputs), output);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let (x, w) = (saved.inputs[0], saved.inputs[1]);
        if let Some(dx) = &grads[0] {
            self.layer().up(cuda, saved.grad, w, Argument::Null, dx);
        }
        if let Some(dw) = &grads[1] {
            self.layer().kernel_gradient(cuda, x, saved.grad, dw);
        }
        if let Some(Some(db)) = grads.get(2) {
            bias_gradient(cuda, saved.grad, db);
        }
    }
}

impl StridedConv2d {
    fn layer(&self) -> Layer {
        Layer {
            large: self.input,
            small: self.output(),
            by: self.by,
        }
    }
}

impl Operator<Cuda> for TransposedConv2d {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        self.layer()
            .up(cuda, inputs[0], inputs[1], bias(inputs), output);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let (x, w) = (saved.inputs[0], saved.inputs[1]);
        if let Some(dx) = &grads[0] {
            self.layer().down(cuda, saved.grad, w, Argument::Null, dx);
        }
        if let Some(dw) = &grads[1] {
            self.layer().kernel_gradient(cuda, saved.grad, x, dw);
        }
        if let Some(Some(db)) = grads.get(2) {
            bias_gradient(cuda, saved.grad, db);
        }
    }
}

impl TransposedConv2d {
    fn layer(&self) -> Layer {
        Layer {
            large: self.output(),
            small: self.input,
            by: self.by,
        }
    }
}
