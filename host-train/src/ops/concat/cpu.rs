//! Concatenation on the CPU.

use rayon::prelude::*;

use super::Concat;
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::{Operator, Saved};

/// Pixels per task.
const BLOCK: usize = 1 << 11;

impl Concat {
    fn total(&self) -> usize {
        self.channels.iter().sum()
    }
}

impl Operator<Cpu> for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn output_len(&self) -> usize {
        self.pixels * self.total()
    }

    fn forward(&self, _: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let total = self.total();
        output
            .par_chunks_mut(BLOCK * total)
            .enumerate()
            .for_each(|(block, out)| {
                let mut first = 0;
                for (x, &c) in inputs.iter().zip(&self.channels) {
                    let x = &x[block * BLOCK * c..];
                    for (out, x) in out.chunks_exact_mut(total).zip(x.chunks_exact(c)) {
                        out[first..first + c].copy_from_slice(x);
                    }
                    first += c;
                }
            });
    }

    fn backward(&self, _: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let total = self.total();
        let mut first = 0;
        for (grad, &c) in grads.iter_mut().zip(&self.channels) {
            if let Some(dx) = grad {
                dx.par_chunks_mut(BLOCK * c)
                    .zip(saved.grad.par_chunks(BLOCK * total))
                    .for_each(|(dx, dy)| {
                        for (dx, dy) in dx.chunks_exact_mut(c).zip(dy.chunks_exact(total)) {
                            dx.copy_from_slice(&dy[first..first + c]);
                        }
                    });
            }
            first += c;
        }
    }
}
