//! Pixel shuffle on the CPU.

use rayon::prelude::*;

use super::PixelShuffle;
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::{Operator, Saved};

impl PixelShuffle {
    /// Calls `visit(place in x, place in y)` for every value of one map.
    #[inline(always)]
    fn pairs(&self, mut visit: impl FnMut(usize, usize)) {
        let (f, from, to) = (self.factor, self.input, self.output());
        for i in 0..to.h {
            for j in 0..to.w {
                let x = (i / f * from.w + j / f) * from.c + f * (i % f) + j % f;
                let y = (i * to.w + j) * to.c;
                for c in 0..to.c {
                    visit(x + c * f * f, y + c);
                }
            }
        }
    }
}

impl Operator<Cpu> for PixelShuffle {
    fn name(&self) -> &'static str {
        "pixel_shuffle"
    }

    fn output_len(&self) -> usize {
        self.input.len()
    }

    fn forward(&self, _: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let item = self.input.item();
        let maps = output.par_chunks_mut(item).zip(inputs[0].par_chunks(item));
        maps.for_each(|(y, x)| self.pairs(|from, to| y[to] = x[from]));
    }

    fn backward(&self, _: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let Some(dx) = &mut grads[0] else { return };
        let item = self.input.item();
        let maps = dx.par_chunks_mut(item).zip(saved.grad.par_chunks(item));
        maps.for_each(|(dx, dy)| self.pairs(|from, to| dx[from] = dy[to]));
    }
}
