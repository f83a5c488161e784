//! Gather on a GPU.

use derefnet_cuda_kernels::{GATHER, GATHER_GRADIENT, THREADS};

use super::Gather;
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, count};
use crate::ops::{Operator, Saved, as_on_the_cpu};

impl Gather {
    /// Blocks that an item takes.
    fn slices(&self) -> usize {
        self.item.div_ceil(THREADS as usize)
    }

    /// Readers of every source, one source after the other, and where each source's start.
    fn readers(&self) -> (Vec<u32>, Vec<u32>) {
        let (mut starts, mut readers) = (vec![0], Vec::new());
        for source in 0..self.sources {
            let own = self.index.iter().enumerate().filter(|(_, i)| **i == source);
            readers.extend(own.map(|(reader, _)| count(reader)));
            starts.push(count(readers.len()));
        }
        (starts, readers)
    }
}

impl Operator<Cuda> for Gather {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let index: Vec<u32> = self.index.iter().map(|&i| count(i)).collect();
        let index = cuda.numbers(&index);
        let arguments = [
            Argument::Count(self.item),
            Argument::Count(self.slices()),
            Argument::In(&index),
            Argument::In(inputs[0]),
            Argument::Out(output),
        ];
        let grid = Grid::each(self.slices() * self.index.len());
        cuda.launch(&GATHER, grid, &arguments);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let Some(dx) = &grads[0] else { return };
        let (starts, readers) = self.readers();
        let (starts, readers) = (cuda.numbers(&starts), cuda.numbers(&readers));
        let arguments = [
            Argument::Count(self.item),
            Argument::Count(self.slices()),
            Argument::In(&starts),
            Argument::In(&readers),
            Argument::In(saved.grad),
            Argument::Out(dx),
        ];
        let grid = Grid::each(self.slices() * self.sources);
        cuda.launch(&GATHER_GRADIENT, grid, &arguments);
    }
}
