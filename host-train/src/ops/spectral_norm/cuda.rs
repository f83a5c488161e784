//! Spectral normalisation on a GPU, in f64.

use derefnet_cuda_kernels as kernels;
use kernels::RowGeometry;

use super::{PowerIteration, SpectralNorm};
use crate::backend::Backend;
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, blocks, count, geometry};
use crate::ops::{Operator, Saved, as_on_the_cpu};

/// A matrix as kernels have it.
fn matrix(rows: usize, columns: usize) -> RowGeometry {
    RowGeometry {
        rows: count(rows),
        len: count(columns),
    }
}

/// Divides `values` (f64) by their norm, and writes them to `out` too.
fn to_unit(cuda: &Cuda, values: &Buffer, out: &Buffer) {
    let arguments = [
        Argument::Count(out.len()),
        Argument::Out(values),
        Argument::Out(out),
    ];
    cuda.launch(&kernels::SPECTRAL_UNIT, Grid::each(1), &arguments);
}

/// Sum of f64.
fn sum(cuda: &Cuda, part: &Buffer) -> Buffer {
    let out = cuda.doubles(1);
    let arguments = [
        Argument::Count(part.len() / 2),
        Argument::In(part),
        Argument::Out(&out),
    ];
    cuda.launch(&kernels::SPECTRAL_SUM, Grid::each(1), &arguments);
    out
}

impl Operator<Cuda> for PowerIteration {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let g = matrix(self.rows, self.columns);
        let (u, v) = (cuda.doubles(self.rows), cuda.doubles(self.columns));
        let arguments = [
            geometry(&g),
            Argument::In(inputs[0]),
            Argument::In(inputs[1]),
            Argument::Out(&v),
        ];
        let grid = Grid::over(self.columns);
        cuda.launch(&kernels::SPECTRAL_COLUMNS, grid, &arguments);
        to_unit(cuda, &v, &output.part(self.rows, self.columns));
        let arguments = [
            Argument::Count(self.columns),
            Argument::In(inputs[0]),
            Argument::In(&v),
            Argument::Out(&u),
        ];
        cuda.launch(&kernels::SPECTRAL_ROWS, Grid::each(self.rows), &arguments);
        to_unit(cuda, &u, &output.part(0, self.rows));
    }

    fn backward(&self, cuda: &Cuda, _: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        for grad in grads.iter_mut().flatten() {
            cuda.fill(grad, 0.0);
        }
    }
}

impl SpectralNorm {
    /// `uᵀ W v` (f64).
    fn singular_value(&self, cuda: &Cuda, inputs: &[&Buffer]) -> Buffer {
        let (g, part) = (matrix(self.rows, self.columns), cuda.doubles(self.rows));
        let arguments = [
            geometry(&g),
            Argument::In(inputs[0]),
            Argument::In(inputs[1]),
            Argument::Out(&part),
        ];
        let grid = Grid::each(self.rows);
        cuda.launch(&kernels::SPECTRAL_SIGMA_PARTIALS, grid, &arguments);
        sum(cuda, &part)
    }

    /// `Σ W ∘ dy` (f64).
    fn product(&self, cuda: &Cuda, w: &Buffer, dy: &Buffer) -> Buffer {
        let parts = blocks(w.len());
        let part = cuda.doubles(parts);
        let arguments = [
            Argument::Count(w.len()),
            Argument::In(w),
            Argument::In(dy),
            Argument::Out(&part),
        ];
        let grid = Grid::each(parts);
        cuda.launch(&kernels::SPECTRAL_PRODUCT_PARTIALS, grid, &arguments);
        sum(cuda, &part)
    }
}

impl Operator<Cuda> for SpectralNorm {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let sigma = self.singular_value(cuda, inputs);
        let arguments = [
            Argument::Count(output.len()),
            Argument::In(&sigma),
            Argument::In(inputs[0]),
            Argument::Out(output),
        ];
        let grid = Grid::over(output.len());
        cuda.launch(&kernels::SPECTRAL_NORM, grid, &arguments);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        if let Some(uv) = &mut grads[1] {
            cuda.fill(uv, 0.0);
        }
        let Some(dw) = &grads[0] else { return };
        let g = matrix(self.rows, self.columns);
        let sigma = self.singular_value(cuda, saved.inputs);
        let product = self.product(cuda, saved.inputs[0], saved.grad);
        let arguments = [
            geometry(&g),
            Argument::In(&sigma),
            Argument::In(&product),
            Argument::In(saved.inputs[1]),
            Argument::In(saved.grad),
            Argument::Out(dw),
        ];
        let grid = Grid::over(dw.len());
        cuda.launch(&kernels::SPECTRAL_NORM_GRADIENT, grid, &arguments);
    }
}
