//! Convolution on a GPU: a matrix product on tensor cores, or a sum per value where either side has
//! few channels.

use derefnet_cuda_kernels as kernels;
use kernels::{ConvGeometry, GRADIENT_COLUMNS, GRADIENT_OUTS, PRODUCT_OUTS, PRODUCT_ROWS};

use super::{Activation, Conv2d};
use crate::backend::Backend;
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, Slabs, count, geometry};
use crate::ops::{Operator, Saved, as_on_the_cpu};
use crate::tensor::Shape;

/// Channels on both sides from which on a layer is a matrix product.
const WIDE: usize = 8;
/// Values of a kernel that fit into shared memory without asking.
const MOST_SHARED: usize = 12_288;

/// Blocks of a matrix product of `rows` pixels and `outs` outputs.
pub(in crate::ops) fn product_grid(rows: usize, outs: usize) -> Grid {
    Grid::new([rows.div_ceil(PRODUCT_ROWS), outs.div_ceil(PRODUCT_OUTS), 1])
}

/// Blocks of a kernel's gradient of `outs` outputs with `depth` values each.
pub(in crate::ops) fn gradient_grid(slabs: &Slabs, outs: usize, depth: usize) -> Grid {
    let columns = depth.div_ceil(GRADIENT_COLUMNS);
    Grid::new([slabs.count(), columns, outs.div_ceil(GRADIENT_OUTS)])
}

/// Geometry of a layer that reads `x` and has `dy (.., out)` behind it.
pub(in crate::ops) fn layer(
    shape: Shape,
    out: usize,
    kernel: usize,
    x: &Buffer,
    dy: &Buffer,
) -> ConvGeometry {
    ConvGeometry {
        n: count(shape.n),
        h: count(shape.h),
        w: count(shape.w),
        c: count(shape.c),
        out: count(out),
        k: count(kernel),
        activation: 0,
        vector: u32::from(x.reads_by_four(shape.c)),
        out_vector: u32::from(dy.reads_by_four(out)),
    }
}

impl Conv2d {
    fn pixels(&self) -> usize {
        self.input.n * self.input.pixels()
    }

    fn is_direct(&self) -> bool {
        let few = self.input.c < WIDE || self.out_channels < WIDE;
        few && self.weights() <= MOST_SHARED
    }

    /// Blocks for `outs` outputs a pixel, and whether the direct kernel is meant.
    fn grid(&self, outs: usize) -> Grid {
        if self.is_direct() {
            Grid::over(self.pixels() * outs).with_shared(self.weights())
        } else {
            product_grid(self.pixels(), outs)
        }
    }

    /// Gradient of the sums before the activation, where there is one.
    fn before_activation(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>) -> Option<Buffer> {
        let kind = self.activation.number();
        (kind != 0).then(|| {
            let len = saved.grad.len();
            let dsum = cuda.alloc(len);
            let arguments = [
                Argument::Count(len),
                Argument::Count(kind as usize),
                Argument::In(saved.output),
                Argument::In(saved.grad),
                Argument::Out(&dsum),
            ];
            let kernel = &kernels::CONV2D_ACTIVATION_GRADIENT;
            cuda.launch(kernel, Grid::over(len), &arguments);
            dsum
        })
    }

    /// Gradient by the input: a convolution with the turned kernel.
    fn data_gradient(&self, cuda: &Cuda, dy: &Buffer, w: &Buffer, dx: &Buffer) {
        let shape = self.output();
        let g = layer(shape, self.input.c, self.kernel, dy, dx);
        let kernel = if self.is_direct() {
            &kernels::CONV2D_DIRECT_DATA_GRADIENT
        } else {
            &kernels::CONV2D_DATA_GRADIENT
        };
        let arguments = [
            geometry(&g),
            Argument::In(dy),
            Argument::In(w),
            Argument::Out(dx),
        ];
        cuda.launch(kernel, self.grid(self.input.c), &arguments);
    }

    /// Gradients by kernel and bias: slabs of pixels first, then their sums.
    fn kernel_gradient(
        &self,
        cuda: &Cuda,
        (x, dy): (&Buffer, &Buffer),
        dw: Option<&Buffer>,
        db: Option<&Buffer>,
    ) {
        let slabs = Slabs::new(self.pixels());
        let (g, s) = (
            layer(self.input, self.out_channels, self.kernel, x, dy),
            slabs.geometry(),
        );
        let part = cuda.alloc(slabs.count() * self.weights());
        let bias = db.map(|db| cuda.alloc(slabs.count() * db.len()));
        let arguments = [
            geometry(&g),
            geometry(&s),
            Argument::In(x),
            Argument::In(dy),
            Argument::Out(&part),
            bias.as_ref().map_or(Argument::Null, Argument::Out),
        ];
        let depth = self.weights() / self.out_channels;
        let grid = gradient_grid(&slabs, self.out_channels, depth);
        cuda.launch(&kernels::CONV2D_KERNEL_GRADIENT, grid, &arguments);
        if let Some(dw) = dw {
            sum_slabs(cuda, &g, &slabs, &part, dw);
        }
        if let (Some(db), Some(bias)) = (db, &bias) {
            let arguments = [
                Argument::Count(db.len()),
                geometry(&s),
                Argument::In(bias),
                Argument::Out(db),
            ];
            cuda.launch(&kernels::CONV2D_BIAS_SUM, Grid::over(db.len()), &arguments);
        }
    }
}

/// Adds up the slabs' shares of a kernel's gradient.
pub(in crate::ops) fn sum_slabs(
    cuda: &Cuda,
    g: &ConvGeometry,
    slabs: &Slabs,
    part: &Buffer,
    dw: &Buffer,
) {
    let s = slabs.geometry();
    let arguments = [
        geometry(g),
        geometry(&s),
        Argument::In(part),
        Argument::Out(dw),
    ];
    cuda.launch(
        &kernels::CONV2D_KERNEL_SUM,
        Grid::over(dw.len()),
        &arguments,
    );
}

impl Activation {
    /// As kernels have it.
    fn number(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Relu => 1,
            Self::Sigmoid => 2,
        }
    }
}

impl Operator<Cuda> for Conv2d {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let g = ConvGeometry {
            activation: self.activation.number(),
            ..layer(
                self.input,
                self.out_channels,
                self.kernel,
                inputs[0],
                output,
            )
        };
        let kernel = if self.is_direct() {
            &kernels::CONV2D_DIRECT
        } else {
            &kernels::CONV2D
        };
        let arguments = [
            geometry(&g),
            Argument::In(inputs[0]),
            Argument::In(inputs[1]),
            inputs.get(2).map_or(Argument::Null, |b| Argument::In(b)),
            Argument::Out(output),
        ];
        cuda.launch(kernel, self.grid(self.out_channels), &arguments);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let dsum = self.before_activation(cuda, saved);
        let dy = dsum.as_ref().unwrap_or(saved.grad);
        if let Some(dx) = &grads[0] {
            self.data_gradient(cuda, dy, saved.inputs[1], dx);
        }
        let (dw, db) = (grads[1].as_ref(), grads.get(2).and_then(Option::as_ref));
        if dw.is_some() || db.is_some() {
            self.kernel_gradient(cuda, (saved.inputs[0], dy), dw, db);
        }
    }
}
