//! Concatenation on a GPU.

use derefnet_cuda_kernels::{CONCAT_COPY, ConcatGeometry};

use super::Concat;
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, count, geometry};
use crate::ops::{Operator, Saved, as_on_the_cpu};

impl Concat {
    /// Copies `channels` channels from channel `from.0` of `from.1` to channel `to.0` of `to.1`.
    fn copy(
        &self,
        cuda: &Cuda,
        channels: usize,
        (from, from_total, source): (usize, usize, &Buffer),
        (to, to_total, target): (usize, usize, &Buffer),
    ) {
        let g = ConcatGeometry {
            pixels: count(self.pixels),
            channels: count(channels),
            from: count(from),
            from_total: count(from_total),
            to: count(to),
            to_total: count(to_total),
        };
        let arguments = [geometry(&g), Argument::In(source), Argument::Out(target)];
        cuda.launch(&CONCAT_COPY, Grid::over(self.pixels * channels), &arguments);
    }

    /// First channel of each input.
    fn starts(&self) -> impl Iterator<Item = usize> {
        self.channels.iter().scan(0, |next, &c| {
            *next += c;
            Some(*next - c)
        })
    }
}

impl Operator<Cuda> for Concat {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let total = self.channels.iter().sum();
        for ((x, &c), first) in inputs.iter().zip(&self.channels).zip(self.starts()) {
            self.copy(cuda, c, (0, c, x), (first, total, output));
        }
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let total = self.channels.iter().sum();
        for ((grad, &c), first) in grads.iter().zip(&self.channels).zip(self.starts()) {
            if let Some(dx) = grad {
                self.copy(cuda, c, (first, total, saved.grad), (0, c, dx));
            }
        }
    }
}
