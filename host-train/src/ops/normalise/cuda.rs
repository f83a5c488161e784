//! Batch normalisation on a GPU; sums over pixels are carried in f64, slab by slab.

use derefnet_cuda_kernels as kernels;
use kernels::{COLUMN_CHANNELS, GroupGeometry};

use super::{Moments, Normalise};
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, Slabs, count, geometry};
use crate::ops::{Operator, Saved, as_on_the_cpu};

/// Maps `(pixels, channels)` as kernels have them.
pub(in crate::ops) fn maps(pixels: usize, channels: usize) -> GroupGeometry {
    GroupGeometry {
        pixels: count(pixels),
        channels: count(channels),
        groups: 1,
    }
}

/// Blocks of `planes` sums over pixels, channel by channel.
pub(in crate::ops) fn column_grid(slabs: &Slabs, channels: usize, planes: usize) -> Grid {
    Grid::new([slabs.count(), channels.div_ceil(COLUMN_CHANNELS), planes])
}

impl Operator<Cuda> for Moments {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let (g, slabs) = (maps(self.pixels, self.channels), Slabs::new(self.pixels));
        let s = slabs.geometry();
        let part = cuda.doubles(slabs.count() * self.channels);
        let mean = cuda.doubles(self.channels);
        let variance = cuda.doubles(self.channels);
        let moments = [(None, &mean), (Some(&mean), &variance)];
        for (k, (centre, wide)) in moments.into_iter().enumerate() {
            let arguments = [
                geometry(&g),
                geometry(&s),
                Argument::In(inputs[0]),
                centre.map_or(Argument::Null, Argument::In),
                Argument::Out(&part),
            ];
            let grid = column_grid(&slabs, self.channels, 1);
            cuda.launch(&kernels::MOMENT_PARTIALS, grid, &arguments);
            let rounded = output.part(k * self.channels, self.channels);
            let arguments = [
                geometry(&g),
                geometry(&s),
                Argument::In(&part),
                Argument::Out(wide),
                Argument::Out(&rounded),
            ];
            cuda.launch(&kernels::MOMENT, Grid::over(self.channels), &arguments);
        }
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let Some(dx) = &grads[0] else { return };
        let g = maps(self.pixels, self.channels);
        let arguments = [
            geometry(&g),
            Argument::In(saved.inputs[0]),
            Argument::In(saved.output),
            Argument::In(saved.grad),
            Argument::Out(dx),
        ];
        cuda.launch(&kernels::MOMENT_GRADIENT, Grid::over(dx.len()), &arguments);
    }
}

impl Normalise {
    /// Gradients by moments, `γ` and `β`, as far as they are wanted.
    fn parameter_gradients(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, wanted: &[Option<Buffer>]) {
        let (g, slabs) = (maps(self.pixels, self.channels), Slabs::new(self.pixels));
        let s = slabs.geometry();
        let [x, moments, gamma] = [0, 1, 2].map(|i| Argument::In(saved.inputs[i]));
        let part = cuda.doubles(2 * slabs.count() * self.channels);
        let arguments = [
            geometry(&g),
            geometry(&s),
            x,
            moments,
            Argument::In(saved.grad),
            Argument::Out(&part),
        ];
        let grid = column_grid(&slabs, self.channels, 2);
        cuda.launch(&kernels::NORMALISE_PARTIALS, grid, &arguments);
        let [dmoments, dgamma, dbeta] =
            [0, 1, 2].map(|i| wanted[i].as_ref().map_or(Argument::Null, Argument::Out));
        let arguments = [
            geometry(&g),
            geometry(&s),
            Argument::Float(self.epsilon),
            Argument::In(&part),
            moments,
            gamma,
            dmoments,
            dgamma,
            dbeta,
        ];
        let grid = Grid::over(self.channels);
        cuda.launch(&kernels::NORMALISE_GRADIENTS, grid, &arguments);
    }
}

impl Operator<Cuda> for Normalise {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let g = maps(self.pixels, self.channels);
        let [x, moments, gamma, beta] = [0, 1, 2, 3].map(|i| Argument::In(inputs[i]));
        let epsilon = Argument::Float(self.epsilon);
        let y = Argument::Out(output);
        let arguments = [geometry(&g), epsilon, x, moments, gamma, beta, y];
        cuda.launch(&kernels::NORMALISE, Grid::over(output.len()), &arguments);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        if let Some(dx) = &grads[0] {
            let g = maps(self.pixels, self.channels);
            let arguments = [
                geometry(&g),
                Argument::Float(self.epsilon),
                Argument::In(saved.inputs[1]),
                Argument::In(saved.inputs[2]),
                Argument::In(saved.grad),
                Argument::Out(dx),
            ];
            let kernel = &kernels::NORMALISE_INPUT_GRADIENT;
            cuda.launch(kernel, Grid::over(dx.len()), &arguments);
        }
        if grads[1..].iter().any(Option::is_some) {
            self.parameter_gradients(cuda, saved, &grads[1..]);
        }
    }
}
