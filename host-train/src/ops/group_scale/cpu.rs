//! Group scale on the CPU.

use rayon::prelude::*;

use super::GroupScale;
use crate::backend::cpu::{Buffer, Cpu};
use crate::ops::{Operator, Saved};

/// Pixels per task.
const BLOCK: usize = 1 << 10;

impl Operator<Cpu> for GroupScale {
    fn name(&self) -> &'static str {
        "group_scale"
    }

    fn output_len(&self) -> usize {
        self.pixels * self.channels
    }

    fn forward(&self, cpu: &Cpu, inputs: &[&Buffer], output: &mut Buffer) {
        let (c, isa) = (self.channels, cpu.isa());
        output
            .par_chunks_mut(c * BLOCK)
            .zip(inputs[0].par_chunks(c * BLOCK))
            .zip(inputs[1].par_chunks(self.groups * BLOCK))
            .for_each(|((out, x), s)| isa.run(|| self.scale(x, s, out)));
    }

    fn backward(&self, cpu: &Cpu, saved: &Saved<'_, Cpu>, grads: &mut [Option<Buffer>]) {
        let (c, isa) = (self.channels, cpu.isa());
        if let Some(dx) = &mut grads[0] {
            dx.par_chunks_mut(c * BLOCK)
                .zip(saved.grad.par_chunks(c * BLOCK))
                .zip(saved.inputs[1].par_chunks(self.groups * BLOCK))
                .for_each(|((dx, dy), s)| isa.run(|| self.scale(dy, s, dx)));
        }
        if let Some(ds) = &mut grads[1] {
            let group = c / self.groups;
            ds.par_chunks_mut(self.groups * BLOCK)
                .zip(saved.grad.par_chunks(c * BLOCK))
                .zip(saved.inputs[0].par_chunks(c * BLOCK))
                .for_each(|((ds, dy), x)| {
                    isa.run(|| {
                        let groups = dy.chunks_exact(group).zip(x.chunks_exact(group));
                        for (ds, (dy, x)) in ds.iter_mut().zip(groups) {
                            *ds = dy.iter().zip(x).map(|(a, b)| a * b).sum();
                        }
                    });
                });
        }
    }
}

impl GroupScale {
    #[inline(always)]
    fn scale(&self, x: &[f32], s: &[f32], out: &mut [f32]) {
        let group = self.channels / self.groups;
        for ((out, x), s) in out
            .chunks_exact_mut(group)
            .zip(x.chunks_exact(group))
            .zip(s)
        {
            for (o, x) in out.iter_mut().zip(x) {
                *o = x * s;
            }
        }
    }
}
