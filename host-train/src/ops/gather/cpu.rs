//! Gather on the CPU.

use rayon::prelude::*;

use super::Gather;
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::{Operator, Saved};

impl Operator<Cpu> for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn output_len(&self) -> usize {
        self.index.len() * self.item
    }

    fn forward(&self, _: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        output
            .par_chunks_mut(self.item)
            .zip(&self.index)
            .for_each(|(y, &i)| y.copy_from_slice(&inputs[0][i * self.item..(i + 1) * self.item]));
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let Some(dx) = &mut grads[0] else { return };
        let mut readers = vec![Vec::new(); self.sources];
        for (reader, &source) in self.index.iter().enumerate() {
            readers[source].push(reader);
        }
        let isa = cpu.isa();
        dx.par_chunks_mut(self.item)
            .zip(readers)
            .for_each(|(dx, readers)| {
                isa.run(|| {
                    dx.fill(0.0);
                    for reader in readers {
                        let dy = &saved.grad[reader * self.item..(reader + 1) * self.item];
                        for (d, g) in dx.iter_mut().zip(dy) {
                            *d += g;
                        }
                    }
                });
            });
    }
}
